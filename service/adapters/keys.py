"""Keys on SQLite, in a file of their own beside the log: the command line writes them, a running server reads them. No key's text here."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from service.core.errors import Unavailable
from service.guard import Key, Scope

_BUSY = 5.0  # seconds to wait for another writer

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
    created_at REAL NOT NULL, rate REAL, last_used_at REAL, revoked_at REAL
)
"""
_COLUMNS = "id, name, scopes, digest, created_at, rate, last_used_at, revoked_at"


class SqliteKeys:
    """The keys of a data folder. The file is made with the first key, and only its owner may read it."""

    def __init__(self, folder: Path) -> None:
        """Keep them in the data folder."""
        self._path = folder / "keys.db"

    def all(self) -> list[Key]:
        """Every key ever made, revoked ones too, oldest first. Raises `Unavailable` for a file that cannot be read."""
        if not self._path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY created_at, id").fetchall()  # noqa: S608 - a constant
        return [_key(row) for row in rows]

    def version(self) -> tuple[int, int] | None:
        """What changes whenever keys are added, revoked or noted; None where no key was ever made."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_ino

    def add(self, key: Key) -> None:
        """Keep a new key; raises `Unavailable`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(0o600)
        row = (key.id, key.name, " ".join(sorted(key.scopes)), key.digest, key.created_at, key.rate, key.last_used_at, key.revoked_at)
        with self._open() as connection:
            connection.execute(f"INSERT INTO keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - a constant

    def revoke(self, key_id: str, at: float) -> bool:
        """Revoke a key; False where no such key is valid."""
        if not self._path.exists():
            return False
        with self._open() as connection:
            done = connection.execute("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, key_id))
            return done.rowcount > 0

    def note(self, used: Mapping[str, float]) -> None:
        """Note when keys were last used, by id."""
        with self._open() as connection:
            connection.executemany("UPDATE keys SET last_used_at = ? WHERE id = ?", [(at, key_id) for key_id, at in used.items()])

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self._path, timeout=_BUSY)
            try:
                with connection:
                    connection.execute(_SCHEMA)
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise Unavailable(f"the keys in {self._path} cannot be read or written: {error}") from None


def _key(row: Any) -> Key:
    key_id, name, scopes, digest, created_at, rate, last_used_at, revoked_at = row
    opened = frozenset(scope for scope in Scope if scope in scopes.split())
    return Key(key_id, name, opened, digest, created_at, rate, last_used_at, revoked_at)
