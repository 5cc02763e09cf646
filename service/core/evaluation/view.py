"""What estimators look at: arrays that stay as they are while the service goes on. No figure is computed here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.core.evaluation.evidence import UNKNOWN, Evidence
from service.core.evaluation.traffic import SURE, UNCOVERED, Milestone, Traffic, since

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]

HISTORY = 6_000  # samples before the end of a window whose answers tell how far confidence can be trusted


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
    """A stream's traffic and evidence after `seen` samples, the last place of the `trail`; `rows` begin where they are needed."""

    seen: int
    trail: Sequence[Milestone]
    rows: Rows
    labels: Sequence[str]
    slices: Sequence[str]

    @classmethod
    def of(cls, seen: int, traffic: Traffic, evidence: Evidence, *, whole: bool) -> "View":
        """Copy what is needed for windows, or the `whole` history."""
        first = 0 if whole else int(np.searchsorted(np.frombuffer(evidence.places, np.uint64), max(0, seen - HISTORY)))
        return cls(seen, [*evidence.trail, (seen, *traffic.state())], rows_from(evidence, first), list(evidence.labels), evidence.slices)

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
    return rows_from(evidence, len(evidence) - count)


def rows_from(evidence: Evidence, first: int) -> Rows:
    """Copy the questions from a row on."""
    guesses = [np.frombuffer(column, np.int32)[first:].copy() for column in evidence.guesses]
    return Rows(
        np.frombuffer(evidence.places, np.uint64)[first:].copy(),
        np.frombuffer(evidence.chances)[first:].copy(),
        np.frombuffer(evidence.kinds, np.uint8)[first:].copy(),
        np.frombuffer(evidence.explored, np.uint8)[first:].astype(np.bool_),
        np.frombuffer(evidence.predicted, np.int32)[first:].copy(),
        np.frombuffer(evidence.truths, np.int32)[first:].copy(),
        np.frombuffer(evidence.losses)[first:].copy(),
        guesses,
        evidence.parts[first:] if evidence.slices else [],
    )


def usable(rows: Rows) -> Flags:
    """Which questions may speak for others: answered, not erased, and asked at a chance that counts."""
    return np.logical_and(rows.answered, rows.kinds < UNCOVERED)
