"""Logistic regression that learns much from few labels: weights moved by Kalman's gain. No features, scales or names of classes here.

Stochastic gradient descent moves every weight by one step size, whatever it knows of the weight already, and needs hundreds of labels.
Here each move is weighed by how uncertain the weights are along the sample.
"""

from math import exp, fsum
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river.utils import VectorDict

from service.core.tokens import is_word

_JOINT = 64  # columns whose uncertainty is known jointly; that of more is known one by one
_CURVATURE = 0.25  # of the logistic loss: its upper bound, p (1 - p) at p = 1/2
_FAR = 500.0  # logits beyond which a probability is 0 or 1

Vector = dict[str, float]


class Prior(NamedTuple):
    """What is known of a weight before any label: its variance, and the share of it that a label brings back."""

    variance: float
    drift: float


class Uncertainty:
    """The covariance P of the weights, the same for every class: with the curvature at its bound it depends on samples alone.

    A label at x adds curvature h x x' to the inverse of P (a rank-one update by Sherman and Morrison), and makes the gain
    P x / (1 + h x' P x). Then `drift` x prior is added to the diagonal, up to the prior: weights may have moved since. Sources: the
    extended Kalman filter for logistic regression (Penny and Roberts, Dynamic Logistic Regression, IJCNN 1999), with the bound of
    Boehning (Multinomial logistic regression algorithm, 1992) in place of the curvature. Numbers are multiplied one by one and added
    row by row, or exactly, so that every machine computes the same bits.
    """

    def __init__(self, prior: float, drift: float, joint: int, words: Prior | None = None) -> None:
        """Start with variance `prior` everywhere; the intercept and the first `joint` columns share a matrix.

        With `words`, columns that stand for words begin as that says, and share in no matrix.
        """
        self.prior = prior
        self.noise = drift * prior
        self.joint = joint
        self._own = Prior(prior, drift)
        self._words = words
        self._places: dict[str, int] = {}
        self._matrix = np.array([[prior]])  # the intercept comes first
        self._alone: Vector = {}  # variances of the columns beyond

    def learn(self, x: Vector, weight: float = 1.0) -> tuple[float, Vector]:
        """Take a labelled sample in, as if it had come `weight` times; return the gains of the intercept and of the weights."""
        if not x.keys() <= self._places.keys():
            self._place(x)
        places = self._places
        dense = np.array([1.0, *(x.get(name, 0.0) for name in places)])
        leaning = (self._matrix * dense[:, None]).sum(axis=0)  # P is symmetric
        moved = {name: self._variance(name) * value for name, value in x.items() if name not in places}
        spread = fsum((*(leaning * dense).tolist(), *(move * x[name] for name, move in moved.items())))
        curvature = _CURVATURE * weight
        inverse = 1.0 / (1.0 + curvature * spread)
        self._shrink(leaning, moved, curvature * inverse)
        inverse *= weight
        intercept, *gains = (leaning * inverse).tolist()
        return intercept, {**dict(zip(places, gains, strict=True)), **{name: move * inverse for name, move in moved.items()}}

    def _place(self, x: Vector) -> None:
        """Give new columns a place in the matrix, while there is one."""
        room = self.joint - len(self._places)
        new = [name for name in x if name not in self._places and not self._apart(name)][:room] if room else []
        if new:
            before = len(self._matrix)
            grown = self.prior * np.identity(before + len(new))
            grown[:before, :before] = self._matrix
            self._matrix = grown
            self._places.update((name, before + place) for place, name in enumerate(new))

    def _shrink(self, leaning: NDArray[np.float64], moved: Vector, factor: float) -> None:
        self._matrix -= factor * (leaning[:, None] * leaning)  # to the bit symmetric
        diagonal = np.einsum("ii->i", self._matrix)  # a view
        np.minimum(self.prior, diagonal + self.noise, out=diagonal)
        for name, move in moved.items():
            variance, drift = self._of(name)
            self._alone[name] = min(variance, self._alone.get(name, variance) - factor * move * move + drift * variance)

    def _variance(self, name: str) -> float:
        known = self._alone.get(name)
        return self._of(name).variance if known is None else known

    def _apart(self, name: str) -> bool:
        return self._words is not None and is_word(name)

    def _of(self, name: str) -> Prior:
        return self._words if self._words is not None and is_word(name) else self._own


class Logistic:
    """One binary model for two classes, one against the rest from the third class on; codes are 0, 1, 2 in order of appearance.

    When a third class appears the first two go on as they are: against-the-rest models of two classes are each other's mirror.
    """

    linear: ClassVar[bool] = True

    def __init__(self, learning_rate: float, drift: float, joint: int = _JOINT, words: Prior | None = None) -> None:
        """Start with no class; `learning_rate` is the prior variance of a weight, the size of its first step.

        `words` is what is known beforehand of columns that stand for words, where it is something else.
        """
        self._uncertainty = Uncertainty(learning_rate, drift, joint, words)
        self._weights: list[Any] = [VectorDict(None)]  # of class 1 alone, or of every class in order
        self._intercepts = [0.0]

    def predict_proba_one(self, x: Vector) -> dict[int, float]:
        """Return a probability a class code."""
        if len(self._weights) == 1:
            one = _sigmoid(self._weights[0].dot(x) + self._intercepts[0])
            return {0: 1.0 - one, 1: one}
        votes = [_sigmoid(weights.dot(x) + intercept) for weights, intercept in zip(self._weights, self._intercepts, strict=True)]
        total = fsum(votes)
        return {code: vote / total if total else 1.0 / len(votes) for code, vote in enumerate(votes)}

    def learn_one(self, x: Vector, y: int, w: float = 1.0) -> None:
        """Learn one label of this weight."""
        if y > 1:
            self._make_room(y)
        first = 1 if len(self._weights) == 1 else 0
        intercept_gain, gains = self._uncertainty.learn(x, w)
        step: Any = VectorDict(gains)
        for place, weights in enumerate(self._weights):
            error = float(place + first == y) - _sigmoid(weights.dot(x) + self._intercepts[place])
            weights.iadd_scaled(step, error)
            self._intercepts[place] += intercept_gain * error

    def _make_room(self, y: int) -> None:
        if len(self._weights) == 1:
            mirror: Any = VectorDict({name: -weight for name, weight in self._weights[0].to_dict().items()})
            self._weights, self._intercepts = [mirror, *self._weights], [-self._intercepts[0], *self._intercepts]
        while len(self._weights) <= y:
            self._weights.append(VectorDict(None))
            self._intercepts.append(0.0)


def _sigmoid(value: float) -> float:
    if value >= 0.0:
        return 1.0 / (1.0 + exp(-value)) if value < _FAR else 1.0
    scaled = exp(value) if value > -_FAR else 0.0
    return scaled / (1.0 + scaled)
