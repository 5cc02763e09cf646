"""Accuracy over all traffic from the labels that were bought: a point and an interval. Pure functions of arrays.

Every sample with a prediction gets m, the share of samples as sure as it that were right of late; what that misses is corrected with
the labels, each of which stands for 1/p samples (p its propensity):

    accuracy = (sum of m over all samples + sum of (correct - m) / p over the answered ones) / samples

This is the difference estimator (Särndal, Swensson, Wretman 1992, section 6.3), also called doubly robust or augmented inverse
propensity weighting (Robins, Rotnitzky, Zhao 1994): unbiased whatever m is, and the less variable the better m is. A sample without a
prediction counts as wrong, which takes no label to know.
"""

from math import inf
from typing import Final, NamedTuple

import numpy as np
from scipy.special import betaincinv  # type: ignore[import-untyped]  # River brings it along

from service.core.evaluation.traffic import SURE
from service.core.evaluation.view import Floats, Population, Rows, usable

CONFIDENCE: Final = 0.95
COVERS: Final = 0.95  # of the traffic at least must have had a chance

# What confidence is worth before any label says so: the middle of each kind.
PRIOR: Final = np.array([0.45, 0.55, 0.65, 0.75, 0.85, 0.925, 0.965, 0.985, 0.995, 0.999])
_PRIOR_LABELS: Final = 2.0  # a kind, that the prior is worth
_CAUTION: Final = 5.0  # labels that say that confidence explains nothing
_FEWEST: Final = 5  # labels from which anything is claimed
_LEAST_EFFECTIVE: Final = 2.0  # labels of random sampling that the interval must be worth
_LEAST_SPREAD: Final = 0.2  # of the variance that m leaves, at least


class Estimate(NamedTuple):
    """An estimate and its interval; all None where nothing can be claimed, and `reason` says why.

    `naive` is the accuracy on the answered questions, which asks about the hardest samples. `effective` is how many labels of random
    sampling the interval is worth.
    """

    n: int
    covers: float
    asked: int
    answered: int
    accuracy: float | None
    low: float | None
    high: float | None
    naive: float | None
    effective: float | None
    reason: str | None


class Answered(NamedTuple):
    """Answered questions with the chances that they had of being asked and answered."""

    rows: Rows
    chances: Floats
    rate: float  # of the questions that stand for many samples


def trust(history: Rows) -> Floats:
    """How often samples of each kind were right, shrunk towards the kind's own confidence: one number a kind."""
    rows = history.of(usable(history) & (history.kinds < SURE))
    weights = 1.0 / rows.chances
    weight = np.bincount(rows.kinds, weights, SURE)
    right = np.bincount(rows.kinds, weights * rows.correct, SURE)
    squares = np.bincount(rows.kinds, weights * weights, SURE)
    labels = np.divide(weight**2, squares, out=np.zeros(SURE), where=squares > 0)  # effective
    share = np.divide(right, weight, out=np.zeros(SURE), where=weight > 0)
    trusted: Floats = (labels * share + _PRIOR_LABELS * PRIOR) / (labels + _PRIOR_LABELS)
    return trusted


def spread(history: Rows, trusted: Floats) -> float:
    """The share of the variance that is left once m is known, between 0.2 and 1: 1 where labels say little yet."""
    rows = history.of(usable(history) & (history.kinds < SURE))
    weights = (1.0 - rows.chances) / rows.chances**2
    if not weights.sum():
        return 1.0
    labels = weights.sum() ** 2 / (weights**2).sum()
    mean = (rows.correct / rows.chances).sum() / (1.0 / rows.chances).sum()
    left = (weights * (rows.correct - trusted[rows.kinds]) ** 2).sum() / weights.sum() / max(mean * (1.0 - mean), 1e-3)
    return float(np.clip((labels * left + _CAUTION) / (labels + _CAUTION), _LEAST_SPREAD, 1.0))


def answering(rows: Rows) -> Answered:
    """The answered questions; where some have no answer (yet), the others stand for them.

    Sure questions and those that stand for many samples are adjusted apart, each by the share of them that is answered.
    """
    chances, rate = rows.chances.copy(), 1.0
    good = usable(rows)
    for sure in (True, False):
        group = (rows.chances >= 0.5) == sure  # noqa: PLR2004 - as likely asked as not
        if good[group].any() and not good[group].all():
            share = float(good[group].mean())
            chances[group] *= share
            rate = rate if sure else share
    return Answered(rows.of(good), chances[good], rate)


def corrected(population: Population, given: Answered, trusted: Floats) -> float:
    """The estimated number of right predictions: what m says, corrected by the labels. It may lie outside of what is possible."""
    known = given.rows.kinds < SURE
    missed = given.rows.correct[known] - trusted[given.rows.kinds[known]]
    return float(population.counts[:SURE] @ trusted + (missed / given.chances[known]).sum())


def estimate(population: Population, rows: Rows, history: Rows, *, disabled: bool = False) -> Estimate:
    """Accuracy over a stretch of traffic with an interval of 95 %, from the questions about it and those of its `history`."""
    given = answering(rows)
    told = describe(population, rows, given, disabled=disabled)
    if told.reason is not None:
        return told
    trusted = trust(history)
    effective = worth(population, given.rate, spread(history, trusted))
    if effective < _LEAST_EFFECTIVE:
        return told._replace(reason="too few labels")
    accuracy = min(1.0, max(0.0, corrected(population, given, trusted) / population.covered))
    low, high = interval(accuracy, effective)
    return told._replace(accuracy=accuracy, low=low, high=high, effective=None if effective == inf else effective)


def describe(population: Population, rows: Rows, given: Answered, *, disabled: bool) -> Estimate:
    """All but the claim, with the reason why there can be none."""
    answered = len(given.rows)
    naive = float(given.rows.correct.mean()) if answered else None
    covers = population.covered / population.n if population.n else 0.0
    reason = None
    if not population.n:
        reason = "no samples"
    elif disabled and not len(rows):
        reason = "disabled"
    elif covers < COVERS:
        reason = "not covered"
    elif answered < _FEWEST:
        reason = "too few labels"
    return Estimate(population.n, covers, len(rows), answered, None, None, None, naive, None, reason)


def worth(population: Population, rate: float, left: float) -> float:
    """The number of labels of random sampling that have the estimate's variance; infinite where every sample was sure to be asked.

    The variance of a sum over samples that are asked independently is the sum of their variances times (1 - p) / p, over all
    samples: what was not asked counts, so that luck with the costly labels does not make the interval narrow.
    """
    cost = (population.cost + population.predicted) / rate - population.predicted
    return population.covered**2 / (cost * left) if cost > 0 else inf


def interval(share: float, labels: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """An interval for a share that was estimated with the precision of so many labels.

    Beta quantiles: Jeffreys' below, Clopper and Pearson's above. Estimates are skewed, since one wrong answer that stands for many
    samples takes them down, so that the truth lies above more often than a symmetric interval allows.

    >>> [round(end, 3) for end in interval(0.9, 10.0)]
    [0.619, 0.997]
    """
    if labels == inf:
        return share, share
    tail, right = (1.0 - confidence) / 2.0, share * labels
    wrong = labels - right
    low = float(betaincinv(right + 0.5, wrong + 0.5, tail))
    high = float(betaincinv(right + 1.0, wrong, 1.0 - tail)) if wrong > 0 else 1.0
    return min(low, share), max(high, share)


def weights_of(rows: Rows) -> tuple[Rows, Floats]:
    """Answered questions and how many samples each stands for; samples without a prediction among them."""
    given = answering(rows)
    return given.rows, 1.0 / given.chances


def ratio(weights: Floats, values: Floats) -> tuple[float, float]:
    """A weighted mean (Hájek 1971), and the number of equally weighted labels of the same precision (Kish 1965)."""
    total = weights.sum()
    return float((weights * values).sum() / total), float(total**2 / (weights**2).sum())
