"""What the log's file goes through: commits, each synced to disk, and erasure. It folds nothing and knows no model.

What is erased is overwritten in the same transaction; when it is asked to, it writes the whole file anew and empties the write-ahead
log, so that no byte of it stays.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from service.adapters.sqlite.reader import APPLICATION_ID, BUSY, SCHEMA_VERSION, check_version, database_of, failure
from service.core.erasure import blanked, superfluous
from service.core.errors import Unavailable
from service.core.events import Checkpoint, Erased, Event, decode, encode

_TRIES = 3  # times that whoever reads is waited for, before the bytes of what was erased are left to the next try
_ERASED = Erased.__name__.lower()

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


class Row(NamedTuple):
    """An event on its way to the file, encoded; without a `kind` it drops its stream's whole log."""

    stream: str
    kind: str | None
    slot: str | None
    sample: str | None
    body: bytes


def prepare(path: Path) -> tuple[int, int]:
    """Make the file if there is none; gives its last position, and a number for this start above those that have checkpoints in it.

    Raises `IncompatibleData` for a file of something else or of another version.
    """
    with contextlib.closing(_open(path)) as connection:
        check_version(connection, path)
        last = int(connection.execute(_LAST).fetchone()[0])
        rows = connection.execute("SELECT DISTINCT slot FROM events WHERE slot LIKE 'checkpoint-%'").fetchall()
        return last, 1 + max((int(row[0].removeprefix("checkpoint-")) for row in rows), default=0)


class Writer:
    """Writes one log, whose acknowledged events end at a position: what may stand behind it was reported as failed."""

    def __init__(self, folder: Path, last: int) -> None:
        """Open the file; raises `sqlite3.Error`."""
        self._path = database_of(folder)
        self._connection = _open(self._path)
        self._last = last
        self._doubtful = True  # whether something may stand behind `_last`

    def commit(self, rows: Sequence[Row]) -> int:
        """Store rows, all or none, and sync; gives the position of the first. Raises `Unavailable` or `StorageFull`."""
        first = self._last + 1
        try:
            if self._doubtful or any(row.kind is None or row.kind == _ERASED for row in rows):
                self._commit_steps(first, rows)
            else:
                self._insert(first, rows)  # one statement is a transaction of its own
        except Exception as error:
            # What violates the order of positions was not written, and what stands behind `_last` then is no failed batch.
            self._start_over(doubtful=self._doubtful or not isinstance(error, sqlite3.IntegrityError))
            raise failure(error) from error
        self._last += len(rows)
        return first

    def scrub(self) -> None:
        """Write the file anew without residue, where something was erased since the last time; raises `Unavailable` or `StorageFull`."""
        try:
            if self._connection.execute("SELECT EXISTS (SELECT 1 FROM unscrubbed)").fetchone()[0]:
                self._connection.execute("VACUUM")
                _empty_wal(self._connection)
                self._connection.execute("DELETE FROM unscrubbed")
        except sqlite3.Error as error:
            raise failure(error) from error

    def close(self) -> None:
        """Remove what was reported as failed, as far as that can be done, and close the file."""
        with contextlib.suppress(sqlite3.Error):
            if self._doubtful:
                self._connection.execute("DELETE FROM events WHERE seq > ?", (self._last,))
        self._connection.close()

    def _commit_steps(self, first: int, rows: Sequence[Row]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        # A batch that was reported as failed, although it may have landed, must not be there.
        self._connection.execute("DELETE FROM events WHERE seq > ?", (self._last,))
        for position, row in enumerate(rows, first):
            self._store(position, row)
        self._connection.execute("COMMIT")
        self._doubtful = False

    def _insert(self, first: int, rows: Sequence[Row]) -> None:
        values = [value for position, row in enumerate(rows, first) for value in (position, *row)]
        self._connection.execute(_INSERT + ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows)) + _INTO_SLOT, values)

    def _store(self, seq: int, row: Row) -> None:
        if row.kind is None or row.kind == _ERASED:
            self._connection.execute("INSERT INTO unscrubbed (seq) VALUES (?)", (seq,))
        if row.kind is None:
            self._connection.execute("DELETE FROM events WHERE stream = ?", (row.stream,))
            self._connection.execute("DELETE FROM dropped")
            self._connection.execute("INSERT INTO dropped (last) VALUES (?)", (seq,))
            return
        if row.kind == _ERASED:
            self._erase(row)
        self._insert(seq, [row])

    def _erase(self, row: Row) -> None:
        event = decode(row.body)
        for sample_id in event.sample_ids if isinstance(event, Erased) else ():
            found = self._decoded("stream = ? AND sample = ?", row.stream, sample_id)
            emptied = blanked(old for _, old in found)
            changes = [(encode(new), seq) for (seq, _), new in zip(found, emptied, strict=True)]
            self._connection.executemany("UPDATE events SET body = ? WHERE seq = ?", changes)
        slots = self._decoded("stream = ? AND slot IS NOT NULL", row.stream)
        gone = superfluous([(seq, old) for seq, old in slots if isinstance(old, Checkpoint)])
        self._connection.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq in gone])

    def _decoded(self, condition: str, *values: str) -> list[tuple[int, Event]]:
        query = f"SELECT seq, body FROM events WHERE {condition} ORDER BY seq"  # noqa: S608 - conditions are of this module
        return [(seq, decode(body)) for seq, body in self._connection.execute(query, values)]

    def _start_over(self, *, doubtful: bool) -> None:
        self._doubtful = doubtful
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        # The handle that failed may stay unusable, as after an error while the file was being synced.
        with contextlib.suppress(sqlite3.Error):
            fresh = _open(self._path)
            self._connection.close()
            self._connection = fresh


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY)
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
