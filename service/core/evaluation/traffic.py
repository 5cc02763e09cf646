"""All samples, asked or not, counted by how sure the model was of them: decision state, a few additions a sample.

How many samples there were of each kind is what the estimators need of samples that nobody was asked about. The last ones are kept
one by one, a byte each, so that windows are exact; of older ones only the counts stay.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

BOUNDS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)  # between kinds, in the model's confidence
SURE: Final = len(BOUNDS) + 1  # kinds of samples with a prediction
BLANK: Final = SURE  # the model knew nothing: wrong, whatever the label
UNCOVERED: Final = SURE + 1  # nothing could be asked
GONE: Final = SURE + 2  # of a question: its sample was erased
KINDS: Final = SURE + 2

WINDOW: Final = 2_000  # samples that are kept one by one
LEAST: Final = 1e-4  # a smaller chance of being asked counts as none


Milestone = tuple[int, list[int], float]  # a place, and what `Traffic.state` gave there


class Traffic:
    """Counts of samples by kind, since the start and one by one for the last 2,000.

    A sample's cost is (1 - p) / p, p its propensity: what not asking it adds to the variance of a sum.
    """

    __slots__ = ("_costs", "_gaps", "_kinds", "_total", "counts", "known")

    def __init__(self) -> None:
        """Start with no sample."""
        self.counts = [0] * KINDS
        self.known = 0  # the samples after this place are known one by one, as far as the window goes
        self._total = 0.0
        self._kinds = bytearray(WINDOW)
        self._costs = array("d", bytes(8 * WINDOW))
        self._gaps: Sequence[Milestone] = ()

    def see(self, place: int, confidence: float | None, probability: float) -> None:
        """Count the sample at this place (the samples seen so far, itself included)."""
        at = place % WINDOW
        if probability < LEAST:
            kind, cost = UNCOVERED, 0.0
        elif confidence is None:
            kind, cost = BLANK, 0.0
        else:
            kind, cost = bisect_right(BOUNDS, confidence), 1.0 / probability - 1.0
            self._total += cost
        self.counts[kind] += 1
        self._kinds[at] = kind
        self._costs[at] = cost

    def state(self) -> tuple[list[int], float]:
        """Return the counts and the sum of all costs."""
        return list(self.counts), self._total

    def restore(self, trail: Sequence[Milestone]) -> None:
        """Continue after the last of these milestones. Between two of them sums are exact; in which order samples came is not known."""
        self.__init__()  # type: ignore[misc]
        if trail:
            self.known = trail[0][0]
            _, counts, self._total = trail[-1]
            self.counts = list(counts)
            self._gaps = trail

    def last(self, seen: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Kinds and costs of the last samples, at most 2,000, in their order, after so many were seen."""
        for (after, early, low), (upto, late, high) in pairwise(self._gaps):
            self._fill(max(after, seen - WINDOW), upto, [now - then for now, then in zip(late, early, strict=True)], high - low)
        self._gaps = ()
        at = np.arange(max(self.known, seen - WINDOW, 0) + 1, seen + 1) % WINDOW
        return np.frombuffer(self._kinds, np.uint8)[at], np.frombuffer(self._costs)[at]

    def _fill(self, after: int, upto: int, counts: Sequence[int], costs: float) -> None:
        """Spread what came in a gap evenly over its places, every sample with a prediction at the same cost."""
        cost = costs / max(1, sum(counts[:SURE]))
        every = sum(counts) or 1
        owed = [0.0] * KINDS
        for place in range(after + 1, upto + 1):
            owed = [debt + count / every for debt, count in zip(owed, counts, strict=True)]
            kind = owed.index(max(owed))
            owed[kind] -= 1.0
            self._kinds[place % WINDOW] = kind
            self._costs[place % WINDOW] = cost if kind < SURE else 0.0


def kind_of(confidence: float | None, probability: float) -> int:
    """The kind of a sample, as `Traffic.see` counts it.

    >>> kind_of(0.55, 0.1), kind_of(None, 0.1) == BLANK, kind_of(0.9, 0.0) == UNCOVERED
    (1, True, True)
    """
    if probability < LEAST:
        return UNCOVERED
    return BLANK if confidence is None else bisect_right(BOUNDS, confidence)
