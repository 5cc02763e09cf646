"""A file of labels by id. It reads and checks; nothing is sent."""

from collections.abc import Iterator
from pathlib import Path

from service.tabular import BadFile, Row, table

Label = str | int | float | bool


def read_labels(path: Path, id_column: str = "id", label_column: str = "label") -> dict[str, Label]:
    """The labels by id; an id that stands there twice has its last label, a row without a label is as good as none.

    Raises `BadFile` for a file that is missing or damaged, or has no such column.
    """
    with table(path, (id_column, label_column)) as found:
        return dict(_labels(path, found.rows, id_column, label_column))


def _labels(path: Path, rows: Iterator[Row], id_column: str, label_column: str) -> Iterator[tuple[str, Label]]:
    for number, row in rows:
        sample_id, label = row[id_column], row[label_column]
        if label is None:
            continue
        if not isinstance(label, str | int | float | bool) or not isinstance(sample_id, str | int):
            raise BadFile(f"{path.name}, line {number}: an id is a text, a label a text, a number or a boolean")
        yield str(sample_id), label
