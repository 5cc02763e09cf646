"""Recalibration of a model that somebody else trained: how far to trust its probabilities, learned from a few labels. It knows no stream.

Temperature scaling (Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, ICML 2017) with the whole posterior of its
one number in place of a fit: the likelihood of every label is kept on a grid of temperatures. So no step can overshoot, however sure
the model was of what was wrong, and the order of labels does not matter but for what is forgotten.
"""

from collections.abc import Sequence
from math import exp, fsum, log

from service.core.features import Features
from service.core.stated import Probabilities, alone

_FAINT = 1e-15  # a smaller probability counts as this one
_LOWEST, _HIGHEST, _PLACES = log(1 / 64), log(4.0), 45  # the grid, in the logarithm of the exponent
_STEP = (_HIGHEST - _LOWEST) / (_PLACES - 1)
_LOGS = tuple(_LOWEST + _STEP * place for place in range(_PLACES))
_EXPONENTS = tuple(map(exp, _LOGS))


class Recalibration:
    """Raises stated probabilities to a power, 1 / temperature, and normalises them: the likeliest class stays the likeliest.

    The power's logarithm is normal around 0 with a deviation of `spread` before any label; a label takes a share `drift` from what
    those before it said.
    """

    def __init__(self, spread: float, drift: float) -> None:
        """Start at the identity."""
        self.exponent = 1.0
        self._prior = [-0.5 * (place / spread) ** 2 for place in _LOGS]
        self._keep = 1.0 - drift
        self._said = [0.0] * _PLACES  # the log-likelihood of the labels, by place of the grid

    def predict_proba_one(self, x: Probabilities) -> Probabilities:
        """Return the recalibrated probabilities of one sample by class, the likeliest first; of none, none."""
        if not x:
            return {}
        if self.exponent == 1.0:
            total = fsum(x.values())
            return {name: p / total for name, p in x.items()}
        top = max(x, key=x.__getitem__)
        highest = _log(x[top])
        weights = {top: 1.0} | {name: exp(self.exponent * (_log(p) - highest)) for name, p in x.items() if name != top}
        total = fsum(weights.values())
        return {name: weight / total for name, weight in weights.items()}

    def learn_one(self, x: Probabilities, y: str, w: float = 1.0) -> None:
        """Learn the label of one sample; a class that it did not name had the smallest probability that counts."""
        truth = _log(x.get(y, 0.0))
        leads = [_log(p) - truth for name, p in x.items() if name != y]
        for place, exponent in enumerate(_EXPONENTS):
            loss = log(1.0 + fsum(exp(exponent * lead) for lead in leads))
            self._said[place] = self._keep * self._said[place] - w * loss
        self.exponent = exp(self._mean())

    def _mean(self) -> float:
        """The posterior mean of the exponent's logarithm."""
        scores = [said + prior for said, prior in zip(self._said, self._prior, strict=True)]
        best = max(scores)
        weights = [exp(score - best) for score in scores]
        return fsum(weight * place for weight, place in zip(weights, _LOGS, strict=True)) / fsum(weights)


def _log(p: float) -> float:
    return log(max(p, _FAINT))


class Relay:
    """A vectoriser (see `service.core.vectoriser`) that passes on what a sample states, and nothing else; it learns nothing."""

    def observe(self, features: Features) -> Probabilities:
        """Return the probabilities that stand beside features."""
        return alone(features)

    def observe_all(self, samples: Sequence[Features]) -> list[Probabilities]:
        """Return those of each."""
        return list(map(alone, samples))

    def vector(self, features: Features) -> Probabilities:
        """Return the probabilities that stand beside features."""
        return alone(features)

    def kept(self, features: Features) -> Features:  # noqa: ARG002 - a vectoriser's signature
        """Nothing of a sample stays here."""
        return {}

    def forget(self, samples: Sequence[Features]) -> None:
        """Nothing of them is here."""

    def state(self) -> bytes:
        """Nothing moves."""
        return b""

    def restore(self, state: bytes) -> None:
        """Nothing to continue."""
