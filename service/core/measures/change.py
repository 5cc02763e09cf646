"""Expected model change: how far a label would move the model, as its own probabilities expect it.

Settles, Craven and Ray, Multiple-Instance Active Learning (2008); Settles (2009), section 3.3.
"""

from collections.abc import Sequence
from math import fsum, sqrt
from typing import ClassVar

import msgspec
import numpy as np

from service.core.columns import ARRAYS, Vector
from service.core.embeddings import numbers_of
from service.core.measures.base import Alone
from service.core.measures.ranks import Ranks
from service.core.taught import Taught


class ModelChange(Alone):
    """Expected length of the log loss's gradient, as its rank among the last samples.

    For linear models in closed form: the gradient at label c is (p - e_c) times the features with a 1 for the intercept, so that
    the expectation is |(x, 1)| sum_c p_c |p - e_c|. Other models have no such gradient; for them the length is that of the gradient
    with respect to the model's outputs, the same sum without the features. A length has no scale of its own, hence the rank.
    """

    reason: ClassVar[str] = "model-change"

    def __init__(self, recent: int = 200) -> None:
        """Keep the number of samples among which a sample is ranked."""
        self.recent = recent
        self._ranks = Ranks(recent)

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:  # noqa: ARG002 - a measure's signature
        """Return the rank of the expected gradient's length."""
        if not probabilities:
            return 1.0
        length = expected_output_gradient(probabilities)
        return self._ranks.observe(length * augmented_norm(vector) if taught.linear else length)

    def state(self) -> bytes:
        """Return the last lengths."""
        return msgspec.msgpack.encode(self._ranks.state())

    def restore(self, state: bytes) -> None:
        """Continue with the last lengths."""
        self._ranks.restore(msgspec.msgpack.decode(state, type=list[float]))

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Lengths say nothing of a sample."""


def expected_output_gradient(probabilities: dict[str, float]) -> float:
    """sum_c p_c |p - e_c|, where |p - e_c|^2 = |p|^2 - 2 p_c + 1.

    >>> round(expected_output_gradient({"a": 0.5, "b": 0.5}), 6)  # sqrt(1/2) whichever it is
    0.707107
    """
    squares = 1.0
    for probability in probabilities.values():
        squares += probability * probability
    total = 0.0
    for probability in probabilities.values():
        rest = squares - 2.0 * probability
        if rest > 0.0:
            total += probability * sqrt(rest)
    return total


def augmented_norm(vector: Vector) -> float:
    """The length of a vector with a 1 for the intercept; a string value is a column that is 1.

    >>> augmented_norm({"a": 2.0, "b": -2.0})
    3.0
    """
    squares = 1.0
    for name, value in vector.items():
        if name == ARRAYS:
            squares += fsum(float(np.add.reduce(numbers * numbers)) for numbers in map(numbers_of, value.values()))
            continue
        squares += 1.0 if value.__class__ is str else value * value
    return sqrt(squares)
