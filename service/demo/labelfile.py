"""A file of labels by id: CSV (plain or gzipped) or JSON lines. It reads and checks; nothing is sent."""

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import msgspec

from service.demo.client import Label
from service.demo.errors import BadFile

_SUFFIXES = (".csv", ".jsonl", ".ndjson")


def read_labels(path: Path, id_column: str = "id", label_column: str = "label") -> dict[str, Label]:
    """The labels by id; an id that stands there twice has its last label, a row without a label is as good as none.

    Raises `BadFile` for a file that is missing or damaged, or has no such column.
    """
    plain = path.name.removesuffix(".gz")
    if not plain.endswith(_SUFFIXES):
        raise BadFile(f"{path.name} is no file of labels: its name ends in none of {', '.join(_SUFFIXES)} (each may be gzipped)")
    try:
        with _opened(path) as file:
            rows = _csv_rows(path, file, {id_column, label_column}) if plain.endswith(".csv") else _json_rows(path, file)
            return dict(_labels(path, rows, id_column, label_column))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path} cannot be read: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as binary, io.TextIOWrapper(binary, "utf-8-sig", newline="") as text:
        yield text


def _csv_rows(path: Path, file: TextIO, needed: set[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.DictReader(file)
    names = list(rows.fieldnames or ())
    for missing in sorted(needed - set(names)):
        raise BadFile(f"{path.name} has no column {missing!r}; there are {', '.join(names) or 'none'}")
    for row in rows:
        yield rows.line_num, {name: cell or None for name, cell in row.items()}


def _json_rows(path: Path, file: TextIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.MsgspecError as error:
                raise BadFile(f"{path.name}, line {number}: not a JSON object ({error})") from None


def _labels(path: Path, rows: Iterator[tuple[int, Mapping[str, Any]]], id_column: str, label_column: str) -> Iterator[tuple[str, Label]]:
    for number, row in rows:
        for column in (id_column, label_column):
            if column not in row:
                raise BadFile(f"{path.name}, line {number} has no {column!r}; there are {', '.join(row) or 'none'}")
        sample_id, label = row[id_column], row[label_column]
        if label is None:
            continue
        if not isinstance(label, str | int | bool) or not isinstance(sample_id, str | int):
            raise BadFile(f"{path.name}, line {number}: an id is a text, a label a text, an integer or a boolean")
        yield str(sample_id), label
