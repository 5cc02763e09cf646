"""The log of one server: what is submitted goes to a process that writes it, and what became of it comes back over the loop.

There is no thread in between: one that waits for the interpreter waits for every long turn of the loop.
"""

import asyncio
import contextlib
import socket
import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from service.adapters.folder import FolderLock
from service.adapters.sqlite import scribe
from service.adapters.sqlite.reader import SqliteReader, database_of
from service.adapters.sqlite.scribe import TOGETHER, Answer, Frames, Order, framed, read_answer
from service.adapters.sqlite.writer import Row, Writer, prepare
from service.core.errors import Unavailable
from service.core.events import encode, sample_of
from service.ports import Deliver, Entry, Result

_READ = 1 << 16  # bytes that are read at once
_PROGRAM = f"import sys; from {scribe.__name__} import main; main(*sys.argv[1:])"


class SqliteLog(SqliteReader):
    """The log of one server. It is used from one loop."""

    def __init__(self, folder: Path) -> None:
        """Create the folder and its log, or open them; raises `FolderInUse` or `IncompatibleData`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._folder_lock = FolderLock(folder)
        try:
            self._last, self.run = prepare(database_of(folder))
            super().__init__(database_of(folder))
        except BaseException:
            self._folder_lock.release()
            raise
        self._deliver: Deliver | None = None
        self._scribe: _Scribe | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._waiting: deque[Entry] = deque()
        self._scrubs: deque[asyncio.Future[None]] = deque()

    def start(self, deliver: Deliver) -> None:
        """Begin to write; `deliver` is called from the loop that runs now."""
        self._deliver = deliver
        self._begun()

    def submit(self, entries: Sequence[Entry]) -> list[Result]:
        """Send entries, for as few commits as hold them; gives the results of those whose events cannot be written."""
        refused: list[Result] = []
        rows: list[Row] = []
        try:
            writer = self._begun()
        except OSError as error:
            return [Result(entry, 0, Unavailable(f"the log's writer cannot be started: {error}")) for entry in entries]
        for entry in entries:
            try:
                rows.append(row_of(entry))
            except (OverflowError, TypeError, ValueError) as error:
                refused.append(Result(entry, 0, ValueError(f"the event cannot be written: {error}")))
            else:
                self._waiting.append(entry)
        for first in range(0, len(rows), TOGETHER):
            writer.send(rows[first : first + TOGETHER])
        return refused

    def scrubbed(self) -> "asyncio.Future[None]":
        """Comes when no byte of what was erased so far is left in the file; tries again where that failed before."""
        request: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            writer = self._begun()
        except OSError as error:
            request.set_exception(Unavailable(f"the log's writer cannot be started: {error}"))
            return request
        self._scrubs.append(request)
        writer.send(None)
        return request

    async def stop(self) -> None:
        """Write and deliver what is queued, then close the file and let go of the folder."""
        if self._scribe is not None:
            self._stopped = asyncio.get_running_loop().create_future()
            self._scribe.finish()
            await self._stopped
        elif self._deliver is not None:  # it ended by itself, and what it left is known to have failed
            with contextlib.suppress(sqlite3.Error):
                await asyncio.to_thread(lambda: Writer(self._folder, self._last).close())
        self.close()

    def close(self) -> None:
        """Close a log that was not started."""
        super().close()
        self._folder_lock.release()

    def _begun(self) -> "_Scribe":
        if self._scribe is None:
            self._scribe = _Scribe(self._folder, self._last, self._folder_lock.fileno(), self._answered, self._ended)
        return self._scribe

    def _answered(self, answer: Answer) -> None:
        failure = answer.failure
        if not answer.count:
            _settle(self._scrubs.popleft(), failure)
            return
        entries = [self._waiting.popleft() for _ in range(answer.count)]
        if failure is None:
            self._last = answer.first + answer.count - 1
            results = [Result(entry, position, None) for position, entry in enumerate(entries, answer.first)]
        else:
            results = [Result(entry, 0, failure) for entry in entries]
        self._tell(results, answer.seconds)

    def _ended(self) -> None:
        """The writer is gone, with all that it was not heard of; the next event starts another one."""
        self._scribe = None
        if self._stopped is not None:
            self._stopped.set_result(None)
        failure = Unavailable("the log's writer ended; try again")
        lost = [Result(entry, 0, failure) for entry in self._waiting]
        scrubs = list(self._scrubs)
        self._waiting.clear()
        self._scrubs.clear()
        for request in scrubs:
            _settle(request, failure)
        if lost:
            self._tell(lost, 0.0)

    def _tell(self, results: list[Result], seconds: float) -> None:
        if self._deliver is not None:
            self._deliver(results, seconds)


class _Scribe:
    """The near end of the writer's process: orders go out and answers come in whenever the socket is ready."""

    def __init__(self, folder: Path, last: int, lock: int, answered: Callable[[Answer], None], ended: Callable[[], None]) -> None:
        """Start it; it holds the folder's lock until it has finished. Raises `OSError`."""
        self._loop = asyncio.get_running_loop()
        self._answered = answered
        self._ended = ended
        self._frames = Frames()
        self._outgoing = bytearray()
        self._finishing = False
        self._choked = False  # whether the socket takes no more
        self._near, far = socket.socketpair()
        with far:
            program = [sys.executable, "-c", _PROGRAM, str(far.fileno()), str(folder.absolute()), str(last)]
            # A group of its own: whoever interrupts a server at a terminal must not interrupt this.
            self._process = subprocess.Popen(program, stdin=subprocess.DEVNULL, pass_fds=(far.fileno(), lock), process_group=0)  # noqa: S603
        self._near.setblocking(False)
        self._loop.add_reader(self._near, self._read)

    def send(self, order: Order) -> None:
        """Send rows to be stored, or None to scrub."""
        idle = not self._outgoing
        self._outgoing += framed(order)
        if idle:
            self._write()

    def finish(self) -> None:
        """Send what is left and then no more: the process ends when it has answered all."""
        self._finishing = True
        if not self._outgoing:
            self._write()

    def _write(self) -> None:
        try:
            del self._outgoing[: self._near.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:  # the process is gone, which is read as well
            self._outgoing.clear()
        if self._outgoing:
            self._loop.add_writer(self._near, self._write)
            self._choked = True
            return
        if self._choked:
            self._loop.remove_writer(self._near)
            self._choked = False
        if self._finishing:
            with contextlib.suppress(OSError):
                self._near.shutdown(socket.SHUT_WR)

    def _read(self) -> None:
        try:
            data = self._near.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            for frame in self._frames.take(data):
                self._answered(read_answer(frame))
            return
        self._loop.remove_reader(self._near)
        self._loop.remove_writer(self._near)
        self._near.close()
        self._process.wait()  # it has closed its end, which is the last thing that it does
        self._ended()


def row_of(entry: Entry) -> Row:
    """Raises what msgspec raises of an event that has no bytes."""
    event = entry.event
    if event is None:
        return Row(entry.stream, None, entry.slot, None, b"")
    return Row(entry.stream, type(event).__name__.lower(), entry.slot, sample_of(event), encode(event))


def _settle(request: "asyncio.Future[None]", failure: Exception | None) -> None:
    if request.done():
        return
    if failure is None:
        request.set_result(None)
    else:
        request.set_exception(failure)
