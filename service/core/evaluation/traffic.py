"""All samples, asked or not, counted by how sure the model was of them: decision state, an addition or two a sample.

How many samples there were of each kind is what the estimators need of samples that nobody was asked about. Every question keeps the
counts of its moment, so what came between two of them is known for ever after, and no sample has to be remembered.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

BOUNDS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)  # between kinds, in the model's confidence
SURE: Final = len(BOUNDS) + 1  # kinds of samples with a prediction
BLANK: Final = SURE  # the model knew nothing: wrong, whatever the label
UNCOVERED: Final = SURE + 1  # nothing could be asked
GONE: Final = SURE + 2  # of a question: its sample was erased
KINDS: Final = SURE + 2

LEAST: Final = 1e-4  # a smaller chance of being asked counts as none

Milestone = tuple[int, list[int], float]  # samples seen, and what `Traffic.state` gave then


class Traffic:
    """Samples by kind since the start, and what not asking them costs.

    A sample's cost is (1 - p) / p, p its propensity: what not asking it adds to the variance of a sum.
    """

    __slots__ = ("_cost", "_counts")

    def __init__(self) -> None:
        """Start with no sample."""
        self._counts = [0] * KINDS
        self._cost = 0.0

    def see(self, confidence: float | None, probability: float) -> None:
        """Count a sample."""
        if probability < LEAST:
            self._counts[UNCOVERED] += 1
        elif confidence is None:
            self._counts[BLANK] += 1
        else:
            self._counts[bisect_right(BOUNDS, confidence)] += 1
            self._cost += 1.0 / probability - 1.0

    def state(self) -> tuple[list[int], float]:
        """Return the counts and the sum of all costs."""
        return list(self._counts), self._cost

    def restore(self, counts: Sequence[int], cost: float) -> None:
        """Continue what `state` gave; of nothing, from nothing."""
        self._counts, self._cost = list(counts) or [0] * KINDS, cost


def since(trail: Sequence[Milestone], place: int) -> tuple[list[float], float]:
    """What came after a place, up to the last milestone; within the gap around it, in proportion.

    >>> since([(0, [0, 0], 0.0), (10, [10, 0], 5.0), (20, [10, 10], 10.0)], 15)
    ([0.0, 5.0], 2.5)
    """
    _, last, paid = trail[-1]
    after = min(bisect_left(trail, place, key=lambda milestone: milestone[0]), len(trail) - 1)
    upto, late, high = trail[after]
    start, early, low = trail[max(0, after - 1)]
    share = (upto - place) / (upto - start) if upto > start else 0.0
    counts = [now - then + share * (then - before) for now, then, before in zip(last, late, early, strict=True)]
    return counts, paid - high + share * (high - low)


def kind_of(confidence: float | None, probability: float) -> int:
    """The kind of a sample, as `Traffic.see` counts it.

    >>> kind_of(0.55, 0.1), kind_of(None, 0.1) == BLANK, kind_of(0.9, 0.0) == UNCOVERED
    (1, True, True)
    """
    if probability < LEAST:
        return UNCOVERED
    return BLANK if confidence is None else bisect_right(BOUNDS, confidence)
