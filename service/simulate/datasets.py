"""Labelled streams: the real sets that River's wheel brings along, and CSV files. Rows only; nothing is learned here."""

import csv
import gzip
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

from river import datasets

from service.core.errors import Invalid
from service.core.features import Scalar
from service.simulate.run import Pair

SHIPPED: Mapping[str, Callable[[], Iterable[Any]]] = MappingProxyType(
    {
        "phishing": datasets.Phishing,
        "image-segments": datasets.ImageSegments,
        "bananas": datasets.Bananas,
        "shuttle": datasets.Shuttle,
    }
)


def shipped(name: str) -> Iterator[Pair]:
    """The samples of one of River's sets, in their order; no network is needed."""
    for features, label in SHIPPED[name]():
        yield {str(name): value for name, value in features.items()}, label


def read_csv(path: Path, label: str | None = None) -> Iterator[Pair]:
    """The rows of a CSV file with a header, plain or gzipped, in their order.

    The label is the column of that name, or the last one; it stays a text. A column is numeric if its first value is a number;
    empty cells, and numbers that are not finite, are missing values. Raises `Invalid` where the file has no such column.
    """
    with _opened(path) as file:
        rows = csv.DictReader(file)
        names = list(rows.fieldnames or ())
        target = label if label is not None else (names or [""])[-1]
        if target not in names:
            raise Invalid("", f"{path.name} has no column {target!r}; there are {', '.join(names) or 'none'}")
        numeric: dict[str, bool] = {}
        for row in rows:
            yield {name: _value(name, text, numeric) for name, text in row.items() if name != target}, row[target]


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _value(name: str, text: str, numeric: dict[str, bool]) -> Scalar:
    if not text:
        return None
    number = _number(text)
    if numeric.setdefault(name, number is not None):
        return text if number is None else number if math.isfinite(number) else None
    return text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
