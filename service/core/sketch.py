"""Vectors of a fixed width from vectors of any columns, and windows of them: what distances between samples are taken from.

Of a sample nothing but its sketch is kept, under a checksum of its id, so that it can be taken out again.
"""

from collections.abc import Sequence
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.core.columns import ARRAYS, Vector
from service.core.embeddings import MAX_LENGTH, Numbers, numbers_of

WIDTH = 32
_FAR = 1e6  # larger magnitudes are cut, so that squares stay finite in single precision

Row = NDArray[np.float32]

_SIGNS = np.array([1.0 if crc32(b"%d" % place) & 0x8000_0000 else -1.0 for place in range(MAX_LENGTH)])


class Sketch:
    """The first 32 columns (its width) stand for themselves; later ones are added to these by hash, with a sign (count sketch).

    Distances between sketches are those of the vectors where there are at most 32 columns, and unbiased estimates of them where
    there are more (Charikar, Chen, Farach-Colton 2002; Weinberger et al., Feature Hashing for Large Scale Multitask Learning, 2009).
    """

    def __init__(self, columns: Sequence[int] = (), width: int = WIDTH) -> None:
        """Start with these columns."""
        self._width = width
        self._own = {column: place for place, column in enumerate(columns)}

    @property
    def columns(self) -> list[int]:
        """The checksums of the columns that have a place of their own, in order: a name may be somebody's word."""
        return list(self._own)

    def of(self, vector: Vector) -> Row:
        """Return the sketch of a vector; string values count as columns of their own. New columns take the places that are left."""
        cells = [0.0] * self._width
        own = self._own
        for name, value in vector.items():
            if name == ARRAYS:
                cells = (np.array(cells) + sum(_folded(embedding, self._width) for embedding in value.values())).tolist()
                continue
            if value.__class__ is str:
                name, value = f"{name}={value}", 1.0  # noqa: PLW2901 - the column that it is
            column = crc32(name.encode())
            place = own.get(column)
            if place is None:
                if len(own) < self._width:
                    place = own[column] = len(own)
                else:
                    place = column % self._width
                    value = value if column & 0x8000_0000 else -value  # noqa: PLW2901 - its sign
            cells[place] += value if -_FAR < value < _FAR else _FAR if value > 0 else -_FAR
        return np.array(cells, dtype=np.float32)


def _folded(embedding: bytes, width: int) -> Numbers:
    """The count sketch of an embedding, (width,)."""
    numbers = numbers_of(embedding)
    cells = np.zeros(-(-len(numbers) // width) * width)
    cells[: len(numbers)] = numbers * _SIGNS[: len(numbers)]
    folded: Numbers = np.add.reduce(cells.reshape(-1, width), axis=0)
    return folded


class Window:
    """The last `size` sketches, oldest overwritten first."""

    def __init__(self, size: int) -> None:
        """Start empty."""
        self.size = size
        self.count = 0
        self._next = 0
        self._rows = np.zeros((size, WIDTH), dtype=np.float32)
        self._marks = np.zeros(size, dtype=np.uint32)

    @property
    def rows(self) -> NDArray[np.float32]:
        """The sketches, (count, 32), in no order that means anything."""
        return self._rows[: self.count]

    def push(self, row: Row, sample_id: str) -> int:
        """Take a sketch in; returns its place."""
        place = self._next
        self._rows[place] = row
        self._marks[place] = crc32(sample_id.encode())
        self._next = (place + 1) % self.size
        self.count = max(self.count, place + 1)
        return place

    def squared_distances(self, row: Row) -> NDArray[np.float32]:
        """Return the squared Euclidean distance of every sketch to this one, (count,)."""
        apart = self._rows[: self.count] - row
        distances: NDArray[np.float32] = np.vecdot(apart, apart)
        return distances

    def places_of(self, sample_ids: Sequence[str]) -> list[int]:
        """Return where the sketches of these samples stand, in ascending order."""
        marks = {crc32(sample_id.encode()) for sample_id in sample_ids}
        return [place for place, mark in enumerate(self._marks[: self.count].tolist()) if mark in marks]

    def drop(self, place: int) -> None:
        """Take one sketch out; the others move together, the oldest first."""
        order = (np.arange(self.count) + (self._next if self.count == self.size else 0)) % self.size
        kept = order[order != place]
        self._refill(self._rows[kept], self._marks[kept])

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Take the sketches of these samples out."""
        while places := self.places_of(sample_ids):
            self.drop(places[0])

    def state(self) -> list[object]:
        """Return all that moves."""
        return [self.count, self._next, self.rows.tobytes(), self._marks[: self.count].tobytes()]

    def restore(self, state: Sequence[object]) -> None:
        """Continue what `state` gave."""
        count, following, rows, marks = msgspec.convert(state, tuple[int, int, bytes, bytes])
        self._refill(np.frombuffer(rows, dtype=np.float32).reshape(count, WIDTH), np.frombuffer(marks, dtype=np.uint32))
        self._next = following

    def _refill(self, rows: NDArray[np.float32], marks: NDArray[np.uint32]) -> None:
        count = len(rows)
        self._rows = np.zeros((self.size, WIDTH), dtype=np.float32)
        self._marks = np.zeros(self.size, dtype=np.uint32)
        self._rows[:count], self._marks[:count] = rows, marks
        self.count, self._next = count, count % self.size
