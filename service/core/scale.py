"""The running mean and deviation of one column of numbers. It knows no features; columns of samples are `service.core.columns`."""

from collections.abc import Sequence
from math import sqrt
from statistics import median_low
from typing import Any

_WARM_UP = 16  # values of which the first scale is taken robustly, by median and absolute deviation
WIDE = 10.0  # deviations beyond which a value is cut before a scale learns from it
CLIP = 8.0  # deviations beyond which a scaled value is cut
_NORMAL = 1.4826  # median absolute deviations in a standard deviation


class Scale:
    """The running mean and deviation of one numeric column, learned from values cut at ten deviations.

    Welford's recurrence. The first values are kept and cut around their median, so that a wild one is harmless even where it
    comes first; a column that was constant so far lets a change of ten times its size through.
    """

    __slots__ = ("count", "deviation", "first", "mean", "squares")

    def __init__(self) -> None:
        """Start with no values."""
        self.count = 0
        self.mean = self.squares = self.deviation = 0.0
        self.first: list[float] | None = []

    def learn(self, value: float) -> None:
        """Take one value in."""
        if self.first is not None:
            self._warm_up(value)
        else:
            self._add(self.cut(value))
            self.deviation = sqrt(self.squares / self.count)

    def cut(self, value: float) -> float:
        """Return the value, cut at ten deviations around the mean."""
        width = WIDE * (self.deviation or max(1.0, abs(self.mean)))
        return min(max(value, self.mean - width), self.mean + width)

    def scaled(self, value: float) -> float:
        """Return (value - mean) / deviation, cut at 8; 0 while all values were equal."""
        if not self.deviation:
            return 0.0
        return min(max((value - self.mean) / self.deviation, -CLIP), CLIP)

    def observe_all(self, name: str, values: Sequence[float], vectors: Sequence[dict[str, Any]]) -> None:
        """Learn values, and put each, scaled by what is known up to it, into its vector; the scale is past its first values."""
        count, mean, squares, deviation = self.count, self.mean, self.squares, self.deviation
        for value, vector in zip(values, vectors, strict=True):
            delta = value - mean
            width = WIDE * deviation
            if -width < delta < width:
                count += 1
                mean += delta / count
                rest = value - mean
                squares += delta * rest
                deviation = sqrt(squares / count)
                scaled = rest / deviation
                vector[name] = scaled if -CLIP < scaled < CLIP else min(max(scaled, -CLIP), CLIP)
            else:
                self.count, self.mean, self.squares, self.deviation = count, mean, squares, deviation
                self.learn(float(value))
                vector[name] = self.scaled(float(value))
                count, mean, squares, deviation = self.count, self.mean, self.squares, self.deviation
        self.count, self.mean, self.squares, self.deviation = count, mean, squares, deviation

    def without(self, value: float) -> "Scale | None":
        """Return the scale as if the value had never been among the first ones; None where nothing is left.

        A later value cannot be told from the mean and the deviation, and stays in them.
        """
        if self.first is None or value not in self.first:
            return self
        scale = Scale()
        for other in self.first:
            if other != value:
                scale.learn(other)
        return scale if scale.count else None

    def _warm_up(self, value: float) -> None:
        first = [*(self.first or ()), value]
        middle = median_low(first)
        spread = _NORMAL * median_low([abs(item - middle) for item in first])
        width = WIDE * (spread or max(1.0, abs(middle)))
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        for item in first:
            self._add(min(max(item, middle - width), middle + width))
        self.deviation = sqrt(self.squares / self.count)
        self.first = first if len(first) < _WARM_UP else None

    def _add(self, value: float) -> None:
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self.squares += delta * (value - self.mean)

    def state(self) -> list[Any]:
        """Return all that moves."""
        return [self.count, self.mean, self.squares, self.first]

    @classmethod
    def of(cls, state: list[Any]) -> "Scale":
        """Continue what `state` gave."""
        scale = cls()
        scale.count, scale.mean, scale.squares, scale.first = state
        scale.deviation = sqrt(scale.squares / scale.count) if scale.count else 0.0
        return scale
