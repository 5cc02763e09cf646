"""How far labels lie from what was predicted, and an interval that holds for all traffic whatever the model is. It knows no model."""

from collections import deque
from math import sqrt
from typing import Final

MISSES: Final = 0.05  # of the intervals of 95 %
_KEPT = 200  # residuals
_FORGETTING = 0.98  # of a residual's weight that the next one leaves
_FEWEST = 20.0  # residuals of equal weight that an interval takes: fewer say nothing of one case in twenty
_LEAST = 0.2  # chance by which a weight is divided: a residual counts for five others at most
_STEP = 0.05  # of the share of misses that is aimed at, a residual of mean weight
_WILDEST, _TINIEST = 1e6, 1e-300  # a score at most; a deviation at least, for labels that were all the same have none
_AIMS = (0.005, 0.2)  # between which that share lies


class Residuals:
    """The last residuals of answered questions, in deviations, each weighed by the samples that it stands for.

    Questions are no fair sample of the traffic, so a residual weighs 1 / its probability of being asked, within bounds: conformal
    quantiles under covariate shift (Tibshirani, Barber, Candès, Ramdas, Conformal Prediction Under Covariate Shift, 2019, with the
    test point's own weight taken as the mean one). Older ones weigh less (Barber, Candès, Ramdas, Tibshirani, Conformal Prediction Beyond
    Exchangeability, 2023), and the level of the quantile follows the misses there were, so that intervals hold under drift as
    well (Gibbs and Candès, Adaptive Conformal Inference Under Distribution Shift, 2021).
    """

    def __init__(self) -> None:
        """Start with none."""
        self.reach: float | None = None  # deviations to either side of a prediction; None while too little is known
        self.deviation: float | None = None  # root mean square of the last residuals, in the label's unit
        self._aim = MISSES
        self._last: deque[tuple[float, float, float]] = deque(maxlen=_KEPT)  # in deviations; in the label's unit squared; weight

    def see(self, error: float, deviation: float | None, chance: float) -> None:
        """Take in how far a label lies from its prediction (made before it was learned), and the chance it had of being asked for."""
        weight = 1.0 / max(chance, _LEAST)
        score = 0.0 if deviation is None or not error else min(_WILDEST, abs(error) / max(deviation, _TINIEST))
        if self.reach is not None:
            self._follow(score > self.reach, weight)
        self._last.append((score, error * error, weight))
        weights = [weight * _FORGETTING**age for age, (_, _, weight) in enumerate(reversed(self._last))][::-1]
        total = sum(weights)
        self.deviation = sqrt(sum(weight * squared for weight, (_, squared, _) in zip(weights, self._last, strict=True)) / total)
        enough = total * total >= _FEWEST * sum(weight * weight for weight in weights)
        self.reach = self._quantile(weights, total) if enough else None

    def _follow(self, missed: bool, weight: float) -> None:
        """Aim at fewer misses after a miss, at more after a hit."""
        step = _STEP * weight * len(self._last) / sum(weight for _, _, weight in self._last)
        low, high = _AIMS
        self._aim = min(high, max(low, self._aim + step * (MISSES - missed)))

    def _quantile(self, weights: list[float], total: float) -> float:
        """The smallest score that enough weight lies at or below, as if the next sample's were the largest; at most the largest."""
        wanted = (1.0 - self._aim) * (total + total / len(weights))
        below = 0.0
        for score, weight in sorted(zip((score for score, _, _ in self._last), weights, strict=True)):
            below += weight
            if below >= wanted:
                return score
        return max(score for score, _, _ in self._last)
