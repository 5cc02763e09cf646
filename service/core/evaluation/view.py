"""What estimators look at: arrays that stay as they are while the service goes on. No figure is computed here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.core.evaluation.evidence import UNKNOWN, Evidence
from service.core.evaluation.traffic import SURE, UNCOVERED, Milestone, Traffic, since

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]

HISTORY = 6_000  # samples before the end of a window whose answers tell how far confidence can be trusted
_PIECE = 10_000  # rows that are copied in about a millisecond


@dataclass(frozen=True, slots=True)
class Rows:
    """Questions, a row each, in the order of their samples; labels are codes, `UNKNOWN` where there is none.

    `parts` are the values of the slices; empty where there are no slices.
    """

    places: NDArray[np.uint64]
    chances: Floats
    kinds: NDArray[np.uint8]
    explored: Flags
    predicted: Codes
    truths: Codes
    losses: Floats
    inside: NDArray[np.uint8]
    guesses: Sequence[Codes]
    parts: Sequence[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.places)

    def of(self, chosen: Flags) -> "Rows":
        """Some of them."""
        at = np.flatnonzero(chosen)
        return Rows(
            self.places[at],
            self.chances[at],
            self.kinds[at],
            self.explored[at],
            self.predicted[at],
            self.truths[at],
            self.losses[at],
            self.inside[at],
            [guess[at] for guess in self.guesses],
            [self.parts[row] for row in at.tolist()] if self.parts else [],
        )

    @property
    def answered(self) -> Flags:
        """Which of them have a label."""
        return np.not_equal(self.truths, UNKNOWN)

    @property
    def correct(self) -> Floats:
        """1 where the prediction was right, 0 elsewhere."""
        return np.asarray((self.predicted == self.truths) & self.answered, np.float64)


@dataclass(frozen=True, slots=True)
class Population:
    """Samples of a stretch of traffic: how many there were of each kind, and the sum of their costs."""

    counts: Floats
    cost: float

    @property
    def n(self) -> int:
        """Samples."""
        return round(float(self.counts.sum()))

    @property
    def covered(self) -> float:
        """Samples that could have been asked about."""
        return float(self.counts[:UNCOVERED].sum())

    @property
    def predicted(self) -> float:
        """Samples of these of which the model said anything."""
        return float(self.counts[:SURE].sum())


@dataclass(frozen=True, slots=True)
class View:
    """A stream's traffic and evidence after `seen` samples, the last place of the `trail`; `rows` begin with the `first` that is needed."""

    seen: int
    trail: Sequence[Milestone]
    first: int
    rows: Rows
    labels: Sequence[str]
    slices: Sequence[str]
    chosen: int = 0  # answers to questions that no coin decided: they cost as much, and nothing else is claimed from them

    @classmethod
    def of(cls, seen: int, traffic: Traffic, evidence: Evidence, chosen: int = 0) -> "View":
        """Copy what is needed for windows."""
        first = int(np.searchsorted(np.frombuffer(evidence.places, np.uint64), np.uint64(max(0, seen - HISTORY))))
        trail, rows = [*evidence.trail, (seen, *traffic.state())], _rows(evidence, first, len(evidence))
        return cls(seen, trail, first, rows, list(evidence.labels), evidence.slices, chosen)

    def after(self, older: Sequence[Rows], labels: Sequence[str]) -> "View":
        """Return it with the rows before its own, and the labels as they were when the last of them was copied."""
        return replace(self, first=0, rows=_joined([*older, self.rows]), labels=labels)

    @property
    def total(self) -> Population:
        """All samples."""
        _, counts, cost = self.trail[-1]
        return Population(np.array(counts, np.float64), cost)

    def window(self, size: int) -> tuple[Population, Rows]:
        """The last samples, at most `size`, and the questions about them."""
        start = max(0, self.seen - size)
        counts, cost = since(self.trail, start)
        return Population(np.array(counts), cost), self.rows.of(self.rows.places > start)

    @property
    def history(self) -> Rows:
        """The questions that tell how far confidence can be trusted now."""
        return self.rows.of(self.rows.places > max(0, self.seen - HISTORY))


def last_rows(evidence: Evidence, count: int) -> Rows:
    """Copy the last questions."""
    return _rows(evidence, max(0, len(evidence) - count), len(evidence))


def pieces(evidence: Evidence, upto: int) -> Iterator[Rows]:
    """Copy the rows before one, some at a time: each piece is of the moment when it is drawn."""
    for first in range(0, upto, _PIECE):
        yield _rows(evidence, first, min(upto, first + _PIECE))


def whole(view: View, evidence: Evidence) -> View:
    """Return a view with the whole history, copied at once: it takes as long as there are questions."""
    return view.after(list(pieces(evidence, view.first)), list(evidence.labels))


def _rows(evidence: Evidence, first: int, last: int) -> Rows:
    guesses = [np.frombuffer(column, np.int32)[first:last].copy() for column in evidence.guesses]
    return Rows(
        np.frombuffer(evidence.places, np.uint64)[first:last].copy(),
        np.frombuffer(evidence.chances)[first:last].copy(),
        np.frombuffer(evidence.kinds, np.uint8)[first:last].copy(),
        np.frombuffer(evidence.explored, np.uint8)[first:last].astype(np.bool_),
        np.frombuffer(evidence.predicted, np.int32)[first:last].copy(),
        np.frombuffer(evidence.truths, np.int32)[first:last].copy(),
        np.frombuffer(evidence.losses)[first:last].copy(),
        np.frombuffer(evidence.inside, np.uint8)[first:last].copy(),
        guesses,
        evidence.parts[first:last] if evidence.slices else [],
    )


def _joined(pieces: Sequence[Rows]) -> Rows:
    return Rows(
        np.concatenate([rows.places for rows in pieces]),
        np.concatenate([rows.chances for rows in pieces]),
        np.concatenate([rows.kinds for rows in pieces]),
        np.concatenate([rows.explored for rows in pieces]),
        np.concatenate([rows.predicted for rows in pieces]),
        np.concatenate([rows.truths for rows in pieces]),
        np.concatenate([rows.losses for rows in pieces]),
        np.concatenate([rows.inside for rows in pieces]),
        [np.concatenate(guesses) for guesses in zip(*(rows.guesses for rows in pieces), strict=True)],
        [part for rows in pieces for part in rows.parts],
    )


def usable(rows: Rows) -> Flags:
    """Which questions may speak for others: answered, not erased, and asked at a chance that counts."""
    return np.logical_and(rows.answered, rows.kinds < UNCOVERED)
