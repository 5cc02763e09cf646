"""Density-weighted uncertainty: a label is worth more where more samples come from.

Settles and Craven, An Analysis of Active Learning Strategies for Sequence Labeling Tasks (2008), "information density"; over a
window of the stream as in Ienco, Zliobaite and Pfahringer, High Density-Focused Uncertainty Sampling for Active Learning over
Evolving Stream Data (2014).
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np

from service.core.columns import Vector
from service.core.measures.base import Alone
from service.core.measures.uncertainty import margin
from service.core.sketch import Sketch, Window
from service.core.taught import Taught

_SLOWNESS = 0.02  # weight of a sample in the usual distance


class Density(Alone):
    """Margin times representativeness^beta, in a window of recent samples, labelled or not.

    Representativeness is min(1, usual / d): d the root mean square distance to the nearest `neighbours` in the window, usual its
    running mean. So it is 1 in regions at least as dense as usual and falls with the distance for outliers.
    """

    reason: ClassVar[str] = "representative"

    def __init__(self, recent: int = 200, neighbours: int = 10, beta: float = 1.0) -> None:
        """Keep the window's length in samples, how many neighbours count, and the weight of density."""
        self.recent = recent
        self.neighbours = neighbours
        self.beta = beta
        self._sketch = Sketch()
        self._window = Window(recent)
        self._usual = 0.0

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:  # noqa: ARG002 - a measure's signature
        """Return margin times representativeness; the window moves on."""
        row = self._sketch.of(vector)
        weight = self._representativeness(self._window.squared_distances(row))
        self._window.push(row, sample_id)
        return margin(probabilities) * weight**self.beta if probabilities else 1.0

    def _representativeness(self, squared: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> float:
        if not len(squared):
            return 1.0
        nearest = squared if len(squared) <= self.neighbours else np.partition(squared, self.neighbours - 1)[: self.neighbours]
        distance = (sum(nearest.tolist()) / len(nearest)) ** 0.5
        self._usual += (_SLOWNESS if self._usual else 1.0) * (distance - self._usual)
        return 1.0 if distance <= self._usual else self._usual / distance

    def state(self) -> bytes:
        """Return the window, its columns and the usual distance."""
        return msgspec.msgpack.encode([self._sketch.names, self._window.state(), self._usual])

    def restore(self, state: bytes) -> None:
        """Continue with them."""
        names, window, self._usual = msgspec.msgpack.decode(state)
        self._sketch = Sketch(names)
        self._window.restore(window)

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Take these samples out of the window."""
        self._window.forget(sample_ids)
