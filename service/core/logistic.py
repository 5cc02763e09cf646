"""Logistic regression that learns much from few labels: weights moved by Kalman's gain. No features, scales or names of classes here.

Stochastic gradient descent moves every weight by one step size, whatever it knows of the weight already, and needs hundreds of labels.
Here each move is weighed by how uncertain the weights are along the sample.
"""

from collections.abc import Mapping, Sequence
from math import exp, fsum
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river.utils import VectorDict

from service.core.columns import ARRAYS
from service.core.embeddings import Numbers, numbers_of
from service.core.tokens import is_word

JOINT = 64  # columns whose uncertainty is known jointly; that of more is known one by one
_FAR = 500.0  # logits beyond which a probability is 0 or 1

Vector = dict[str, Any]  # numbers, and embeddings under `ARRAYS`

_NONE: Mapping[str, Numbers] = MappingProxyType({})


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
    row by row, pairwise or exactly, and no BLAS is asked, so that every machine computes the same bits. Numbers of an embedding have
    a variance each: known jointly, 64 and more of them taught no more.
    """

    curvature: ClassVar[float] = 0.25  # of the logistic loss: its upper bound, p (1 - p) at p = 1/2

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
        self._arrays: dict[str, Numbers] = {}  # and of embeddings

    def learn(self, x: Vector, weight: float = 1.0) -> tuple[float, Vector]:
        """Take a labelled sample in, as if it had come `weight` times; return the gains of the intercept and of the weights."""
        x, arrays = _apart(x) if ARRAYS in x else (x, _NONE)
        if not x.keys() <= self._places.keys():
            self._place(x)
        places = self._places
        leaning, moved, spread = self._along(x)
        pushed = {name: self._arrays.get(name, self.prior) * numbers for name, numbers in arrays.items()}
        spread = fsum((spread, *(float(np.add.reduce(push * arrays[name])) for name, push in pushed.items())))
        curvature = self.curvature * weight
        inverse = 1.0 / (1.0 + curvature * spread)
        self._shrink(leaning, moved, curvature * inverse)
        for name, push in pushed.items():
            variances = self._arrays.get(name, self.prior) - curvature * inverse * push * push
            self._arrays[name] = np.minimum(self.prior, variances + self.noise)
        inverse *= weight
        intercept, *gains = (leaning * inverse).tolist()
        known = {**dict(zip(places, gains, strict=True)), **{name: move * inverse for name, move in moved.items()}}
        return intercept, {**known, ARRAYS: {name: push * inverse for name, push in pushed.items()}} if pushed else known

    def spread(self, x: Vector) -> float:
        """Return (1, x)' P (1, x), the variance along a sample; nothing moves."""
        return self._along(x)[2]

    def _along(self, x: Vector) -> tuple[NDArray[np.float64], Vector, float]:
        """P (1, x), of the columns in the matrix and of the others, and (1, x)' P (1, x)."""
        places = self._places
        dense = np.array([1.0, *(x.get(name, 0.0) for name in places)])
        leaning = (self._matrix * dense[:, None]).sum(axis=0)  # P is symmetric
        moved = {name: self._variance(name) * value for name, value in x.items() if name not in places}
        spread = fsum((*(leaning * dense).tolist(), *(move * x[name] for name, move in moved.items())))
        return leaning, moved, spread

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

    def __init__(self, learning_rate: float, drift: float, joint: int = JOINT, words: Prior | None = None) -> None:
        """Start with no class; `learning_rate` is the prior variance of a weight, the size of its first step.

        `words` is what is known beforehand of columns that stand for words, where it is something else.
        """
        self._uncertainty = Uncertainty(learning_rate, drift, joint, words)
        self._weights: list[Any] = [VectorDict(None)]  # of class 1 alone, or of every class in order
        self._intercepts = [0.0]
        self._rows: dict[str, Numbers] = {}  # weights of embeddings, (places, length)

    def predict_proba_one(self, x: Vector, offsets: Sequence[float] | None = None) -> dict[int, float]:
        """Return a probability a class code; with `offsets`, one a row of weights, in place of intercepts and embeddings."""
        if offsets is None:
            offsets = self._intercepts
            if ARRAYS in x:
                x, arrays = _apart(x)
                offsets = self._offsets(arrays)
        if len(self._weights) == 1:
            one = _sigmoid(self._weights[0].dot(x) + offsets[0])
            return {0: 1.0 - one, 1: one}
        votes = [_sigmoid(weights.dot(x) + offset) for weights, offset in zip(self._weights, offsets, strict=True)]
        total = fsum(votes)
        return {code: vote / total if total else 1.0 / len(votes) for code, vote in enumerate(votes)}

    def predict_proba_each(self, xs: Sequence[Vector]) -> list[dict[int, float]]:
        """Return what `predict_proba_one` says of each, to the bit; embeddings are gone through together."""
        names = list(xs[0].get(ARRAYS, ()))
        if any(list(x.get(ARRAYS, ())) != names for x in xs):
            return list(map(self.predict_proba_one, xs))
        scalars = [{name: value for name, value in x.items() if name != ARRAYS} for x in xs]
        offsets = [self._intercepts] * len(xs)
        for name in filter(self._rows.__contains__, names):
            stacked = numbers_of(b"".join([x[ARRAYS][name] for x in xs])).reshape(len(xs), -1)
            parts = zip(*[np.add.reduce(stacked * row, axis=1).tolist() for row in self._rows[name]], strict=True)
            offsets = [_added(offset, part) for offset, part in zip(offsets, parts, strict=True)]
        return list(map(self.predict_proba_one, scalars, offsets))

    def learn_one(self, x: Vector, y: int, w: float = 1.0) -> None:
        """Learn one label of this weight."""
        if y > 1:
            self._make_room(y)
        first = 1 if len(self._weights) == 1 else 0
        intercept_gain, gains = self._uncertainty.learn(x, w)
        x, arrays = _apart(x) if ARRAYS in x else (x, _NONE)
        pushes, offsets = gains.pop(ARRAYS, _NONE), self._offsets(arrays)
        step: Any = VectorDict(gains)
        errors = [float(place + first == y) - _sigmoid(weights.dot(x) + offsets[place]) for place, weights in enumerate(self._weights)]
        for place, (weights, error) in enumerate(zip(self._weights, errors, strict=True)):
            weights.iadd_scaled(step, error)
            self._intercepts[place] += intercept_gain * error
        for name, push in pushes.items():
            self._rows[name] = self._rows.get(name, 0.0) + np.array(errors)[:, None] * push

    def _offsets(self, arrays: Mapping[str, Numbers]) -> list[float]:
        """The intercepts, and what embeddings add to them."""
        offsets = self._intercepts
        for name, numbers in arrays.items():
            if name in self._rows:
                offsets = _added(offsets, np.add.reduce(self._rows[name] * numbers, axis=1).tolist())
        return offsets

    def _make_room(self, y: int) -> None:
        if len(self._weights) == 1:
            mirror: Any = VectorDict({name: -weight for name, weight in self._weights[0].to_dict().items()})
            self._weights, self._intercepts = [mirror, *self._weights], [-self._intercepts[0], *self._intercepts]
            self._rows = {name: np.concatenate([-rows, rows]) for name, rows in self._rows.items()}
        while len(self._weights) <= y:
            self._weights.append(VectorDict(None))
            self._intercepts.append(0.0)
        more = {name: np.zeros((len(self._weights) - len(rows), rows.shape[1])) for name, rows in self._rows.items()}
        self._rows = {name: np.concatenate([rows, more[name]]) for name, rows in self._rows.items()}


def _added(offsets: Sequence[float], parts: Sequence[float]) -> list[float]:
    return [offset + part for offset, part in zip(offsets, parts, strict=True)]


def _apart(x: Vector) -> tuple[Vector, Mapping[str, Numbers]]:
    """A vector's numbers, and its embeddings."""
    scalars = {name: value for name, value in x.items() if name != ARRAYS}
    return scalars, {name: numbers_of(embedding) for name, embedding in x[ARRAYS].items()}


def _sigmoid(value: float) -> float:
    if value >= 0.0:
        return 1.0 / (1.0 + exp(-value)) if value < _FAR else 1.0
    scaled = exp(value) if value > -_FAR else 0.0
    return scaled / (1.0 + scaled)
