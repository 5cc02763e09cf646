"""Probabilistic active learning: the expected gain in accuracy, around the sample, from a few labels more.

Krempl, Kottke and Spiliopoulou, Optimised Probabilistic Active Learning (OPAL) (2015); Kottke, Krempl, Lang, Teschner and Spiliopoulou,
Multi-Class Probabilistic Active Learning (2016).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from math import factorial
from typing import Any, ClassVar

import msgspec

from service.core.columns import Vector
from service.core.companions import LastLabels
from service.core.measures.density import Surroundings
from service.core.measures.ranks import Ranks
from service.core.measures.uncertainty import margin
from service.core.taught import Taught

_NEIGHBOURS = 10  # that count for the density
_PRIOR = 1e-3  # pseudo-labels of each class, as in the reference implementation
_CLASSES = 4  # the most frequent ones around a sample; hypothetical labels of others are not looked at


class Probabilistic:
    """Gain per label of the best number of up to `foresight` hypothetical labels, times representativeness; its rank among the last.

    How often each class was seen around the sample comes from the last `labels` labels, weighted by a Gaussian kernel. As in the
    papers a gain counts for as many samples as it is for, which is what the density among the last `recent` samples stands for.
    """

    reason: ClassVar[str] = "gain"

    def __init__(self, labels: int = 200, bandwidth: float = 0.25, foresight: int = 2, recent: int = 200) -> None:
        """Keep the windows' lengths in labels and samples, the kernel's width, and how many labels are looked ahead."""
        self.labels = labels
        self.bandwidth = bandwidth
        self.foresight = foresight
        self.recent = recent
        self._ranks = Ranks(recent)
        self._surroundings = Surroundings(recent, _NEIGHBOURS)

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:
        """Return the rank of the expected gain."""
        weight = self._surroundings.observe(sample_id, vector)
        if not probabilities:
            return 1.0
        frequencies = taught.frequencies(vector, self.bandwidth)
        if frequencies is None:
            return margin(probabilities)
        return self._ranks.observe(expected_gain(frequencies, self.foresight) * weight)

    def companion(self, make: Callable[[], Any]) -> LastLabels:  # noqa: ARG002 - whatever the model is
        """Return the window of labels."""
        return LastLabels(self.labels)

    def state(self) -> bytes:
        """Return the last gains and samples."""
        return msgspec.msgpack.encode([self._ranks.state(), self._surroundings.state()])

    def restore(self, state: bytes) -> None:
        """Continue with the last gains and samples."""
        ranks, surroundings = msgspec.msgpack.decode(state)
        self._ranks.restore(ranks)
        self._surroundings.restore(surroundings)

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Take these samples out of the window."""
        self._surroundings.forget(sample_ids)


def expected_gain(frequencies: Sequence[float], foresight: int, prior: float = _PRIOR) -> float:
    """Largest of (1/m) E[p(best class after m labels) - p(best class now)], m up to `foresight`, in closed form.

    The class probabilities p are Dirichlet(frequencies + prior); m labels fall as a Dirichlet-multinomial l, after which the
    expectation of p is (frequencies + prior + l) / (their sum + m).

    >>> round(expected_gain([0.0, 0.0], 1), 4), expected_gain([9.0, 0.0], 1)
    (0.499, 0.0)
    """
    seen = sorted(frequencies, reverse=True)[:_CLASSES]
    weights = [count + prior for count in seen]
    total = sum(weights)
    return max(_gain(seen, weights, total, m) / m for m in range(1, foresight + 1))


def _gain(seen: Sequence[float], weights: Sequence[float], total: float, m: int) -> float:
    gain, whole = 0.0, 1.0
    for i in range(m):
        whole *= total + i
    for labels, ways in _outcomes(len(seen), m):
        best = max(range(len(seen)), key=lambda c: seen[c] + labels[c])
        if best:  # the classes are sorted, so that the best one now is the first
            chance = ways / whole
            for weight, count in zip(weights, labels, strict=True):
                for i in range(count):
                    chance *= weight + i
            gain += chance * (weights[best] + labels[best] - weights[0] - labels[0]) / (total + m)
    return max(gain, 0.0)


@lru_cache(maxsize=64)
def _outcomes(classes: int, m: int) -> list[tuple[tuple[int, ...], int]]:
    """All ways in which m labels fall on the classes: how many on each, and in how many orders."""
    return list(_enumerated(classes, m))


def _enumerated(classes: int, m: int) -> Iterator[tuple[tuple[int, ...], int]]:
    for drawn in combinations_with_replacement(range(classes), m):
        counts = tuple(drawn.count(c) for c in range(classes))
        ways = factorial(m)
        for count in counts:
            ways //= factorial(count)
        yield counts, ways
