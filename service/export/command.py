"""From a data folder to a file: which format, where the bytes go, and what is refused. What a row is stands in `service.export.data`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from service.adapters.sqlite import SqliteReader, database_of
from service.core.errors import CannotExport
from service.export.data import LabelledData, Track
from service.export.text import write_csv, write_jsonl

Format = Literal["jsonl", "csv", "parquet"]
Write = Callable[[LabelledData, BinaryIO, Track], None]


def export(folder: Path, stream: str, format_: Format, output: Path | None, track: Track) -> int:
    """Write a stream's labelled data to a new file, or to standard output; gives the number of rows.

    A file has its name only when it is complete. Raises `UnknownStream`, and `CannotExport` with a sentence.
    """
    write = _writer(format_)
    if output is None and format_ == "parquet":
        message = "Parquet is written to a file; name it with -o"
        raise CannotExport(message)
    if output is not None:
        _refuse_existing(output)
    reader = SqliteReader(database_of(folder))
    try:
        data = LabelledData(reader, stream, track)
        with _standard_output() if output is None else _new_file(output) as file:
            write(data, file, track)
        return len(data)
    finally:
        reader.close()


def _writer(format_: Format) -> Write:
    if format_ == "parquet":
        try:
            from service.export import parquet
        except ImportError:
            message = "Parquet needs pyarrow, which is not installed: pip install 'askwhen[parquet]'"
            raise CannotExport(message) from None
        return parquet.write
    return write_csv if format_ == "csv" else write_jsonl


def _refuse_existing(path: Path) -> None:
    if path.exists():
        message = f"{path} exists already; name a new file"
        raise CannotExport(message)


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _refuse_existing(path)
        temporary.rename(path)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise CannotExport(message) from None
    finally:
        temporary.unlink(missing_ok=True)
