"""From an event to its fold: submit to the log, and when it is on disk apply it, in log order, in short turns.

It decides nothing. Whoever appends gets a future of what the fold made of the event.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from service.core.errors import Unavailable
from service.core.events import Event, Labelled
from service.core.records import Applied
from service.ports import Entry, Log, Observer, Result

PATIENCE = 15.0  # seconds that a label or a change waits for the log

_TURN = 0.00025  # seconds of folding before others get the loop
_LINGER = 0.005  # seconds that what came in bulk may wait for more, so that fewer commits hold it
_MANY = 64  # events that do not wait any longer
_SLOW = 1.0  # seconds without an answer after which the log counts as stalled

Fold = Callable[[str, int, Event | None], Applied]


class Committed(NamedTuple):
    """An event that is on disk and folded."""

    seq: int
    applied: Applied


Told = Callable[[Committed | Exception], None]  # must not raise


class _Waiting(NamedTuple):
    told: Told
    settle: Callable[[], None] | None
    since: float


class Journal:
    """The one way for events into the log and from there into memory. What comes while the log is writing waits, and goes together."""

    def __init__(self, log: Log, fold: Fold, observers: Sequence[Observer]) -> None:
        """Take the log, and the function that folds a committed event into its stream."""
        self._log = log
        self._fold = fold
        self._observers = observers
        self._waiting: dict[int, _Waiting] = {}
        self._outbox: list[Entry] = []
        self._pressing = False  # whether one of them may not linger
        self._due: asyncio.Handle | None = None  # when the outbox is sent
        self._soon = False  # whether that is in this turn of the loop
        self._writing = 0  # entries that the log has and did not answer
        self._results: deque[Result] = deque()
        self._tickets = 0
        self._folding = False
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self) -> None:
        """Begin to take events."""
        self._log.start(self._deliver)

    def append(self, stream: str, event: Event | None, *, slot: str | None = None) -> "asyncio.Future[Committed]":
        """Submit an event; the future comes after its fold, or with `Unavailable`."""
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        # Nobody may be left to look at a failure: a request can have gone by then.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

        def told(outcome: Committed | Exception) -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit(stream, event, told, slot=slot)
        return future

    def submit(
        self,
        stream: str,
        event: Event | None,
        told: Told,
        *,
        slot: str | None = None,
        settle: Callable[[], None] | None = None,
        linger: bool = False,
    ) -> None:
        """Submit an event; `settle` runs when its fate is known, then comes its fold, then `told` with what it made of it, or the error.

        One that may `linger` waits for others, but no longer than milliseconds.
        """
        self._tickets += 1
        self._waiting[self._tickets] = _Waiting(told, settle, time.monotonic())
        self._idle.clear()
        self._outbox.append(Entry(stream, event, slot, self._tickets))
        self._pressing = self._pressing or not linger or len(self._outbox) >= _MANY
        if not self._writing:
            self._schedule()

    @property
    def waiting(self) -> int:
        """Events that are submitted and not yet folded."""
        return len(self._waiting)

    @property
    def stalled(self) -> bool:
        """Whether the oldest event has been waiting for its commit for more than a second."""
        if not self._waiting:
            return False
        return time.monotonic() - next(iter(self._waiting.values())).since > _SLOW

    async def settled(self) -> None:
        """Wait until everything submitted so far is folded or failed."""
        await self._idle.wait()

    def _schedule(self) -> None:
        """Have the outbox sent: at the end of this turn of the loop, or later where nothing in it presses."""
        if self._due is not None:
            if self._soon or not self._pressing:
                return
            self._due.cancel()
        loop, self._soon = asyncio.get_running_loop(), self._pressing
        self._due = loop.call_soon(self._send) if self._soon else loop.call_later(_LINGER, self._send)

    def _send(self) -> None:
        """Hand the log all that came until now, or while it was writing: it goes into one commit."""
        self._due, self._pressing = None, False
        entries, self._outbox = self._outbox, []
        self._writing = len(entries)
        refused = self._log.submit(entries)
        if refused:
            self._deliver(refused, 0.0)

    def _deliver(self, results: Sequence[Result], writing: float) -> None:
        failed = sum(result.error is not None for result in results)
        since = self._waiting[results[0].entry.ticket].since
        for observer in self._observers:
            if failed:
                observer.failed(failed)
            if len(results) > failed:
                observer.committed(len(results) - failed, time.monotonic() - since, writing)
        self._results.extend(results)
        self._writing -= len(results)
        if self._outbox and not self._writing:
            if self._pressing:
                self._send()
            else:
                self._schedule()
        if not self._folding:
            self._run()

    def _run(self) -> None:
        self._folding = True
        until = time.monotonic() + _TURN
        while self._results:
            self._take(self._results.popleft())
            if time.monotonic() > until:
                asyncio.get_running_loop().call_soon(self._run)
                return
        self._folding = False
        if not self._waiting:
            self._idle.set()

    def _take(self, result: Result) -> None:
        waiting = self._waiting.pop(result.entry.ticket)
        if waiting.settle is not None:
            waiting.settle()
        if result.error is not None:
            waiting.told(result.error)
            return
        started = time.perf_counter()
        try:
            applied = self._fold(result.entry.stream, result.seq, result.entry.event)
        except Exception as error:  # noqa: BLE001 - one stream's broken fold must not stop the others
            waiting.told(error)
            return
        if isinstance(result.entry.event, Labelled):
            for observer in self._observers:
                observer.learned(result.entry.stream, time.perf_counter() - started)
        waiting.told(Committed(result.seq, applied))


async def folded(change: "asyncio.Future[Committed]", silent: str) -> Applied:
    """Wait until an event is on disk and folded, and give what that made of it; raises `Unavailable`, with `silent` if time runs out."""
    try:
        return (await asyncio.wait_for(asyncio.shield(change), PATIENCE)).applied
    except TimeoutError:
        raise Unavailable(silent) from None
