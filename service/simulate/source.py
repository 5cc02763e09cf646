"""A labelled file as a stream: which column is the label, what the classes are, row after row. It is checked here and learned elsewhere."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from service.core.config import MAX_CLASSES
from service.core.embeddings import MAX_EMBEDDINGS, check_embeddings, pack_embeddings
from service.core.errors import Invalid
from service.core.features import Features, check_features, label_text
from service.core.stated import Probabilities, check_stated
from service.simulate.run import Stated
from service.tabular import PROBABILITY, BadFile, Row, apart, columns, table, value

LABELS = ("label", "target", "class", "y")  # names of a label's column, the likeliest first

_MOST_ROWS = 200_000  # unless told otherwise
_MOST_CELLS = 3_000_000  # the same; a third of a gigabyte in every process
_PROSE = 4  # words of a cell, in the mean, that make a column prose
_LOOKED_AT = 200  # rows


class Source(NamedTuple):
    """A file, the column of its labels, and how many rows are read of it."""

    path: Path
    label: str
    limit: int


class Survey(NamedTuple):
    """What stands in the rows that are read: how many, whether more follow, samples a class, columns, those that hold prose or arrays.

    `unstated` rows have no probabilities of another model.
    """

    rows: int
    cut: bool
    classes: dict[str, int]
    features: Sequence[str]
    prose: Sequence[str]
    embeddings: Mapping[str, int] = {}  # columns of arrays, and how many numbers they have
    unstated: int = 0

    @property
    def majority(self) -> tuple[str, float]:
        """The most frequent class, and its share."""
        name = max(self.classes, key=self.classes.__getitem__)
        return name, self.classes[name] / self.rows


def source(path: Path, label: str | None, rows: int | None) -> Source:
    """Find the column of the labels: the one named, one called as labels are, or the last. Raises `BadFile`."""
    names = columns(path)
    if not names:
        raise BadFile(f"{path.name} has no rows; give a file with a row a sample")
    if label is not None and label not in names:
        raise BadFile(f"{path.name} has no column {label!r}; there are {', '.join(names)}")
    found = label if label is not None else label_among(names)
    return Source(path, found, rows or min(_MOST_ROWS, max(1, _MOST_CELLS // _width(path))))


def _width(path: Path) -> int:
    with table(path, ()) as rows:
        return sum(len(cell) if isinstance(cell, list) else 1 for cell in next(rows.rows).cells.values())


def label_among(names: Sequence[str]) -> str:
    """The column that holds the labels, by its name; failing that, the last.

    >>> label_among(["Class", "x", "y"]), label_among(["a", "b"])
    ('Class', 'b')
    """
    plain = {name.strip().lower(): name for name in reversed(names)}
    last = next((name for name in reversed(names) if not name.startswith(PROBABILITY)), names[-1])
    return next((plain[name] for name in LABELS if name in plain), last)


def samples(origin: Source) -> Iterator[Stated]:
    """The file's rows as features, label text and probabilities, in their order, up to the limit. Raises `BadFile` with the line."""
    reader = _Reader(origin)
    with table(origin.path, (origin.label,)) as rows:
        yield from map(reader.pair, islice(rows.rows, origin.limit))


def survey(origin: Source) -> Survey:
    """Read everything once, keep nothing, and raise `BadFile` where it is of no use: no rows, one class, numbers for labels."""
    classes: Counter[str] = Counter()
    first: list[Features] = []
    reader = _Reader(origin)
    unstated = 0
    with table(origin.path, (origin.label,)) as rows:
        for features, label, stated in map(reader.pair, islice(rows.rows, origin.limit)):
            classes[str(label)] += 1
            unstated += stated is None
            if len(first) < _LOOKED_AT:
                first.append(features)
        cut = next(rows.rows, None) is not None
    _check_classes(origin, classes)
    names = list(dict.fromkeys(name for features in first for name in features))
    if not names and unstated:
        raise BadFile(f"{origin.path.name} has no column beside the label {origin.label!r}: there is nothing to predict from")
    prose = [name for name in names if _is_prose(name, first)]
    return Survey(classes.total(), cut, dict(classes), names, prose, reader.embeddings, unstated)


def _check_classes(origin: Source, classes: Counter[str]) -> None:
    where = f"{origin.path.name}: column {origin.label!r}"
    if len(classes) == 1:
        raise BadFile(f"{where} says {next(iter(classes))!r} in every row; it takes two classes, so name the labels' column with --label")
    if len(classes) > MAX_CLASSES:
        raise BadFile(f"{where} has {len(classes):,} different labels, and {MAX_CLASSES:,} are the most; name another with --label")


def _is_prose(name: str, first: Sequence[Features]) -> bool:
    texts = [text for features in first if isinstance(text := features.get(name), str)]
    return bool(texts) and sum(len(text.split()) for text in texts) >= _PROSE * len(texts)


class _Reader:
    """Makes samples of rows, and remembers which labels are sound."""

    def __init__(self, origin: Source) -> None:
        self._origin = origin
        self._labels: dict[Any, str] = {}
        self.embeddings: dict[str, int] = {}  # of the arrays that came so far
        self._csv = ".csv" in origin.path.suffixes[-2:]

    def pair(self, row: Row) -> Stated:
        cells = row.cells
        raw = cells.pop(self._origin.label)
        known = self._labels.get(raw) if isinstance(raw, str) else None
        label = known if known is not None else self._label(raw, row.line)
        plain, stated = apart(cells)
        features = {name: _cell(cell) for name, cell in plain.items()}
        try:
            self._embed(features)
            check_features(features, "", apart=self.embeddings)
        except Invalid as error:
            raise self._bad(row.line, f"column {error.pointer.removeprefix('/')!r}: {error.detail}") from None
        return features, label, None if stated is None else self._probabilities(stated, row.line)

    def _probabilities(self, stated: dict[str, Any], line: int) -> Probabilities:
        wrong = next((name for name, cell in stated.items() if cell.__class__ not in (int, float)), None)
        if wrong is not None:
            raise self._bad(line, f"column {PROBABILITY + wrong!r}: a probability is a number")
        probabilities = {intern(name): float(cell) for name, cell in stated.items()}
        try:
            check_stated(probabilities, "")
        except Invalid as error:
            where = f"column {PROBABILITY + error.pointer[1:]!r}" if error.pointer else f"columns {PROBABILITY}CLASS"
            raise self._bad(line, f"{where}: {error.detail}") from None
        return probabilities

    def _embed(self, features: Features) -> None:
        for name, cell in features.items():
            if cell.__class__ is list and name not in self.embeddings and len(self.embeddings) < MAX_EMBEDDINGS:
                self.embeddings[name] = len(cell)
        check_embeddings(features, self.embeddings, "")
        pack_embeddings(features, self.embeddings, "")

    def _label(self, raw: Any, line: int) -> str:
        looks = value(raw) if self._csv and isinstance(raw, str) else raw
        if looks is None or (isinstance(looks, float) and not isfinite(looks)):
            raise self._bad(line, f"there is no label in column {self._origin.label!r}; take rows without one out of the file")
        if isinstance(looks, float) and not (self._csv and looks.is_integer()):
            advice = "make classes of it, or name another column with --label"
            raise self._bad(line, f"the label {raw!r} is a number with a fraction, and askwhen predicts classes: {advice}")
        try:
            text = intern(label_text(raw))
        except Invalid as error:
            raise self._bad(line, f"{error.detail}; name the labels' column with --label") from None
        if isinstance(raw, str):
            self._labels[raw] = text
        return text

    def _bad(self, line: int, detail: str) -> BadFile:
        return BadFile(f"{self._origin.path.name}, line {line}: {detail}")


def _cell(cell: Any) -> Any:
    if cell.__class__ is float:
        return cell if isfinite(cell) else None
    return intern(cell) if cell.__class__ is str else cell
