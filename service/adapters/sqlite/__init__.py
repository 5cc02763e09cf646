"""The log on SQLite: one file, read by anybody, written by one server."""

from service.adapters.sqlite.log import SqliteLog
from service.adapters.sqlite.reader import SqliteReader, backup, database_of

__all__ = ["SqliteLog", "SqliteReader", "backup", "database_of"]
