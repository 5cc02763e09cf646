"""What may be said of an alternative, as a value, and how sure it is. Nothing is replayed or shown here."""

from collections.abc import Sequence
from math import inf, sqrt
from statistics import fmean, variance
from typing import Final, NamedTuple

import msgspec
import numpy as np

from service.core.evaluation.estimate import interval
from service.core.evaluation.view import Floats

_LIKELY: Final = 0.25  # of the way from the best stand-in to what all the labels give (benchmarks/README.md)
_MOST: Final = 0.5
_Z: Final = 1.959964  # deviations that 95 % of a normal variable lie within
_MOST_SHARED: Final = 0.8  # of the labels, that two replays count as having in common


class Finding(msgspec.Struct, frozen=True):
    """What would have come of an alternative, over all traffic of the past; null, with a `reason`, where the log cannot say.

    `low` and `high` are an interval of 95 %. `change` is `accuracy` less that of the stream as it was; its interval is narrower, for both
    are estimated from the same answers. `support` is the share of the questions it would have asked, had the model been as unsure as it
    was, that stand in the log; `exact` says that none is missing, so that nothing is allowed for it.
    """

    words: str
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    macro_f1: float | None = None
    labels: int | None = None
    money: float | None = None
    support: float | None = None
    exact: bool = False
    reason: str | None = None


class Figures(NamedTuple):
    """Of one replay: accuracy over all traffic, how many random labels that is worth, macro-F1, labels bought."""

    accuracy: float
    effective: float
    macro_f1: float
    labels: float


class Bounds(NamedTuple):
    """An accuracy and its interval, and the same of what it gained on what was."""

    accuracy: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float


class Variances(NamedTuple):
    """Variances: of accuracies between one real run and the next, and of the estimated difference to what was."""

    runs: float
    paired: float

    @property
    def change(self) -> float:
        """Half the width of the interval for a change."""
        return _Z * sqrt(self.runs + self.paired)


def mean(runs: Sequence[Figures]) -> Figures:
    """The mean of replays of one kind."""
    return Figures(*(fmean(column) for column in zip(*runs, strict=True)))


def noise(runs: Sequence[Figures], shared: float) -> float:
    """The variance between one real run and the next, from replays that have a share of their labels in common.

    As in sampling without replacement: subsets of n of N things vary by 1 - n/N of what independent samples would.
    """
    if len(runs) < 2:  # noqa: PLR2004 - nothing varies
        return 0.0
    return variance(run.accuracy for run in runs) * (1.0 + 1.0 / len(runs)) / (1.0 - min(shared, _MOST_SHARED))


def paired(misses: Floats, before: Floats, chances: Floats, covered: float) -> float:
    """The variance of the difference between two estimates from the same answers, asked independently with these chances.

    Where they differ at all, one more difference is counted than was seen, among the samples that were least likely asked: few questions
    stand for most of the traffic, and none of them may have shown it.
    """
    if np.array_equal(misses, before):
        return 0.0
    costs = (1.0 - chances) / chances**2
    return float((costs * (misses - before) ** 2).sum() + costs.max()) / covered**2


def exactly(found: Figures, now: float, errors: Variances) -> Bounds:
    """The interval where every question that would have been asked stands in the log."""
    return between(found, found, now, errors)


def between(least: Figures, most: Figures, now: float, errors: Variances) -> Bounds:
    """The interval where the truth lies between a stand-in and what all the labels give: up to half of the way."""
    gap = max(0.0, most.accuracy - least.accuracy)
    top = most._replace(accuracy=least.accuracy + _MOST * gap)
    likely, low, high = least.accuracy + _LIKELY * gap, _interval(least, errors.runs)[0], _interval(top, errors.runs)[1]
    ends = least.accuracy - now - errors.change, top.accuracy - now + errors.change
    return Bounds(likely, low, high, likely - now, *ends)


def _interval(found: Figures, spread: float) -> tuple[float, float]:
    share = found.accuracy
    binomial = share * (1.0 - share)
    one = binomial / found.effective + spread
    return interval(share, binomial / one if one else inf)
