"""Nearest neighbours among the last labels, at a cost that does not grow with the columns. No features or names of classes here."""

import numpy as np

from service.core.columns import Vector
from service.core.sketch import WIDTH, Sketch


class Neighbours:
    """The classes of the nearest labels, each weighing the inverse of its distance; one that stands in the same place decides alone.

    As River's `KNNClassifier`, over sketches of 32 numbers (`service.core.sketch`), so that a prediction is one pass over an array:
    with up to 32 columns distances are exact. Of equally near labels the one that stands first in the array counts.
    """

    def __init__(self, n_neighbors: int, window: int) -> None:
        """Keep the number of neighbours that vote, and of the labels that are remembered."""
        self.n_neighbors = n_neighbors
        self.window = window
        self._sketch = Sketch()
        self._rows = np.zeros((window, WIDTH), dtype=np.float32)
        self._codes: list[int] = []
        self._next = 0
        self._classes = 0

    def learn_one(self, x: Vector, y: int) -> None:
        """Take a label in; the oldest goes."""
        self._rows[self._next] = self._sketch.of(x)
        self._codes[self._next : self._next + 1] = [y]
        self._next = (self._next + 1) % self.window
        self._classes = max(self._classes, y + 1)

    def predict_proba_one(self, x: Vector) -> dict[int, float]:
        """Return a probability a class code; nothing before the first label. Nothing moves."""
        votes = dict.fromkeys(range(self._classes), 0.0)
        if not votes:
            return {}
        apart = self._rows[: len(self._codes)] - Sketch(self._sketch.columns).of(x)
        squared = np.vecdot(apart, apart)
        nearest = np.argsort(squared, kind="stable")[: self.n_neighbors].tolist()
        if not squared[nearest[0]]:
            return {**votes, self._codes[nearest[0]]: 1.0}
        weights = (1.0 / np.sqrt(squared[nearest].astype(np.float64))).tolist()
        for place, weight in zip(nearest, weights, strict=True):
            votes[self._codes[place]] += weight
        total = sum(votes.values())
        return {code: vote / total for code, vote in votes.items()}
