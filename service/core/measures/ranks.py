"""From a number without a scale to a utility: its rank among the last ones. What the number means is said elsewhere."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Sequence
from math import isnan


class Ranks:
    """The empirical distribution function of the last `size` numbers, equals counted half; what is no number counts as 0."""

    def __init__(self, size: int) -> None:
        """Start with no numbers."""
        self._recent: deque[float] = deque(maxlen=size)
        self._ordered: list[float] = []

    def observe(self, number: float) -> float:
        """Return the share of the last numbers that this one exceeds, itself counted as an equal; then it is one of them.

        >>> ranks = Ranks(3)
        >>> [ranks.observe(number) for number in (5.0, 7.0, 7.0, 6.0)]
        [0.5, 0.75, 0.6666666666666666, 0.375]
        """
        if isnan(number):
            number = 0.0
        ordered, recent = self._ordered, self._recent
        below, upto = bisect_left(ordered, number), bisect_right(ordered, number)
        share = 0.5 * (below + upto + 1) / (len(ordered) + 1)
        if len(recent) == recent.maxlen:
            del ordered[bisect_left(ordered, recent[0])]
        recent.append(number)
        insort(ordered, number)
        return share

    def state(self) -> list[float]:
        """Return the numbers, oldest first."""
        return list(self._recent)

    def restore(self, state: Sequence[float]) -> None:
        """Continue with the numbers."""
        self._recent = deque(state, maxlen=self._recent.maxlen)
        self._ordered = sorted(self._recent)
