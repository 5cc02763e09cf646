"""The labelled data as Parquet, by way of pyarrow (extra `parquet`): a type for every column. Where the bytes go is not decided here."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from service.core.features import Scalar
from service.export.data import LabelledData, Row, Track
from service.export.text import PREFIX, plain
from service.tabular import PROBABILITY

_CELLS = 1_000_000  # in a row group, which is held in memory
_MOST_ROWS = 10_000  # in a row group
_EXACT = 2**53  # up to here every integer is a float, too

_TIME = pa.timestamp("us", tz="UTC")
_FIXED = {
    "sample_id": pa.string(),
    "label": pa.string(),
    "labeler": pa.string(),
    "votes": pa.list_(pa.struct({"labeler": pa.string(), "label": pa.string()})),
    "labeled_at": _TIME,
    "learned_at": _TIME,
    "asked": pa.bool_(),
    "synthetic": pa.bool_(),
    "probability": pa.float64(),
    "reason": pa.string(),
    "utility": pa.float64(),
    "predicted": pa.string(),
    "confidence": pa.float64(),
    "asked_at": _TIME,
}


def write(data: LabelledData, file: BinaryIO, track: Track) -> None:
    """One column a field of the row, a feature and a class of the caller's own model.

    A feature's is of booleans, integers, floats, lists or, where it is mixed, strings.
    """
    types, classes = _types(data, track)
    stated = {PROBABILITY + name: pa.float64() for name in classes}
    schema = pa.schema({**_FIXED, **{PREFIX + name: kind for name, kind in types.items()}, **stated})
    rows = iter(track(data.rows(), len(data), "writing"))
    most = max(1, min(_MOST_ROWS, _CELLS // len(schema)))
    with pq.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, most)):
            writer.write_batch(pa.record_batch([*_columns(group, types), *_probabilities(group, classes)], schema=schema))


def _types(data: LabelledData, track: Track) -> tuple[dict[str, Any], list[str]]:
    """The types of the features, and the classes that have probabilities."""
    kinds: dict[str, set[str]] = {}
    classes: dict[str, None] = {}
    for features, probabilities in track(data.contents(), len(data), "finding columns"):
        classes |= dict.fromkeys(probabilities)
        for name, value in features.items():
            kinds.setdefault(name, set()).add(_kind(value))
    return {name: _type(found - {"NoneType"}) for name, found in kinds.items()}, list(classes)


def _probabilities(rows: list[Row], classes: list[str]) -> Iterator[Any]:
    stated = [row.probabilities or {} for row in rows]
    return (pa.array([said.get(name) for said in stated], pa.float64()) for name in classes)


def _kind(value: Scalar) -> str:
    return "large" if type(value) is int and abs(value) > _EXACT else type(value).__name__


def _type(kinds: set[str]) -> Any:
    if kinds == {"bool"}:
        return pa.bool_()
    if kinds == {"bytes"}:
        return pa.list_(pa.float32())
    if kinds and kinds <= {"int", "large"}:
        return pa.int64()
    return pa.float64() if kinds and kinds <= {"int", "float"} else pa.string()


def _columns(rows: list[Row], types: dict[str, Any]) -> Iterator[Any]:
    for name, kind in _FIXED.items():
        values = [getattr(row, name) for row in rows]
        yield pa.array(_times(values) if kind == _TIME else msgspec.to_builtins(values), kind)
    for name, kind in types.items():
        features = [row.features.get(name) for row in rows]
        yield pa.array([None if value is None else plain(value) for value in features] if kind == pa.string() else features, kind)


def _times(values: list[str | None]) -> list[datetime | None]:
    return [None if value is None else datetime.fromisoformat(value) for value in values]
