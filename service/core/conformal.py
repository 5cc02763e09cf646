"""How far labels lie from what was predicted, and an interval that holds for all traffic whatever the model is. It knows no model."""

from collections import deque
from math import sqrt
from typing import Final

MISSES: Final = 0.05  # of the intervals of 95 %
_KEPT = 500  # residuals
_FEWEST = 20.0  # residuals of equal weight that an interval takes: fewer say nothing of one case in twenty
_STEP = 0.01  # of the level, a residual of mean weight
_HEAVIEST = 5.0  # mean weights that count in a step
_LEAST = 0.01  # chance by which a weight is divided
_LEVELS = (0.005, 0.2)  # between which the share of misses is aimed at


class Residuals:
    """The last residuals of answered questions, in deviations, each weighed by the samples that it stands for.

    Questions are no fair sample of the traffic, so a residual weighs 1 / its probability of being asked: conformal quantiles under
    covariate shift (Tibshirani, Barber, Candès, Ramdas, Conformal Prediction Under Covariate Shift, 2019, with the test point's own weight
    taken as the mean one). The level at which the quantile is taken follows the misses there were, so that intervals hold under
    drift as well (Gibbs and Candès, Adaptive Conformal Inference Under Distribution Shift, 2021).
    """

    def __init__(self) -> None:
        """Start with none."""
        self.reach: float | None = None  # deviations to either side of a prediction; None while too little is known
        self.deviation: float | None = None  # root mean square of the last residuals, in the label's unit
        self._aim = MISSES
        self._last: deque[tuple[float, float, float]] = deque(maxlen=_KEPT)  # in deviations, in the label's unit squared, weight

    def see(self, error: float, deviation: float | None, chance: float) -> None:
        """Take in how far a label lies from its prediction (made before it was learned), and the chance it had of being asked for."""
        weight = 1.0 / max(chance, _LEAST)
        score = abs(error) / deviation if deviation else 0.0
        self._move(score, weight)
        self._last.append((score, error * error, weight))
        total = sum(weight for _, _, weight in self._last)
        self.deviation = sqrt(sum(weight * squared for _, squared, weight in self._last) / total)
        squares = sum(weight * weight for _, _, weight in self._last)
        self.reach = self._quantile(total) if total * total >= _FEWEST * squares else None

    def _move(self, score: float, weight: float) -> None:
        """Aim at fewer misses after a miss, at more after a hit."""
        if self.reach is None:
            return
        mean = sum(weight for _, _, weight in self._last) / len(self._last)
        step = _STEP * min(_HEAVIEST, weight / mean)
        low, high = _LEVELS
        self._aim = min(high, max(low, self._aim + step * (MISSES - (score > self.reach))))

    def _quantile(self, total: float) -> float:
        """The smallest score that enough weight lies at or below, as if the next sample's were the largest; at most the largest."""
        wanted = (1.0 - self._aim) * (total + total / len(self._last))
        below = 0.0
        for score, _, weight in sorted(self._last):
            below += weight
            if below >= wanted:
                return score
        return max(score for score, _, _ in self._last)
