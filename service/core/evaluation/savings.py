"""How many labels random asking would have needed for the accuracy that asking well reached, from bought labels alone.

Answers to random questions (`exploration`) are a random sample of all labels. One model of the stream's kind learns from all of them,
another from a third of them: two points of random asking's learning curve, over the same traffic at the same time. How the three models
differ is measured on all answered questions, each weighed by the samples it stands for. From there the curve is continued: at most
as steep as if each tripling of labels gained half as much again as the one before did, at least as if it gained half of it. Learning
curves are power laws in the end (Viering and Loog 2022), whose gains shrink by a constant factor a tripling, 0.5 to 1 for exponents of up
to 0.63; before that, and while new classes appear, they grow.
"""

from math import exp, inf, log
from typing import Final, NamedTuple

import numpy as np

from service.core.evaluation.estimate import CONFIDENCE, weights_of
from service.core.evaluation.evidence import THINNED
from service.core.evaluation.view import Floats, Population, Rows

_STEEPEST, LIKELY, _FLATTEST = 1.5, 0.7, 0.5  # the gain of a tripling over that of the one before
_DRAWS: Final = 1_000
_FEWEST: Final = 30  # answers to random questions from which anything is claimed


class Needed(NamedTuple):
    """Labels that random asking would have needed, with an interval of 95 %.

    `high` None: perhaps no number of them would do, and then no number is told.
    """

    labels: float | None
    low: float | None
    high: float | None
    reason: str | None


def needed(population: Population, rows: Rows) -> Needed:
    """Labels of random asking for the accuracy over all of this traffic; deterministic, though it draws."""
    taught = int((rows.explored & rows.answered).sum())
    if taught < _FEWEST:
        return _unknown("too few labels")
    mean, covariance = _differences(rows)
    leads, gains = np.random.default_rng(0).multivariate_normal(mean, covariance, _DRAWS, method="svd").T
    tail = (1.0 - CONFIDENCE) / 2.0
    most = population.covered
    low = _labels(taught, np.quantile(_triplings(leads, gains, _STEEPEST), tail, method="lower"), most)
    high = _labels(taught, np.quantile(_triplings(leads, gains, _FLATTEST), 1.0 - tail, method="higher"), most)
    likely = None if high is None else _labels(taught, _triplings(mean[:1], mean[1:], LIKELY)[0], most)
    return Needed(likely, most if low is None else low, high, "random asking may never get there" if high is None else None)


def _unknown(reason: str) -> Needed:
    return Needed(None, None, None, reason)


def _differences(rows: Rows) -> tuple[Floats, Floats]:
    """Accuracy of the service less that of the first arm, and of the first arm less that of the second: means and their covariance."""
    answered, weights = weights_of(rows)
    first, second = ((guess == answered.truths).astype(np.float64) for guess in answered.guesses)
    differences = weights / weights.sum() * np.stack([answered.correct - first, first - second])
    return differences.sum(axis=1), differences @ differences.T


def _triplings(leads: Floats, gains: Floats, factor: float) -> Floats:
    """How often labels must be tripled to gain a lead, each time gaining `factor` times as much as the time before; inf: never."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gains > 0.0, leads / gains, np.where(leads > 0.0, inf, -inf))
        if factor == 1.0:
            return ratio
        left = 1.0 - ratio * (1.0 - factor) / factor
        triplings: Floats = np.where(left > 0.0, np.log(left) / log(factor), inf if factor < 1.0 else -inf)
    return triplings


def _labels(taught: int, triplings: float, most: float) -> float | None:
    """The number of labels after so many triplings; None for more than there are samples."""
    if triplings > log(most / taught) / log(THINNED):
        return None
    return taught * exp(triplings * log(THINNED))
