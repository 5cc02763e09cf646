"""What learns beside a regressor: a bagged committee, or the last labels with their places. Like the model it moves with labels alone."""

from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.columns import Vector
from service.core.companions import Committee
from service.core.sketch import WIDTH, Sketch

Distances = NDArray[np.float64]


class Bagged(Committee):
    """Copies of a regressor that differ by what they learned; all learn the first label, so that each says something."""

    def __init__(self, make: Callable[[], Any], members: int) -> None:
        """Start with members that know nothing."""
        super().__init__(make, members)
        self._labels = 0

    def learn(self, vector: Vector, code: float) -> None:
        """Let each member learn the label as often as its draw says."""
        least = int(not self._labels)
        self._labels += 1
        for member in self.members:
            for _ in range(max(least, self._draw())):
                with suppress(Exception):  # the fold is total: the model itself says what is unlearnable
                    member.learn_one(vector, code)

    def imprint(self, vector: Vector) -> list[float]:
        """Return what the members say."""
        said: list[float] = []
        for member in self.members:
            with suppress(Exception):  # a broken member says nothing
                said.append(float(member.predict_one(vector)))
        return [value for value in said if isfinite(value)]


class Places:
    """The last `size` labels with the sketches of their vectors: what is near in inputs, and in outputs."""

    def __init__(self, size: int) -> None:
        """Start with no labels."""
        self.size = size
        self._sketch = Sketch()
        self._rows = np.zeros((size, WIDTH), dtype=np.float32)
        self._labels = np.zeros(size)
        self._next = self._count = 0

    def learn(self, vector: Vector, code: float) -> None:
        """Take a label in; the oldest goes."""
        place = self._next
        self._rows[place], self._labels[place] = self._sketch.of(vector), code
        self._next = (place + 1) % self.size
        self._count = max(self._count, place + 1)

    def imprint(self, vector: Vector) -> list[float]:
        """Return how far the sample is from the nearest label, and from 0 in all outputs."""
        return [float(self.apart(vector).min(initial=np.inf)), float(self.off(0.0).sum())] if self._count else []

    def apart(self, vector: Vector) -> Distances:
        """Return the distance of a sample from every place; nothing moves."""
        apart = self._rows[: self._count] - Sketch(self._sketch.columns).of(vector)
        distances: Distances = np.sqrt(np.vecdot(apart, apart).astype(np.float64))
        return distances

    def off(self, value: float) -> Distances:
        """Return the distance of a value from every label."""
        return np.abs(self._labels[: self._count] - value)
