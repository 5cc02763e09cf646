"""Figures of one run: agreement, class balance, calibration, the course of accuracy. Values in, values out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from statistics import fmean
from typing import NamedTuple

Confusion = Mapping[tuple[str, str | None], int]  # samples by true label and prediction

BINS = 10  # of confidence
_PLACES = 120  # of a course
_WINDOWS = 20  # a course's window is that part of the stream
_SHORTEST = 20  # samples of a window


def kappa(confusion: Confusion) -> float:
    """Cohen's kappa, (p_o - p_e) / (1 - p_e): agreement beyond what the frequencies of labels and predictions give by chance.

    0 where chance alone explains everything. Source: Cohen, Educational and Psychological Measurement 20(1), 1960.

    >>> kappa({("a", "a"): 3, ("a", "b"): 1, ("b", "a"): 1, ("b", "b"): 3})
    0.5
    """
    total, true, predicted = _margins(confusion)
    if not total:
        return 0.0
    observed = sum(count for (label, said), count in confusion.items() if label == said) / total
    expected = sum(count * predicted[label] for label, count in true.items()) / total**2
    return (observed - expected) / (1.0 - expected) if expected < 1.0 else 0.0


def macro_f1(confusion: Confusion) -> float:
    """The mean over the true classes of F1 = 2 TP / (2 TP + FP + FN); a sample without a prediction is a miss of its class.

    >>> macro_f1({("a", "a"): 8, ("b", "a"): 2})
    0.4444444444444444
    """
    _, true, predicted = _margins(confusion)
    return fmean(2 * confusion.get((label, label), 0) / (count + predicted[label]) for label, count in true.items()) if true else 0.0


def _margins(confusion: Confusion) -> tuple[int, Counter[str], Counter[str | None]]:
    true: Counter[str] = Counter()
    predicted: Counter[str | None] = Counter()
    for (label, said), count in confusion.items():
        true[label] += count
        predicted[said] += count
    return true.total(), true, predicted


class Bin(NamedTuple):
    """Samples whose confidence lies in one tenth of 0..1: how many, their mean confidence, the share that was right."""

    samples: int
    confidence: float
    accuracy: float


def reliability(confidences: Sequence[float], correct: Sequence[int]) -> list[Bin]:
    """The reliability diagram: a bin for every tenth of confidence that has samples; those without a prediction are left out."""
    counts, sums, hits = [0] * BINS, [0.0] * BINS, [0] * BINS
    for confidence, right in zip(confidences, correct, strict=True):
        if confidence > 0.0:
            place = min(BINS - 1, int(confidence * BINS))
            counts[place] += 1
            sums[place] += confidence
            hits[place] += right
    return [Bin(count, total / count, right / count) for count, total, right in zip(counts, sums, hits, strict=True) if count]


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: the mean distance of confidence from accuracy, bins weighted by their samples.

    Source: Naeini, Cooper, Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.
    """
    total = sum(one.samples for one in bins)
    return sum(one.samples * abs(one.confidence - one.accuracy) for one in bins) / total if total else 0.0


def window_of(n: int) -> int:
    """The samples over which a course of `n` is averaged."""
    return max(1, min(n, max(_SHORTEST, n // _WINDOWS)))


def course(correct: Sequence[float]) -> list[tuple[int, float]]:
    """Accuracy (or another mean) along the stream: samples seen, and the share that was right of the last `window_of(n)` of them."""
    n = len(correct)
    window = window_of(n)
    sums = [0.0, *accumulate(correct)]
    places = sorted({round(window + (n - window) * step / _PLACES) for step in range(_PLACES + 1)}) if n else []
    return [(place, (sums[place] - sums[place - window]) / window) for place in places]
