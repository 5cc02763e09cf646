"""Rows become labels with their features, go to the service, and are counted by what became of them. Nothing is shown here."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from service.client import Client, Label, Outcome, Problem
from service.client.errors import is_busy, refusal
from service.tabular import Row, Table, apart, stem

_KEPT = 100  # refused rows whose reasons are remembered
_LONGEST_STEM = 100  # characters of an id that come from the file's name


class Refusal(NamedTuple):
    """A row that the service did not take, and why."""

    line: int
    detail: str


@dataclass(slots=True)
class Tally:
    """What became of the rows."""

    outcomes: Counter[str] = field(default_factory=Counter)
    without_label: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)  # the first ones

    @property
    def answered(self) -> int:
        """Rows that the service took or refused."""
        return self.outcomes.total() + self.refused

    def count(self, line: int, answer: Outcome | Problem) -> None:
        """Another row was answered."""
        if isinstance(answer, Outcome):
            self.outcomes[answer.outcome] += 1
            return
        self.refused += 1
        if len(self.refusals) < _KEPT:
            self.refusals.append(Refusal(line, answer.sentence))


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns mean; without a column of ids, a row's id is the file's name and its number."""

    file: Path
    label: str
    id: str | None
    labeler: str | None

    @property
    def needed(self) -> Sequence[str]:
        """The columns that must be there."""
        return (self.label,) if self.id is None else (self.id, self.label)

    def label_of(self, number: int, row: Row) -> Label | None:
        """A row, the `number`th from 1, as a label with its features; None without a label."""
        cells = dict(row.cells)
        label = cells.pop(self.label)
        sample_id = f"{stem(self.file)[:_LONGEST_STEM]}-{number}" if self.id is None else cells.pop(self.id)
        if label is None:
            return None
        features, stated = apart(cells)
        return Label("" if sample_id is None else str(sample_id), label, self.labeler, features=features, probabilities=stated)


class Lesson:
    """Sends a table's rows, in their order, one request after the other, so that the model learns them in that order."""

    def __init__(self, client: Client, stream: str, columns: Columns, *, chunk: int) -> None:
        """Begin with nothing counted; `chunk` is in rows a request."""
        self.tally = Tally()
        self._client = client
        self._stream = stream
        self._columns = columns
        self._chunk = chunk
        self._sent: deque[int] = deque()  # lines of the rows that are not answered yet

    def teach(self, table: Table) -> Iterator[Tally]:
        """Send everything; gives the tally after every row. Raises `ClientError` and `BadFile`.

        A row that the server stays short of something for ends it: those that follow would be learned before it.
        """
        for answer in self._client.labels(self._stream, self._labels(table), chunk=self._chunk):
            if is_busy(answer):
                raise refusal(answer)
            self.tally.count(self._sent.popleft(), answer)
            yield self.tally

    def _labels(self, table: Table) -> Iterator[Label]:
        for number, row in enumerate(table.rows, 1):
            label = self._columns.label_of(number, row)
            if label is None:
                self.tally.without_label += 1
            else:
                self._sent.append(row.line)
                yield label
