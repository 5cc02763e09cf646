"""Counts of what happens often, in plain numbers: a fraction of a microsecond each. What is made of them at a scrape is elsewhere."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

QUICK = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1, 1.0)  # seconds


class Times:
    """How long something took, in buckets with these upper bounds in seconds."""

    __slots__ = ("bounds", "buckets", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start with none."""
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def cumulated(self) -> list[tuple[str, float]]:
        """How many took at most so long, by bound, as a histogram has them."""
        return list(zip([*map(str, self.bounds), "+Inf"], accumulate(self.buckets), strict=True))


class Tally:
    """What was decided in one stream: samples by reason, and the times it took."""

    __slots__ = ("reasons", "times")

    def __init__(self) -> None:
        """Start with no sample."""
        self.reasons: dict[str, int] = {}
        self.times = Times(QUICK)
