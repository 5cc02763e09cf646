"""Cognitive dual query: uncertainty where samples recur, judged by a short memory that forgets what is not recalled.

Liu, Xue, Wu, Zhou, Yang, Li and Cao, Online Active Learning for Drifting Data Streams (TNNLS 34(1), 2023).
"""

from collections.abc import Sequence
from math import exp, inf, sqrt
from typing import ClassVar

import msgspec

from service.core.columns import Vector
from service.core.measures.base import Alone
from service.core.measures.uncertainty import least_confidence
from service.core.sketch import Sketch, Window
from service.core.taught import Taught


class Memory(msgspec.Struct, array_like=True):
    """What is remembered of a sample beside its place: how often and when it was last recalled, and how far its nearest neighbour is."""

    recalls: int
    recalled_at: int  # samples
    nearest: float

    def strength(self, now: int) -> float:
        """The forgetting curve exp(-f t), t samples after the last recall, with f = 1 / (recalls + 1)."""
        return exp((self.recalled_at - now) / (self.recalls + 1))


class Cognitive(Alone):
    """(1 - p1)^weight where the sample becomes the nearest neighbour of at least `threshold` remembered ones, and 0 elsewhere.

    A memory that the sample comes nearest to is recalled; where the memory is full the weakest goes. The paper's variants are this
    measure under `fixed-uncertainty` (FixUn), `variable-uncertainty` (VarUn) and `random-variable-uncertainty` (RanVarUn). With a
    `weight` of 0 under `quantile` it is the random one (Ran): equals share what is to be asked.
    """

    reason: ClassVar[str] = "recurring"

    def __init__(self, memories: int = 10, threshold: int = 1, weight: float = 1.0) -> None:
        """Keep the memory's size, the local density that is called for, and the exponent of uncertainty."""
        self.memories = memories
        self.threshold = threshold
        self.weight = weight
        self._sketch = Sketch()
        self._window = Window(memories)
        self._about: list[Memory] = []
        self._now = 0

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:  # noqa: ARG002 - a measure's signature
        """Return the gated uncertainty; what is remembered is recalled or replaced."""
        density = self._remember(sample_id, vector)
        if not probabilities:
            return 1.0
        return max(0.0, least_confidence(probabilities)) ** self.weight if density >= self.threshold else 0.0

    def _remember(self, sample_id: str, vector: Vector) -> int:
        row = self._sketch.of(vector)
        distances = [sqrt(squared) for squared in self._window.squared_distances(row).tolist()]
        density = 0
        for memory, distance in zip(self._about, distances, strict=True):
            if distance < memory.nearest:
                memory.recalls, memory.recalled_at, memory.nearest = memory.recalls + 1, self._now, distance
                density += 1
        if len(self._about) == self.memories:
            strengths = [memory.strength(self._now) for memory in self._about]
            self._drop(strengths.index(min(strengths)))
        self._window.push(row, sample_id)
        self._about.append(Memory(0, self._now, min(distances, default=inf)))
        self._now += 1
        return density

    def _drop(self, place: int) -> None:
        del self._about[place]
        self._window.drop(place)

    def state(self) -> bytes:
        """Return the memory."""
        return msgspec.msgpack.encode([self._sketch.columns, self._window.state(), self._about, self._now])

    def restore(self, state: bytes) -> None:
        """Continue with the memory."""
        columns, window, about, self._now = msgspec.msgpack.decode(state)
        self._sketch = Sketch(columns)
        self._window.restore(window)
        self._about = msgspec.convert(about, list[Memory])

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Drop the memories of these samples."""
        for place in reversed(self._window.places_of(sample_ids)):
            self._drop(place)
