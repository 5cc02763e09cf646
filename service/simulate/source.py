"""A labelled file as a stream: which column is the label, what the classes are, row after row. It is checked here and learned elsewhere."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from pathlib import Path
from statistics import fmean, median
from sys import intern
from typing import Any, NamedTuple

from service.core.config import MAX_CLASSES, Task
from service.core.embeddings import MAX_EMBEDDINGS, check_embeddings, pack_embeddings
from service.core.errors import Invalid
from service.core.features import Features, check_features, label_text
from service.core.stated import Probabilities, check_stated
from service.core.tasks import REGRESSION, number_text
from service.simulate.run import Stated
from service.tabular import PROBABILITY, BadFile, Row, apart, columns, table, value

LABELS = ("label", "target", "class", "y")  # names of a label's column, the likeliest first

_MOST_ROWS = 200_000  # unless told otherwise
_MOST_CELLS = 3_000_000  # the same; a third of a gigabyte in every process
_PROSE = 4  # words of a cell, in the mean, that make a column prose
_LOOKED_AT = 200  # rows
_NOTICED = 2_000  # rows by which the task is told
_CLASSES = 50  # different whole numbers; more of them are no classes


class Source(NamedTuple):
    """A file, the column of its labels, how many rows are read of it, and whether labels are classes or numbers."""

    path: Path
    label: str
    limit: int
    task: Task = "classification"


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
    numbers: Sequence[float] = ()  # the labels in order of size, where they are numbers

    @property
    def constant(self) -> tuple[str, float]:
        """What is best said of every sample alike, and its score: the most frequent class and its share, or the median and its error."""
        if self.numbers:
            middle = median(self.numbers)
            return f"{middle:g}", -fmean(abs(label - middle) for label in self.numbers)
        name = max(self.classes, key=self.classes.__getitem__)
        return repr(name), self.classes[name] / self.rows

    @property
    def about(self) -> str:
        """What the labels are."""
        said, score = self.constant
        if self.numbers:
            return f"numbers from {self.numbers[0]:g} to {self.numbers[-1]:g} (regression; --task classification makes classes of them)"
        return f"{len(self.classes)} classes, {said} in {_percent(score)} of the rows"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def source(path: Path, label: str | None, rows: int | None, task: Task | None = "classification") -> Source:
    """Find the column of the labels: the one named, one called as labels are, or the last. Raises `BadFile`."""
    names = columns(path)
    if not names:
        raise BadFile(f"{path.name} has no rows; give a file with a row a sample")
    if label is not None and label not in names:
        raise BadFile(f"{path.name} has no column {label!r}; there are {', '.join(names)}")
    found = label if label is not None else label_among(names)
    limit = rows or min(_MOST_ROWS, max(1, _MOST_CELLS // _width(path)))
    return Source(path, found, limit, task or _noticed(path, found))


def _width(path: Path) -> int:
    with table(path, ()) as rows:
        return sum(len(cell) if isinstance(cell, list) else 1 for cell in next(rows.rows).cells.values())


def _noticed(path: Path, label: str) -> Task:
    """The task that a column of labels is for, by its first rows: numbers with a fraction, or too many of them to be classes."""
    seen: set[float] = set()
    with table(path, (label,)) as rows:
        for row in islice(rows.rows, _NOTICED):
            raw = row.cells[label]
            number = value(raw) if isinstance(raw, str) else raw
            if number.__class__ not in (int, float):
                return "classification"
            seen.add(float(number or 0.0))
    return REGRESSION if len(seen) > _CLASSES or any(not number.is_integer() for number in seen if isfinite(number)) else "classification"


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
    numbers: list[float] = []
    first: list[Features] = []
    reader = _Reader(origin)
    unstated = 0
    with table(origin.path, (origin.label,)) as rows:
        for features, label, stated in map(reader.pair, islice(rows.rows, origin.limit)):
            unstated += stated is None
            if origin.task == REGRESSION:
                numbers.append(float(label))
            else:
                classes[str(label)] += 1
            if len(first) < _LOOKED_AT:
                first.append(features)
        cut = next(rows.rows, None) is not None
    if origin.task == REGRESSION:
        _check_numbers(origin, numbers)
    else:
        _check_classes(origin, classes)
    names = list(dict.fromkeys(name for features in first for name in features))
    if not names and unstated:
        raise BadFile(f"{origin.path.name} has no column beside the label {origin.label!r}: there is nothing to predict from")
    prose = [name for name in names if _is_prose(name, first)]
    rows_read = classes.total() + len(numbers)
    return Survey(rows_read, cut, dict(classes), names, prose, reader.embeddings, unstated, sorted(numbers))


def _check_numbers(origin: Source, numbers: Sequence[float]) -> None:
    if len(set(numbers)) == 1:
        raise BadFile(f"{origin.path.name}: column {origin.label!r} says {numbers[0]:g} in every row: there is nothing to predict")


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
        self._numbers = origin.task == REGRESSION
        self._csv = ".csv" in origin.path.suffixes[-2:]

    def pair(self, row: Row) -> Stated:
        cells = row.cells
        raw = cells.pop(self._origin.label)
        known = self._labels.get(raw) if isinstance(raw, str) else None
        label: str | float = known if known is not None else self._number(raw, row.line) if self._numbers else self._label(raw, row.line)
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

    def _number(self, raw: Any, line: int) -> float:
        try:
            return float(number_text(raw))
        except Invalid:
            raise self._bad(line, f"the label {raw!r} is no finite number; take such rows out, or use --task classification") from None

    def _label(self, raw: Any, line: int) -> str:
        looks = value(raw) if self._csv and isinstance(raw, str) else raw
        if looks is None or (isinstance(looks, float) and not isfinite(looks)):
            raise self._bad(line, f"there is no label in column {self._origin.label!r}; take rows without one out of the file")
        if isinstance(looks, float) and not (self._csv and looks.is_integer()):
            advice = "make classes of it, use --task regression, or name another column with --label"
            raise self._bad(line, f"the label {raw!r} is a number with a fraction, and classes have none: {advice}")
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
