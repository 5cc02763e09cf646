"""The log's writer: one table, write-ahead logging, every commit synced to disk. It folds nothing and knows no model.

A writer thread takes whatever has queued up into one transaction, so that many events share one fsync (group commit). What is erased
is overwritten in the same transaction; when it is asked to, it writes the whole file anew and empties the write-ahead log, so that no
byte of it stays.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue

from service.adapters.folder import FolderLock
from service.adapters.sqlite.reader import APPLICATION_ID, BUSY, SCHEMA_VERSION, SqliteReader, database_of, failure
from service.core.erasure import blanked, superfluous
from service.core.errors import Unavailable
from service.core.events import Checkpoint, Erased, Event, decode, encode, sample_of
from service.ports import Deliver, Entry, Result

_TOGETHER = 1_024  # events after which a commit takes no more
_TRIES = 3  # times that whoever reads is waited for, before the bytes of what was erased are left to the next try

_Encoded = tuple[Entry, bytes]
_Queued = list[_Encoded] | Future[None]

_SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, stream TEXT NOT NULL, kind TEXT NOT NULL, slot TEXT, sample TEXT, body BLOB NOT NULL
);
CREATE INDEX events_of_stream ON events (stream, seq);
CREATE UNIQUE INDEX events_in_slot ON events (stream, slot) WHERE slot IS NOT NULL;
CREATE INDEX events_of_sample ON events (stream, sample) WHERE sample IS NOT NULL;
CREATE INDEX erasures ON events (stream, seq) WHERE kind = 'erased';
CREATE TABLE unscrubbed (seq INTEGER PRIMARY KEY);
CREATE TABLE dropped (last INTEGER NOT NULL);  -- the position of the last drop of a stream, so that none is used twice
"""
_LAST = "SELECT max(coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(last) FROM dropped), 0))"
_INSERT = "INSERT INTO events (seq, stream, kind, slot, sample, body) VALUES "
_INTO_SLOT = (  # what stands in the slot goes; what stands at the position never does
    " ON CONFLICT (stream, slot) WHERE slot IS NOT NULL"
    " DO UPDATE SET seq = excluded.seq, kind = excluded.kind, sample = excluded.sample, body = excluded.body"
)


class SqliteLog(SqliteReader):
    """The log of one server."""

    def __init__(self, folder: Path) -> None:
        """Create the folder and its log, or open them; raises `FolderInUse` or `IncompatibleData`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder_lock = FolderLock(folder)
        self._path = database_of(folder)
        try:
            self._writer = _open(self._path)
            super().__init__(self._path)
        except BaseException:
            self._folder_lock.release()
            raise
        self._last = self._writer.execute(_LAST).fetchone()[0]
        self._doubtful = True  # whether something may stand behind `_last`
        self._queue: SimpleQueue[_Queued | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def run(self) -> int:
        """A number for this start of the server, above those whose checkpoints are in the log."""
        rows = self._writer.execute("SELECT DISTINCT slot FROM events WHERE slot LIKE 'checkpoint-%'").fetchall()
        return 1 + max((int(row[0].removeprefix("checkpoint-")) for row in rows), default=0)

    def start(self, deliver: Deliver) -> None:
        """Begin to write; `deliver` is called from the writer's thread."""
        self._thread = threading.Thread(target=self._write, args=(deliver,), name="askwhen-log", daemon=True)
        self._thread.start()

    def submit(self, entries: Sequence[Entry]) -> list[Result]:
        """Queue entries, for as few commits as hold them; gives the results of those whose events cannot be written."""
        encoded: list[_Encoded] = []
        refused: list[Result] = []
        for entry in entries:
            try:
                encoded.append((entry, b"" if entry.event is None else encode(entry.event)))
            except (OverflowError, TypeError, ValueError) as error:
                refused.append(Result(entry, 0, ValueError(f"the event cannot be written: {error}")))
        for first in range(0, len(encoded), _TOGETHER):
            self._queue.put(encoded[first : first + _TOGETHER])
        return refused

    def scrubbed(self) -> Future[None]:
        """Comes when no byte of what was erased so far is left in the file; tries again where that failed before."""
        request: Future[None] = Future()
        self._queue.put(request)
        return request

    def close(self) -> None:
        """Write and deliver what is queued, then close the file and let go of the folder."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._writer.close()
        super().close()
        self._folder_lock.release()

    def _write(self, deliver: Deliver) -> None:
        self._scrub()  # what a crash left
        more = True
        while more:
            taken, more = self._take()
            batch = [encoded for item in taken if isinstance(item, list) for encoded in item]
            requests = [item for item in taken if isinstance(item, Future)]
            if batch:
                started = time.perf_counter()
                deliver(self._commit(batch), time.perf_counter() - started)
            if requests:
                _answer(requests, self._scrub())

    def _take(self) -> tuple[list[_Queued], bool]:
        taken: list[_Queued] = []
        size = 0
        item = self._queue.get()
        with contextlib.suppress(Empty):
            while item is not None:
                taken.append(item)
                size += len(item) if isinstance(item, list) else 0
                if size >= _TOGETHER:
                    return taken, True
                item = self._queue.get_nowait()
            return taken, False
        return taken, True

    def _scrub(self) -> Exception | None:
        """Write the file anew without residue, where something was erased since the last time; gives why it could not be done."""
        try:
            if self._writer.execute("SELECT EXISTS (SELECT 1 FROM unscrubbed)").fetchone()[0]:
                self._writer.execute("VACUUM")
                _empty_wal(self._writer)
                self._writer.execute("DELETE FROM unscrubbed")
        except Exception as error:  # noqa: BLE001 - whatever happens, the writer goes on
            return failure(error)
        return None

    def _commit(self, batch: list[_Encoded]) -> list[Result]:
        try:
            if self._doubtful or any(entry.event is None or isinstance(entry.event, Erased) for entry, _ in batch):
                self._commit_steps(batch)
            else:
                # One statement is a transaction of its own, and leaves the interpreter to others from its beginning to its sync.
                self._insert(self._last + 1, batch)
        except Exception as error:  # noqa: BLE001 - whatever happens, the writer goes on and the batch gets its answer
            # What violates the order of positions was not written, and what stands behind `_last` then is no failed batch.
            self._start_over(doubtful=self._doubtful or not isinstance(error, sqlite3.IntegrityError))
            return [Result(entry, 0, failure(error)) for entry, _ in batch]
        results = [Result(entry, position, None) for position, (entry, _) in enumerate(batch, self._last + 1)]
        self._last += len(batch)
        return results

    def _commit_steps(self, batch: list[_Encoded]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        # A batch that was reported as failed, although it may have landed, must not be there.
        self._writer.execute("DELETE FROM events WHERE seq > ?", (self._last,))
        for position, (entry, body) in enumerate(batch, self._last + 1):
            self._store(position, entry, body)
        self._writer.execute("COMMIT")
        self._doubtful = False

    def _insert(self, first: int, batch: list[_Encoded]) -> None:
        row: list[object] = []
        for position, (entry, body) in enumerate(batch, first):
            event = entry.event
            row += (position, entry.stream, type(event).__name__.lower(), entry.slot, None if event is None else sample_of(event), body)
        self._writer.execute(_INSERT + ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(batch)) + _INTO_SLOT, row)

    def _store(self, seq: int, entry: Entry, body: bytes) -> None:
        event = entry.event
        if event is None or isinstance(event, Erased):
            self._writer.execute("INSERT INTO unscrubbed (seq) VALUES (?)", (seq,))
        if event is None:
            self._writer.execute("DELETE FROM events WHERE stream = ?", (entry.stream,))
            self._writer.execute("DELETE FROM dropped")
            self._writer.execute("INSERT INTO dropped (last) VALUES (?)", (seq,))
            return
        if isinstance(event, Erased):
            self._erase(entry.stream, event)
        self._insert(seq, [(entry, body)])

    def _erase(self, stream: str, event: Erased) -> None:
        update = "UPDATE events SET body = ? WHERE seq = ?"
        for sample_id in event.sample_ids:
            rows = self._decoded("stream = ? AND sample = ?", stream, sample_id)
            emptied = blanked(old for _, old in rows)
            self._writer.executemany(update, [(encode(new), seq) for (seq, _), new in zip(rows, emptied, strict=True)])
        rows = self._decoded("stream = ? AND slot IS NOT NULL", stream)
        gone = superfluous([(seq, old) for seq, old in rows if isinstance(old, Checkpoint)])
        self._writer.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq in gone])

    def _decoded(self, condition: str, *values: str) -> list[tuple[int, Event]]:
        query = f"SELECT seq, body FROM events WHERE {condition} ORDER BY seq"  # noqa: S608 - conditions are of this module
        return [(seq, decode(body)) for seq, body in self._writer.execute(query, values)]

    def _start_over(self, *, doubtful: bool) -> None:
        self._doubtful = doubtful
        with contextlib.suppress(sqlite3.Error):
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        # The handle that failed may stay unusable, as after an error while the file was being synced.
        with contextlib.suppress(sqlite3.Error):
            fresh = _open(self._path)
            self._writer.close()
            self._writer = fresh


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    # A container's root may be read-only; SQLite has no other way to be told where the file is rewritten.
    folder = str(path.absolute().parent).replace("'", "''")
    connection.execute(f"PRAGMA temp_store_directory = '{folder}'")
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    return connection


def _empty_wal(connection: sqlite3.Connection) -> None:
    for _ in range(_TRIES):
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
    message = "a reader holds the log; what was erased is not yet gone from the file's bytes"
    raise Unavailable(message)


def _answer(requests: Sequence[Future[None]], error: Exception | None) -> None:
    for request in requests:
        if not request.set_running_or_notify_cancel():
            continue
        if error is None:
            request.set_result(None)
        else:
            request.set_exception(error)
