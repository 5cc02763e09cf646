"""What learns beside a model so that more can be asked of it than probabilities: a committee, or the last labels with their places.

Like the model it moves with labels alone, in the fold, and is rebuilt, frozen and hashed with it. Bounded, and seeded.
"""

import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
from river import base

from service.core.auto import AutoModel
from service.core.columns import Vector
from service.core.sketch import WIDTH, Sketch

_SEED = 42
_MOST_DRAWS = 20  # of a Poisson variable with mean 1 not one in 10^18 is larger


class Companion(Protocol):
    """Learns every label that the model learns; class codes are the model's."""

    def learn(self, vector: Vector, code: int) -> None:
        """Learn one label."""
        ...

    def imprint(self, vector: Vector) -> list[float]:
        """Return what it says of a vector: numbers that differ where it learned something else. Nothing moves."""
        ...


class Committee:
    """Copies of a model that differ by what they learned: online bagging (Oza and Russell, Online Bagging and Boosting, 2001).

    Each member learns a label Poisson(1) times. The first label of a class is learned by all at least once, so that every member
    can vote for it.
    """

    def __init__(self, make: Callable[[], Any], members: int) -> None:
        """Start with members that know nothing."""
        self.members = [make() for _ in range(members)]
        self._chance = random.Random(_SEED)
        self._known: set[int] = set()

    def learn(self, vector: Vector, code: int) -> None:
        """Let each member learn the label as often as its draw says."""
        least = code not in self._known
        self._known.add(code)
        for member in self.members:
            for _ in range(max(least, self._draw())):
                _learned(member, vector, code)

    def imprint(self, vector: Vector) -> list[float]:
        """Return the members' probabilities."""
        said: list[float] = []
        for member in self.members:
            with suppress(Exception):  # a broken member says nothing
                said += [float(probability) for _, probability in sorted(member.predict_proba_one(vector).items())]
        return said

    def _draw(self) -> int:
        """A Poisson(1) variable, by Knuth's product of uniforms."""
        count, product = 0, self._chance.random()
        while product > math.exp(-1.0) and count < _MOST_DRAWS:
            count += 1
            product *= self._chance.random()
        return count


def _learned(member: Any, vector: Vector, code: int) -> None:
    with suppress(Exception):  # the fold is total: the model itself says what is unlearnable
        member.learn_one(vector, code)


class LastLabels:
    """The last `size` labels with the sketches of their vectors: how often each class was seen around a place.

    A label weighs exp(-d^2 / (2 s^2)) at distance d, with s the `bandwidth` times the standard deviation of the labelled vectors
    from their mean. The mean criterion of Chaudhuri et al. (2017), which Kottke et al. use, comes to a bandwidth of about 1/4 at
    200 labels.
    """

    def __init__(self, size: int) -> None:
        """Start with no labels."""
        self.size = size
        self._sketch = Sketch()
        self._rows = np.zeros((size, WIDTH), dtype=np.float32)
        self._codes = np.zeros(size, dtype=np.int64)
        self._next = self._count = 0
        self._variance = 0.0

    def learn(self, vector: Vector, code: int) -> None:
        """Take a label in; the oldest goes."""
        place = self._next
        self._rows[place], self._codes[place] = self._sketch.of(vector), code
        self._next = (place + 1) % self.size
        self._count = max(self._count, place + 1)
        self._variance = float(self._rows[: self._count].var(axis=0, dtype=np.float64).sum())

    def imprint(self, vector: Vector) -> list[float]:
        """Return the frequencies of all classes."""
        return self.frequencies(vector, int(self._codes.max()) + 1, bandwidth=1.0)

    def frequencies(self, vector: Vector, classes: int, bandwidth: float) -> list[float]:
        """Return how many labels of each class stand around a place, by code; nothing moves."""
        if not self._count:
            return [0.0] * classes
        apart = self._rows[: self._count] - Sketch(self._sketch.columns).of(vector)
        squared = np.vecdot(apart, apart).astype(np.float64)
        weights = np.exp(squared / (-2.0 * bandwidth * bandwidth * (self._variance or 1.0)))
        counts: list[float] = np.bincount(self._codes[: self._count], weights=weights, minlength=classes).tolist()
        return counts


def has_members(model: Any) -> bool:
    """Whether a model has members of its own: an ensemble, or one that chooses among several."""
    return isinstance(model, AutoModel | base.Ensemble)


def members_of(model: Any, companion: Companion | None) -> Sequence[Any]:
    """The members that can be asked: those of the committee beside a model, or its own (River's ensembles are lists of them)."""
    if isinstance(companion, Committee):
        return companion.members
    if isinstance(model, AutoModel):
        return model.members()
    return list(model) if isinstance(model, base.Ensemble) else ()
