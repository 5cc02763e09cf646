"""Epistemic uncertainty: how little is known around a sample, apart from how noisy the answer is by nature.

Nguyen, Destercke and Hüllermeier, Epistemic Uncertainty Sampling (2019), section 4; How to Measure Uncertainty in Uncertainty
Sampling for Active Learning (Machine Learning 111, 2022).
"""

from collections.abc import Callable
from math import log
from typing import Any, ClassVar

from service.core.columns import Vector
from service.core.companions import LastLabels
from service.core.measures.base import Unmoved
from service.core.measures.uncertainty import margin
from service.core.taught import Taught

_HALVINGS = 24  # leave 6e-8 of an interval
_SURE = 1e-300


class Epistemic(Unmoved):
    """The smaller of the plausibilities of the two likeliest answers, from labels around the sample.

    An answer is plausible as far as some probability that favours it is likely, given the labels that were seen nearby. Where few
    were seen both answers are plausible, and utility is near 1; where many were seen it is near 0, also if they are half one answer,
    half the other: no label is spent on pure noise. Labels nearby are the last `labels` labels, weighted by a Gaussian kernel.
    """

    reason: ClassVar[str] = "unknown"

    def __init__(self, labels: int = 200, bandwidth: float = 0.25) -> None:
        """Keep the window's length in labels and the kernel's width."""
        self.labels = labels
        self.bandwidth = bandwidth

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:  # noqa: ARG002 - a measure's signature
        """Return the epistemic uncertainty."""
        if not probabilities:
            return 1.0
        frequencies = taught.frequencies(vector, self.bandwidth)
        if frequencies is None:
            return margin(probabilities)
        second, first = sorted(frequencies)[-2:]
        return epistemic(first, second)

    def companion(self, make: Callable[[], Any]) -> LastLabels:  # noqa: ARG002 - whatever the model is
        """Return the window of labels."""
        return LastLabels(self.labels)


def epistemic(first: float, second: float) -> float:
    """The smaller plausibility of two answers that were seen so often, fractions allowed.

    >>> epistemic(0.0, 0.0), epistemic(1000.0, 1000.0) < 0.06, epistemic(1000.0, 0.0) < 0.001
    (1.0, True, True)
    """
    return min(plausibility(first, second), plausibility(second, first))


def plausibility(ours: float, others: float) -> float:
    """Supremum over t of min(L(t), 2t - 1), L the likelihood of t = P(ours) over its maximum.

    L falls and 2t - 1 rises to the right of the maximum n1/(n1+n0), so that the supremum is where they meet, found by bisection;
    to the left of 1/2 the second is negative, and nothing is plausible.
    """
    total = ours + others
    if total <= 0.0:
        return 1.0
    peak = ours / total
    largest = _log_likelihood(peak, ours, others)
    low, high = max(peak, 0.5), 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _log_likelihood(middle, ours, others) - largest > log(max(2.0 * middle - 1.0, _SURE)):
            low = middle
        else:
            high = middle
    return min(1.0, max(0.0, 2.0 * low - 1.0))


def _log_likelihood(chance: float, ours: float, others: float) -> float:
    return (ours * log(chance) if ours else 0.0) + (others * log(max(1.0 - chance, _SURE)) if others else 0.0)
