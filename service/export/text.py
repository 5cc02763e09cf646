"""The labelled data as JSON lines and as CSV (RFC 4180): exact values, UTF-8. Where the bytes go is not decided here."""

import csv
import io
from typing import BinaryIO

import msgspec

from service.core.features import Scalar
from service.export.data import LabelledData, Row, Track
from service.tabular import PROBABILITY

PREFIX = "feature."
FIXED = tuple(name for name in Row.__struct_fields__ if name not in {"features", "probabilities"})


def write_jsonl(data: LabelledData, file: BinaryIO, track: Track) -> None:
    """One object a row; `features` is an object of its own, and so is `probabilities` where there are any."""
    file.writelines(msgspec.json.encode(row) + b"\n" for row in track(data.rows(), len(data), "writing"))


def write_csv(data: LabelledData, file: BinaryIO, track: Track) -> None:
    """A header, then one record a row; features stand in columns `feature.NAME`, in order of first appearance.

    Behind them the probabilities of the caller's own model stand in columns `probability:CLASS`. An empty field is null, a missing
    feature or an empty text; `votes` is a JSON text.
    """
    names: dict[str, None] = {}
    classes: dict[str, None] = {}
    for features, probabilities in track(data.contents(), len(data), "finding columns"):
        names |= dict.fromkeys(features)
        classes |= dict.fromkeys(probabilities)
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([*FIXED, *(PREFIX + name for name in names), *(PROBABILITY + name for name in classes)])
    for row in track(data.rows(), len(data), "writing"):
        fixed = (plain(getattr(row, name)) for name in FIXED)
        stated = row.probabilities or {}
        writer.writerow([*fixed, *(plain(row.features.get(name)) for name in names), *(plain(stated.get(name)) for name in classes)])
    text.detach()


def plain(value: Scalar | list[object]) -> str:
    """A value as text: numbers as JSON has them, `true` and `false`, nothing for null.

    >>> [plain(value) for value in (0.1, 5, True, None, "a b", [])]
    ['0.1', '5', 'true', '', 'a b', '[]']
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
