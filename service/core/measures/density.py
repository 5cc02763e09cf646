"""Density-weighted uncertainty: a label is worth more where more samples come from.

Settles and Craven, An Analysis of Active Learning Strategies for Sequence Labeling Tasks (2008), "information density"; over a
window of the stream as in Ienco, Zliobaite and Pfahringer, High Density-Focused Uncertainty Sampling for Active Learning over
Evolving Stream Data (2014).
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any, ClassVar

import msgspec
import numpy as np

from service.core.columns import Vector
from service.core.measures.base import Alone
from service.core.measures.uncertainty import margin
from service.core.sketch import Sketch, Window
from service.core.taught import Taught

_SLOWNESS = 0.02  # weight of a sample in the usual distance


class Surroundings:
    """How close a sample is to recent ones, labelled or not: representativeness, min(1, usual / d).

    d is the root mean square distance to the nearest `neighbours` among the last `size` samples, usual its running mean. So it is 1
    in regions at least as dense as usual and falls with the distance for outliers.
    """

    def __init__(self, size: int, neighbours: int) -> None:
        """Start with no samples."""
        self._neighbours = neighbours
        self._sketch = Sketch()
        self._window = Window(size)
        self._usual = 0.0

    def observe(self, sample_id: str, vector: Vector) -> float:
        """Return the representativeness of a sample in (0, 1]; then it is one of the recent ones."""
        row = self._sketch.of(vector)
        squared = self._window.squared_distances(row)
        self._window.push(row, sample_id)
        if not len(squared):
            return 1.0
        few = len(squared) <= self._neighbours
        nearest = (squared if few else np.partition(squared, self._neighbours - 1)[: self._neighbours]).tolist()
        distance = sqrt(sum(nearest) / len(nearest))
        self._usual += (_SLOWNESS if self._usual else 1.0) * (distance - self._usual)
        return 1.0 if distance <= self._usual else self._usual / distance

    def state(self) -> list[object]:
        """Return the window, its columns and the usual distance."""
        return [self._sketch.columns, self._window.state(), self._usual]

    def restore(self, state: Sequence[object]) -> None:
        """Continue with them."""
        columns, window, self._usual = msgspec.convert(state, tuple[list[int], list[Any], float])
        self._sketch = Sketch(columns)
        self._window.restore(window)

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Take these samples out of the window."""
        self._window.forget(sample_ids)


class Density(Alone):
    """Margin times representativeness^beta, in a window of recent samples."""

    reason: ClassVar[str] = "representative"

    def __init__(self, recent: int = 200, neighbours: int = 10, beta: float = 1.0) -> None:
        """Keep the window's length in samples, how many neighbours count, and the weight of density."""
        self.recent = recent
        self.neighbours = neighbours
        self.beta = beta
        self._surroundings = Surroundings(recent, neighbours)

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:  # noqa: ARG002 - a measure's signature
        """Return margin times representativeness; the window moves on."""
        weight = self._surroundings.observe(sample_id, vector)
        return margin(probabilities) * weight**self.beta if probabilities else 1.0

    def state(self) -> bytes:
        """Return the window."""
        return msgspec.msgpack.encode(self._surroundings.state())

    def restore(self, state: bytes) -> None:
        """Continue with the window."""
        self._surroundings.restore(msgspec.msgpack.decode(state))

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Take these samples out of the window."""
        self._surroundings.forget(sample_ids)
