"""Recalibration of a model that somebody else trained: how far to trust its probabilities, learned from a few labels. It knows no stream.

Temperature scaling (Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, ICML 2017), with a share of lapses: answers
that are wrong however sure the model is, for a temperature alone cannot tell noise from overconfidence. Both numbers are known by their
whole posterior on a grid, not by a fit: no step can overshoot, whatever the model was sure of, and the order of labels does not
matter but for what is forgotten.
"""

from math import exp, fsum, log

import numpy as np
from numpy.typing import NDArray

from service.core.stated import Probabilities

_FAINT = 1e-15  # a smaller probability counts as this one
_LOWEST, _HIGHEST, _PLACES = log(1 / 64), log(4.0), 45  # the grid, in the logarithm of the exponent
_LOGS = tuple(_LOWEST + (_HIGHEST - _LOWEST) / (_PLACES - 1) * place for place in range(_PLACES))
_EXPONENTS = tuple(map(exp, _LOGS))
_LAPSES = (0.0, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8)  # the grid of shares
_RARE = 0.03  # mean of their exponential prior
_LEAST = 1e-300  # of a likelihood beside the greatest one: what was ruled out may come back

_LAPSING = np.array(_LAPSES)

Grid = NDArray[np.float64]  # by exponent and lapse


class Recalibration:
    """Says (1 - lapse) p^exponent / sum p^exponent + lapse / classes: whatever was likeliest stays so.

    Before any label the exponent's logarithm is normal around 0 with a deviation of `spread`, and lapses are rare. A label takes a
    share `drift` from what those before it said. Fewer than `warmup` labels leave the model `unproven`.
    """

    def __init__(self, spread: float = 1.0, drift: float = 0.0, warmup: int = 0) -> None:
        """Start at the identity."""
        self.exponent = 1.0
        self.lapse = 0.0
        self.labels = 0
        self.warmup = warmup
        self._prior = np.array([[exp(-0.5 * (place / spread) ** 2 - lapse / _RARE) for lapse in _LAPSES] for place in _LOGS])
        self._keep = 1.0 - drift
        self._likelihood: Grid = np.ones_like(self._prior)

    @property
    def unproven(self) -> bool:
        """Whether it is too early for the model's doubt to be a measure of anything."""
        return self.labels < self.warmup

    def predict_proba_one(self, x: Probabilities) -> Probabilities:
        """Return the recalibrated probabilities of one sample by class, the likeliest first once anything is learned; of none, none."""
        if not x:
            return {}
        if not self.labels:
            total = fsum(x.values())
            return {name: p / total for name, p in x.items()}
        top = max(x, key=x.__getitem__)
        highest = _log(x[top])
        powers = {top: 1.0} | {name: exp(self.exponent * (_log(p) - highest)) for name, p in x.items() if name != top}
        sound, even = (1.0 - self.lapse) / fsum(powers.values()), self.lapse / len(x)
        return {name: sound * power + even for name, power in powers.items()}

    def learn_one(self, x: Probabilities, y: str, w: float = 1.0) -> None:
        """Learn the label of one sample; a class that it did not name had the smallest probability that counts."""
        self.labels += 1
        truth = _log(x.get(y, 0.0))
        leads = [_log(p) - truth for name, p in x.items() if name != y]
        even = 1.0 / (1 + len(leads))
        sound = np.array([1.0 / (1.0 + fsum(exp(exponent * lead) for lead in leads)) for exponent in _EXPONENTS])
        told = (1.0 - _LAPSING) * sound[:, None] + _LAPSING * even
        self._likelihood = _power(self._likelihood, self._keep) * _power(told, w)
        self._likelihood /= self._likelihood.max()
        np.maximum(self._likelihood, _LEAST, out=self._likelihood)
        self._settle()

    def _settle(self) -> None:
        """Take the posterior means of the exponent's logarithm and of the lapse; sums go row by row, or are exact."""
        posterior = self._prior * self._likelihood
        exponents, lapses = np.ascontiguousarray(posterior.T).sum(axis=0).tolist(), posterior.sum(axis=0).tolist()
        total = fsum(exponents)
        self.exponent = exp(fsum(weight * place for weight, place in zip(exponents, _LOGS, strict=True)) / total)
        self.lapse = fsum(weight * lapse for weight, lapse in zip(lapses, _LAPSES, strict=True)) / total

    def imprint(self) -> list[float]:
        """Return what it came to."""
        return [self.exponent, self.lapse]


def _power(table: Grid, by: float) -> Grid:
    return table if by == 1.0 else np.array([[value**by for value in row] for row in table.tolist()])


def _log(p: float) -> float:
    return log(max(p, _FAINT))
