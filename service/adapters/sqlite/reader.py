"""Whoever looks at a log beside its writer: readers and backups, and what they and the writer have in common. Nothing is changed here."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from service.core.errors import IncompatibleData, StorageFull, Unavailable
from service.core.events import Event, decode

SCHEMA_VERSION = 2
APPLICATION_ID = 0x41534B57  # "ASKW", so that `file` and a wrong path can tell
BUSY = 5.0  # seconds to wait for one another
_PAGE = 2_000  # events that are read at once


def database_of(folder: Path) -> Path:
    """The log's file in a data folder."""
    return folder / "askwhen.db"


class SqliteReader:
    """Reads a log, beside whoever writes it; every way to read raises `Unavailable` where that cannot be done."""

    def __init__(self, path: Path) -> None:
        """Open the file read-only; raises `IncompatibleData` for one of another version."""
        if not path.exists():
            message = f"there is no log at {path}"
            raise IncompatibleData(message)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY, check_same_thread=False)
        check_version(self._connection, path)

    def read(self, stream: str, after: int, upto: int) -> Iterator[tuple[int, Event]]:
        """A stream's events after one position, up to and including another, in order; pages are read as they are needed."""
        while True:
            query = "SELECT seq, body FROM events WHERE stream = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
            rows = self._rows(query, stream, after, upto, _PAGE)
            for seq, body in rows:
                yield seq, decode(body)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    def get(self, stream: str, positions: Sequence[int]) -> list[Event | None]:
        """The events at these positions, None where the stream has none."""
        found = (self._rows("SELECT body FROM events WHERE seq = ? AND stream = ?", seq, stream) for seq in positions)
        return [decode(rows[0][0]) if rows else None for rows in found]

    def about(self, stream: str, sample_id: str) -> list[Event]:
        """A sample's events, in order."""
        query = "SELECT body FROM events WHERE stream = ? AND sample = ? ORDER BY seq"
        return [decode(row[0]) for row in self._rows(query, stream, sample_id)]

    def erased(self, stream: str) -> int:
        """The position of a stream's last erasure, 0 if there was none."""
        query = "SELECT coalesce(max(seq), 0) FROM events WHERE stream = ? AND kind = 'erased'"
        return int(self._rows(query, stream)[0][0])

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


def backup(source: Path, target: Path) -> None:
    """Copy a log, consistent as of one moment, beside a server that goes on writing; raises `StorageFull` or `Unavailable`."""
    if not source.exists():
        message = f"there is no log at {source}"
        raise IncompatibleData(message)
    if target.exists():
        message = f"{target} exists already; name a new file"
        raise Unavailable(message)
    connection = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY)
    try:
        check_version(connection, source)
        connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        raise failure(error) from None
    finally:
        connection.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `IncompatibleData` for a file of something else or of another version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        message = f"{path} is not a log of askwhen"
        raise IncompatibleData(message)
    if version != SCHEMA_VERSION:
        age = "newer" if version > SCHEMA_VERSION else "older"
        message = f"{path} has schema {version}, written by an {age} askwhen; this one reads schema {SCHEMA_VERSION} only"
        raise IncompatibleData(message)


def failure(error: Exception) -> Unavailable:
    """Return what a caller is told of an error of SQLite's."""
    if isinstance(error, Unavailable):
        return error
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StorageFull("the disk is full; make room, then try again")
    return Unavailable(f"the log cannot be written: {error}")
