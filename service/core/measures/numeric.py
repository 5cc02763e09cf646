"""How much a label is worth where labels are numbers: how far the prediction may be off, or how far a sample is from what was labelled.

None of these has a scale of its own, so each is told as its rank among the last samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import sqrt
from typing import Any, ClassVar

import msgspec
from river import base

from service.core.columns import Vector
from service.core.companions import Companion, members_of
from service.core.measures.base import Unmoved
from service.core.measures.ranks import Ranks
from service.core.number_companions import Bagged, Places
from service.core.regressing import said_by, variance
from service.core.taught import Taught

Said = dict[str, float]


class _Ranked(Unmoved, ABC):
    """What all have in common: a number a sample, which becomes its rank among those of the last `recent` samples."""

    def __init__(self, recent: int) -> None:
        self.recent = recent
        self._ranks = Ranks(recent)

    def observe(self, sample_id: str, vector: Vector, probabilities: Said, taught: Taught) -> float:  # noqa: ARG002 - a measure's signature
        """Return the rank; 1 where nothing is predicted yet."""
        return self._ranks.observe(self.of(vector, probabilities, taught)) if probabilities else 1.0

    @abstractmethod
    def of(self, vector: Vector, said: Said, taught: Taught) -> float:
        """Return the number; `said` is what the model predicts."""

    def companion(self, make: Callable[[], Any]) -> Companion | None:  # noqa: ARG002 - those that need one make it
        """Nothing learns beside the model."""
        return None

    def state(self) -> bytes:
        """Return the last numbers."""
        return msgspec.msgpack.encode(self._ranks.state())

    def restore(self, state: bytes) -> None:
        """Continue with the last numbers."""
        self._ranks.restore(msgspec.msgpack.decode(state, type=list[float]))


class Deviation(_Ranked):
    """The prediction's standard deviation, noise included (uncertainty sampling for numbers)."""

    reason: ClassVar[str] = "uncertain"

    def __init__(self, recent: int = 200) -> None:
        """Keep the number of samples among which a sample is ranked."""
        super().__init__(recent)

    def of(self, vector: Vector, said: Said, taught: Taught) -> float:  # noqa: ARG002 - the same
        """Return the deviation."""
        return said.get("deviation", 0.0)


class Variance(_Ranked):
    """How far the members of a forest, or of a bagged committee, are apart in their predictions (query by committee).

    Source: Burbidge, Rowland and King, Active Learning for Regression Based on Query by Committee (2007).
    """

    reason: ClassVar[str] = "disagreement"

    def __init__(self, members: int = 5, recent: int = 200) -> None:
        """Keep the size of the committee (a forest has its own), and the number of samples among which a sample is ranked."""
        super().__init__(recent)
        self.members = members

    def of(self, vector: Vector, said: Said, taught: Taught) -> float:  # noqa: ARG002 - the same
        """Return the standard deviation of what the members say."""
        return sqrt(variance(said_by(members_of(taught.model, taught.companion), vector)))

    def companion(self, make: Callable[[], Any]) -> Bagged | None:
        """Return a bagged committee, unless the model is an ensemble."""
        return None if isinstance(make(), base.Ensemble) else Bagged(make, self.members)


class _Greedy(_Ranked):
    """Greedy sampling: far from everything that was labelled.

    Source: Wu, Lin and Huang, Active Learning for Regression Using Greedy Sampling (2019). There a pool is looked through and all
    labels; here a sample is compared with the last `labels`, and ranked among the last samples.
    """

    def __init__(self, labels: int, recent: int) -> None:
        super().__init__(recent)
        self.labels = labels

    def companion(self, make: Callable[[], Any]) -> Places:  # noqa: ARG002 - whatever the model is
        """Return the window of labels."""
        return Places(self.labels)

    def of(self, vector: Vector, said: Said, taught: Taught) -> float:
        """Return the distance from the nearest label; 0 without any."""
        places = taught.companion
        return self.nearest(places, vector, said["value"]) if isinstance(places, Places) else 0.0

    @abstractmethod
    def nearest(self, places: Places, vector: Vector, value: float) -> float:
        """Return the distance of a sample, and of what is predicted of it, from the nearest label."""


class GreedyInput(_Greedy):
    """GSx: the distance to the nearest labelled sample."""

    reason: ClassVar[str] = "representative"

    def __init__(self, labels: int = 200, recent: int = 200) -> None:
        """Keep the window's length in labels, and the number of samples among which a sample is ranked."""
        super().__init__(labels, recent)

    def nearest(self, places: Places, vector: Vector, value: float) -> float:  # noqa: ARG002 - the same
        """Return min d(x, x_i)."""
        return float(places.apart(vector).min(initial=1e9))


class GreedyOutput(_Greedy):
    """GSy: the distance of the prediction to the nearest label."""

    reason: ClassVar[str] = "representative"

    def __init__(self, labels: int = 200, recent: int = 200) -> None:
        """Keep the window's length in labels, and the number of samples among which a sample is ranked."""
        super().__init__(labels, recent)

    def nearest(self, places: Places, vector: Vector, value: float) -> float:  # noqa: ARG002 - the same
        """Return min |f(x) - y_i|."""
        return float(places.off(value).min(initial=1e9))


class GreedyBoth(_Greedy):
    """GSi (iGS): the product of both distances, to the label for which it is smallest."""

    reason: ClassVar[str] = "representative"

    def __init__(self, labels: int = 200, recent: int = 200) -> None:
        """Keep the window's length in labels, and the number of samples among which a sample is ranked."""
        super().__init__(labels, recent)

    def nearest(self, places: Places, vector: Vector, value: float) -> float:
        """Return min d(x, x_i) |f(x) - y_i|."""
        return float((places.apart(vector) * places.off(value)).min(initial=1e9))
