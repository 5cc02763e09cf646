"""Preprocessing of embeddings: their running mean, and the direction in which one lies from it. Learned from every sample."""

from collections.abc import Sequence
from math import sqrt
from statistics import median_low
from typing import Any

import msgspec
import numpy as np

from service.core.embeddings import Numbers, embedding_of, numbers_of
from service.core.features import Features

MAX_CENTRES = 8  # fields by name and length; later ones are ignored
_WARM_UP = 16  # embeddings of which the first centre is taken robustly, and which are kept as they came
_BLOCK = 16  # embeddings that are gone through together: what a processor keeps close
_WIDE = 10.0  # usual distances beyond which an embedding is drawn in before the mean learns from it

_State = tuple[int, bytes, float, list[bytes] | None]


class Centre:
    """The running mean of embeddings of one length, and their mean squared distance from it.

    One that lies further than ten usual distances away is drawn in to that distance before it counts. The first ones are kept and
    drawn in around their median, so that a wild one is harmless even where it comes first. Sums are elementwise or numpy's pairwise
    ones and no BLAS is asked, so that every machine computes the same bits.
    """

    __slots__ = ("count", "first", "mean", "spread", "total")

    def __init__(self, length: int) -> None:
        """Start with no embeddings."""
        self.count = 0
        self.total: Numbers = np.zeros(length)
        self.mean: Numbers = np.zeros(length)
        self.spread = 0.0  # mean squared distance
        self.first: list[bytes] | None = []

    def observe(self, embedding: bytes, length: float) -> bytes:
        """Take one in and return its direction; the embedding itself draws the mean nearer, and turns nothing."""
        if self.first is not None:
            self._warm_up([*self.first, embedding])
            return self.direction(embedding, length)
        numbers = numbers_of(embedding)
        apart = numbers - self.mean
        squared, reach = _squared(apart), self._reach()
        if squared <= reach:
            self.total += numbers
            self._count(squared)
        else:
            self.total += self.mean + apart * sqrt(reach / squared)
            self._count(reach)
        np.divide(self.total, self.count, out=self.mean)
        return _at(apart, squared, length)

    def observe_all(self, embeddings: Sequence[bytes], length: float) -> list[bytes]:
        """Do with each what `observe` does: the same to the bit, at once up to the first that is to be drawn in."""
        directions: list[bytes] = []
        while len(directions) < len(embeddings):
            block = embeddings[len(directions) : len(directions) + _BLOCK] if self.first is None and self.spread else ()
            near = self._observe_near(block, length) if block else []
            directions += near
            if not near or len(near) < len(block):
                directions.append(self.observe(embeddings[len(directions)], length))
        return directions

    def _observe_near(self, embeddings: Sequence[bytes], length: float) -> list[bytes]:
        """Observe embeddings up to the first that lies too far away."""
        rows = numbers_of(b"".join(embeddings)).reshape(len(embeddings), -1)
        totals = np.concatenate([self.total[None], rows])
        np.add.accumulate(totals, out=totals)
        apart = totals[:-1] / np.arange(self.count, self.count + len(rows))[:, None]
        np.subtract(rows, apart, out=apart)
        squares = np.add.reduce(apart * apart, axis=1).tolist()
        near = 0
        for squared in squares:
            if squared > self._reach():
                break
            self._count(squared)
            near += 1
        if near:
            self.total = totals[near].copy()
            self.mean = self.total / self.count
        scales = np.array([length / sqrt(squared) if squared else 1.0 for squared in squares[:near]])
        packed = embedding_of(apart[:near] * scales[:, None])
        size = 4 * len(self.mean)
        return [packed[at : at + size] for at in range(0, len(packed), size)]

    def direction(self, embedding: bytes, length: float) -> bytes:
        """Return the embedding less the mean, at this length; zeros where it is the mean."""
        apart = numbers_of(embedding) - self.mean
        return _at(apart, _squared(apart), length)

    def without(self, embedding: bytes) -> "Centre | None":
        """Return the centre as if this had never been among the first ones; None where nothing is left."""
        if self.first is None or embedding not in self.first:
            return self
        centre = Centre(len(self.mean))
        for other in self.first:
            if other != embedding:
                centre.observe(other, 1.0)
        return centre if centre.count else None

    def _reach(self) -> float:
        """The squared distance beyond which an embedding is drawn in."""
        return _WIDE * _WIDE * (self.spread or _squared(self.mean) or 1.0)

    def _count(self, squared: float) -> None:
        self.count += 1
        self.spread += (squared - self.spread) / self.count

    def _warm_up(self, first: list[bytes]) -> None:
        rows = np.array([numbers_of(embedding) for embedding in first])
        middle = np.sort(rows, axis=0)[(len(rows) - 1) // 2]  # the lower median
        apart = rows - middle
        distances = np.sqrt(np.add.reduce(apart * apart, axis=1))
        reach = _WIDE * (median_low(distances.tolist()) or sqrt(_squared(middle)) or 1.0)
        far = distances > reach
        rows[far] -= apart[far] * (1.0 - reach / distances[far])[:, None]
        self.count = len(rows)
        self.total = np.add.reduce(rows, axis=0)
        self.mean = self.total / self.count
        self.spread = float(np.add.reduce(np.add.reduce((rows - self.mean) ** 2, axis=1))) / self.count
        self.first = first if len(first) < _WARM_UP else None

    def state(self) -> _State:
        """Return all that moves."""
        return self.count, self.total.tobytes(), self.spread, self.first

    @classmethod
    def of(cls, state: Any) -> "Centre":
        """Continue what `state` gave."""
        centre = cls(0)
        centre.count, total, centre.spread, centre.first = msgspec.convert(state, _State)
        centre.total = np.frombuffer(total).copy()
        centre.mean = centre.total / (centre.count or 1)
        return centre


class Centres:
    """The centres of a stream's embeddings, by name and length: a field that was declared anew with another length has another one."""

    def __init__(self, length: float) -> None:
        """Make vectors of this length; 0 makes none, for a model that takes no embeddings."""
        self._length = length
        self._known: dict[str, Centre] = {}
        self.young: dict[str, str] = {}  # columns of centres that still keep their first embeddings -> names of the features

    def observe(self, name: str, embedding: bytes) -> dict[str, bytes]:
        """Take an embedding in and return its column."""
        column = column_of(name, embedding)
        centre = self._known.get(column)
        if centre is None:
            if not self._length or len(self._known) >= MAX_CENTRES:
                return {}
            centre = self._known[column] = Centre(len(embedding) // 4)
            self.young[column] = name
        direction = centre.observe(embedding, self._length)
        if centre.first is None and self.young:
            self.young.pop(column, None)
        return {column: direction}

    def observe_all(self, name: str, embeddings: Sequence[bytes]) -> list[dict[str, bytes]]:
        """Do with each what `observe` does with one; all have one length."""
        column = column_of(name, embeddings[0])
        centre = self._known.get(column)
        if centre is None or centre.first is not None:
            return [self.observe(name, embedding) for embedding in embeddings]
        return [{column: direction} for direction in centre.observe_all(embeddings, self._length)]

    def directions(self, name: str, embedding: bytes) -> dict[str, bytes]:
        """Return an embedding's column; nothing is learned."""
        column = column_of(name, embedding)
        centre = self._known.get(column)
        return {} if centre is None else {column: centre.direction(embedding, self._length)}

    def kept(self, features: Features) -> Features:
        """Return the embeddings of a sample that stand here as they came."""
        kept = ((column, name, features.get(name)) for column, name in self.young.items())
        return {name: value for column, name, value in kept if isinstance(value, bytes) and column_of(name, value) == column}

    def forget(self, features: Features) -> None:
        """Take a sample's embeddings out of the centres that still keep their first ones."""
        for name, value in self.kept(features).items():
            column = column_of(name, value)
            left = self._known.pop(column).without(value)
            if left is None:
                del self.young[column]
            else:
                self._known[column] = left

    def state(self) -> Any:
        """Return all that moves."""
        return {column: centre.state() for column, centre in self._known.items()}

    def restore(self, state: Any) -> None:
        """Continue what `state` gave."""
        self._known = {column: Centre.of(centre) for column, centre in state.items()}
        self.young = {column: column.rpartition("[")[0] for column, centre in self._known.items() if centre.first is not None}


def column_of(name: str, embedding: bytes) -> str:
    """The column of an embedding: its name and how many numbers it has."""
    return f"{name}[{len(embedding) // 4}]"


def _squared(numbers: Numbers) -> float:
    return float(np.add.reduce(numbers * numbers))


def _at(apart: Numbers, squared: float, length: float) -> bytes:
    return embedding_of(apart * (length / sqrt(squared)) if squared else apart)
