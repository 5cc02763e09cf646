"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from service.tabular import BadFile


def check_place(path: Path, source: Path) -> None:
    """Raise `BadFile` where a file could not be written, before hours are spent on what would stand in it."""
    if path.is_dir() or not path.parent.is_dir():
        raise BadFile(f"{path} cannot be written: {'it is a folder' if path.is_dir() else f'there is no folder {path.parent}'}")
    if not os.access(path.parent, os.W_OK):
        raise BadFile(f"{path} cannot be written: nothing may be written into {path.parent}")
    if path.exists() and source.exists() and path.samefile(source):
        raise BadFile(f"{path} is the file that is read; name another to write")


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place at once; on failure the one that was there stays. Raises `OSError`."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_json(records: Iterable[Mapping[str, Any]], *, lines: bool) -> bytes:
    """Records one a line: JSON lines, or an array of them."""
    rows = [msgspec.json.encode(record) for record in records]
    return b"".join(row + b"\n" for row in rows) if lines else b"[\n" + b",\n".join(rows) + b"\n]\n"
