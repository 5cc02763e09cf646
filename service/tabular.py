"""Files with a row a sample: CSV and JSON lines, plain or gzipped, and Parquet. What the rows mean is known elsewhere."""

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import msgspec

PROBABILITY = "probability:"  # begins the name of a column of a class's probabilities

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NOT_A_NUMBER = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_BATCH = 4_096  # rows of a Parquet file that are decoded at a time


class BadFile(Exception):
    """A file that is missing, damaged, of no known kind, or lacks a column; `str()` of it is a sentence for a person."""


class Row(NamedTuple):
    """A row: its cells by column, and the line of the file that it ends at (of a Parquet file, the row's number), from 1."""

    line: int
    cells: dict[str, Any]


class Table:
    """An open file: its `rows`, once, in their order. Iterating raises `BadFile` where the file is damaged."""

    def __init__(self, rows: Iterator[Row], share: Callable[[], float]) -> None:
        """Take the rows, and what tells how far they are read."""
        self.rows = rows
        self._share = share

    @property
    def share(self) -> float:
        """How much of the file is read, 0..1."""
        return self._share()


_Opening = Callable[[Path, Sequence[str]], AbstractContextManager[Table]]
_Reading = Callable[[Path, TextIO, Sequence[str]], Iterator[Row]]


def table(path: Path, needed: Sequence[str]) -> AbstractContextManager[Table]:
    """Open a file whose rows have the `needed` columns; raises `BadFile`.

    In a CSV file these stay texts, as an id must, while other cells become what they look like (see `value`). An empty cell is None.
    """
    plain = path.name.removesuffix(".gz")
    opening = _KINDS.get(Path(plain).suffix)
    if opening is None or (opening is _parquet and plain != path.name):
        raise BadFile(f"{path.name} is no table: its name ends in none of {', '.join(_KINDS)} (all but Parquet may be gzipped)")
    return opening(path, needed)


def columns(path: Path) -> list[str]:
    """The names of a file's columns, as its first row has them, and none where it has no rows; raises `BadFile`."""
    with table(path, ()) as opened:
        return next((list(row.cells) for row in opened.rows), [])


def apart(cells: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A row's features, and the probabilities that a model of the caller's own gave it, by class; None where no such cell is filled.

    >>> apart({"x": 1, "probability:ok": 0.75, "probability:fraud": 0.25})
    ({'x': 1}, {'ok': 0.75, 'fraud': 0.25})
    """
    features = {name: cell for name, cell in cells.items() if not name.startswith(PROBABILITY)}
    if len(features) == len(cells):
        return features, None
    stated = {name.removeprefix(PROBABILITY): cell for name, cell in cells.items() if name.startswith(PROBABILITY) and cell is not None}
    return features, stated or None


def stem(path: Path) -> str:
    """A file's name without what says its kind.

    >>> stem(Path("data/orders.2026.csv.gz"))
    'orders.2026'
    """
    return Path(path.name.removesuffix(".gz")).stem


def value(text: str) -> float | int | bool | str | None:
    """What a cell of a CSV file looks like; empty cells and numbers that are not finite are missing values.

    >>> [value(text) for text in ("7", "-1e3", " 7.5", "True", " ", "nan", "1_000", "7 km")]
    [7, -1000.0, 7.5, True, None, None, '1_000', '7 km']
    """
    bare = text.strip()
    if _INTEGER.fullmatch(bare):
        return int(bare)
    if _NUMBER.fullmatch(bare):
        number = float(bare)
        return number if math.isfinite(number) else None
    if not bare or _NOT_A_NUMBER.fullmatch(bare):
        return None
    return _BOOLEANS.get(bare.lower(), text)


_BOOLEANS = {"true": True, "false": False}


# --- text --------------------------------------------------------------------------------------------------------------------


def _text(read: _Reading) -> _Opening:
    @contextmanager
    def opening(path: Path, needed: Sequence[str]) -> Iterator[Table]:
        with _explained(path):
            raw = path.open("rb")
        size = max(1, path.stat().st_size)
        unpacked = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        with raw, unpacked as binary, io.TextIOWrapper(binary, "utf-8-sig", newline="") as text:
            yield Table(_careful(path, read(path, text, needed)), lambda: raw.tell() / size)

    return opening


def _csv_rows(path: Path, file: TextIO, needed: Sequence[str]) -> Iterator[Row]:
    rows = csv.DictReader(file)
    names = list(rows.fieldnames or ())
    _check_columns(path, names, needed)
    if len(set(names)) < len(names):
        raise BadFile(f"{path.name} has two columns of the same name; there are {', '.join(names)}")
    texts = set(needed)
    for row in rows:
        if None in row:
            raise BadFile(f"{path.name}, line {rows.line_num} has more cells than there are columns")
        yield Row(rows.line_num, {name: (cell or None) if name in texts else value(cell or "") for name, cell in row.items()})


def _json_rows(path: Path, file: TextIO, needed: Sequence[str]) -> Iterator[Row]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                row = decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise BadFile(f"{path.name}, line {number}: not a JSON object ({error})") from None
            for missing in (name for name in needed if name not in row):
                raise BadFile(f"{path.name}, line {number} has no {missing!r}; there are {', '.join(row) or 'none'}")
            yield Row(number, row)


# --- Parquet -----------------------------------------------------------------------------------------------------------------


@contextmanager
def _parquet(path: Path, needed: Sequence[str]) -> Iterator[Table]:
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
    except ImportError:
        raise BadFile(f"{path.name} needs the extra `parquet`: pip install 'askwhen[parquet]'") from None
    with _explained(path):
        file = parquet.ParquetFile(path)
    with file:
        _check_columns(path, file.schema_arrow.names, needed)
        done = 0

        def rows() -> Iterator[Row]:
            nonlocal done
            for batch in file.iter_batches(_BATCH):
                for cells in batch.to_pylist():
                    done += 1
                    yield Row(done, cells)

        yield Table(_careful(path, rows()), lambda: done / max(1, file.metadata.num_rows))


# --- what they share ---------------------------------------------------------------------------------------------------------


def _check_columns(path: Path, names: Sequence[str], needed: Sequence[str]) -> None:
    for missing in (name for name in needed if name not in names):
        raise BadFile(f"{path.name} has no column {missing!r}; there are {', '.join(names) or 'none'}")


def _careful(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    with _explained(path):
        yield from rows


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:  # pyarrow's errors of damaged files are ValueErrors too
        raise BadFile(f"{path} cannot be read: {error}") from None


_KINDS: dict[str, _Opening] = {
    ".csv": _text(_csv_rows),
    ".jsonl": _text(_json_rows),
    ".ndjson": _text(_json_rows),
    ".parquet": _parquet,
}
