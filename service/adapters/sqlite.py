"""The log on SQLite: one table, write-ahead logging, every commit synced to disk. It folds nothing and knows no model.

A writer thread takes whatever has queued up into one transaction, so that many events share one fsync (group commit).
"""

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from service.core.errors import FolderInUse, IncompatibleData, StorageFull, Unavailable
from service.core.events import Event, decode, encode
from service.ports import Deliver, Entry, Result

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x41534B57  # "ASKW", so that `file` and a wrong path can tell
_PAGE = 2_000  # events that are read at once
_MOST_TOGETHER = 1_024  # events in one commit
_BUSY = 5.0  # seconds to wait for a reader's checkpoint

_Encoded = tuple[Entry, bytes]

_SCHEMA = """
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, kind TEXT NOT NULL, slot TEXT, body BLOB NOT NULL);
CREATE INDEX events_of_stream ON events (stream, seq);
CREATE UNIQUE INDEX events_in_slot ON events (stream, slot) WHERE slot IS NOT NULL;
"""


def database_of(folder: Path) -> Path:
    """The log's file in a data folder."""
    return folder / "askwhen.db"


class FolderLock:
    """Holds a data folder, so that two servers never share one; the system lets go of it when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; raises `FolderInUse`."""
        self._file = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            message = f"another server (process {holder}) holds the data folder {folder}; stop it or choose another folder with --data"
            raise FolderInUse(message) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let go."""
        self._file.close()


class SqliteReader:
    """Reads a log, beside whoever writes it."""

    def __init__(self, path: Path) -> None:
        """Open the file read-only; raises `IncompatibleData` for one from a newer version."""
        if not path.exists():
            message = f"there is no log at {path}"
            raise IncompatibleData(message)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY, check_same_thread=False)
        _check_version(self._connection, path)

    def read(self, stream: str, after: int, upto: int) -> Iterator[tuple[int, Event]]:
        """A stream's events after one position, up to and including another, in order; pages are read as they are needed."""
        page = 2_000
        while True:
            with self._lock:
                rows = self._connection.execute(
                    "SELECT seq, body FROM events WHERE stream = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                    (stream, after, upto, page),
                ).fetchall()
            for seq, body in rows:
                yield seq, decode(body)
            if len(rows) < page:
                return
            after = rows[-1][0]

    def get(self, stream: str, positions: Sequence[int]) -> list[Event | None]:
        """The events at these positions, None where the stream has none."""
        with self._lock:
            rows = [
                self._connection.execute("SELECT body FROM events WHERE seq = ? AND stream = ?", (seq, stream)).fetchone()
                for seq in positions
            ]
        return [None if row is None else decode(row[0]) for row in rows]

    def streams(self) -> list[str]:
        """The names of all streams, in order of creation."""
        return [row[0] for row in self._rows("SELECT stream, min(seq) AS first FROM events GROUP BY stream ORDER BY first")]

    def last(self, stream: str) -> int:
        """The position of a stream's last event, 0 where there is no such stream."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM events WHERE stream = ?", stream)[0][0])

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            message = f"the log cannot be read: {error}"
            raise Unavailable(message) from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


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
        row = self._writer.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        self._last = row[0] if row else 0
        self._queue: SimpleQueue[_Encoded | None] = SimpleQueue()
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

    def submit(self, entry: Entry) -> None:
        """Queue an entry; raises `ValueError` for an event that cannot be written."""
        try:
            body = b"" if entry.event is None else encode(entry.event)
        except (OverflowError, TypeError, ValueError) as error:
            message = f"the event cannot be written: {error}"
            raise ValueError(message) from None
        self._queue.put((entry, body))

    def close(self) -> None:
        """Write and deliver what is queued, then close the file and let go of the folder."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._writer.close()
        super().close()
        self._folder_lock.release()

    def _write(self, deliver: Deliver) -> None:
        more = True
        while more:
            batch, more = self._take()
            if batch:
                started = time.perf_counter()
                deliver(self._commit(batch), time.perf_counter() - started)

    def _take(self) -> tuple[list[_Encoded], bool]:
        batch: list[_Encoded] = []
        entry = self._queue.get()
        with contextlib.suppress(Empty):
            while entry is not None:
                batch.append(entry)
                if len(batch) >= _MOST_TOGETHER:
                    return batch, True
                entry = self._queue.get_nowait()
            return batch, False
        return batch, True

    def _commit(self, batch: list[_Encoded]) -> list[Result]:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            # A batch that was reported as failed, although it may have landed, must not be there.
            self._writer.execute("DELETE FROM events WHERE seq > ?", (self._last,))
            for position, (entry, body) in enumerate(batch, self._last + 1):
                self._store(position, entry, body)
            self._writer.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever happens, the writer goes on and the batch gets its answer
            self._start_over()
            failure = _failure(error)
            return [Result(entry, 0, failure) for entry, _ in batch]
        results = [Result(entry, position, None) for position, (entry, _) in enumerate(batch, self._last + 1)]
        self._last += len(batch)
        return results

    def _store(self, seq: int, entry: Entry, body: bytes) -> None:
        if entry.event is None:
            self._writer.execute("DELETE FROM events WHERE stream = ?", (entry.stream,))
            return
        if entry.slot is not None:
            self._writer.execute("DELETE FROM events WHERE stream = ? AND slot = ?", (entry.stream, entry.slot))
        row = (seq, entry.stream, type(entry.event).__name__.lower(), entry.slot, body)
        self._writer.execute("INSERT INTO events (seq, stream, kind, slot, body) VALUES (?, ?, ?, ?, ?)", row)

    def _start_over(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        # The handle that failed may stay unusable, as after an error while the file was being synced.
        with contextlib.suppress(sqlite3.Error):
            fresh = _open(self._path)
            self._writer.close()
            self._writer = fresh


def backup(source: Path, target: Path) -> None:
    """Copy a log, consistent as of one moment, beside a server that goes on writing; raises `StorageFull` or `Unavailable`."""
    if not source.exists():
        message = f"there is no log at {source}"
        raise IncompatibleData(message)
    if target.exists():
        message = f"{target} exists already; name a new file"
        raise Unavailable(message)
    connection = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY)
    try:
        _check_version(connection, source)
        connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise _failure(error) from None
    finally:
        connection.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        message = f"{path} is not a log of askwhen"
        raise IncompatibleData(message)
    if version > SCHEMA_VERSION:
        message = f"{path} has schema {version}, written by a newer askwhen; this one reads up to {SCHEMA_VERSION}"
        raise IncompatibleData(message)


def _failure(error: Exception) -> Unavailable:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StorageFull("the disk is full; make room, then try again")
    return Unavailable(f"the log cannot be written: {error}")
