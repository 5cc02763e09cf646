"""How far predicted numbers are off over all traffic, from the labels that were bought. Pure functions of arrays.

Of answered questions each stands for 1/p samples (p its propensity); means over them are Hájek's (1971), ratios of two estimated
sums. Errors have no largest value, so their intervals come from the central limit theorem, in the error's logarithm because errors are
skewed: they assume that errors have a variance, and that no rare, huge one is still to come.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import exp, inf, log, sqrt
from typing import Final, NamedTuple

import msgspec
import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]  # River brings it along

from service.core.config import StreamConfig
from service.core.evaluation.estimate import CONFIDENCE, answering, describe, weights_of, worth
from service.core.evaluation.evidence import UNTOLD
from service.core.evaluation.figures import MOST_VALUES, OTHER
from service.core.evaluation.report import LONG, SHORT, Saved, Spent, spent_on
from service.core.evaluation.view import Floats, Population, Rows, View

_FEWEST: Final = 5  # labels from which anything is claimed
_LEAST_EFFECTIVE: Final = 2.0
_TIGHTEST: Final = 200.0  # labels at which an interval that holds at all times is tightest
_ALPHA: Final = 1.0 - CONFIDENCE


class Errors(msgspec.Struct, frozen=True):
    """Mean absolute error and root mean squared error over a stretch of all traffic, with intervals of 95 %, in the label's unit.

    Of `n` samples a share `covers` had a chance of being asked; those before the first label have no prediction and do not count.
    `naive` is the mean absolute error on the answered questions themselves; `effective` how many labels of random sampling the
    intervals are worth; `inside` the share of labels within the interval that was told with the prediction, which is to be
    0.95. Null where nothing can be claimed, for a `reason`.
    """

    n: int
    covers: float
    asked: int
    answered: int
    mae: float | None
    low: float | None
    high: float | None
    rmse: float | None
    rmse_low: float | None
    rmse_high: float | None
    naive: float | None
    effective: float | None
    inside: float | None
    reason: str | None


class ErrorsPart(msgspec.Struct, frozen=True):
    """Mean absolute error over a part of the traffic; `share` is how much of all traffic it is."""

    asked: int
    answered: int
    share: float | None
    mae: float | None
    low: float | None
    high: float | None
    naive: float | None
    reason: str | None


class ErrorsEvaluation(msgspec.Struct, frozen=True):
    """How far a regression stream's predictions are off over all traffic, estimated from bought labels alone.

    `window` is the last 2,000 samples, `recent` the last 500, `total` everything since the start: its intervals hold at all times at
    once, as far as the central limit theorem does. `slices` are of the window. What random asking would have needed is not told.
    """

    covers: float
    window: Errors
    recent: Errors
    total: Errors
    slices: dict[str, dict[str, ErrorsPart]]
    spent: Spent
    saved: Saved


class _Mean(NamedTuple):
    value: float
    low: float
    high: float
    labels: float  # of random sampling that it is worth


def evaluate_errors(view: View, config: StreamConfig) -> ErrorsEvaluation:
    """All figures of a regression stream, from a view of the whole history."""
    disabled = config.budget.rate == 0.0 and config.budget.burst == 0
    since = errors(view.total, view.rows, always=True, disabled=disabled)
    long = errors(*view.window(LONG), disabled=disabled)
    return ErrorsEvaluation(
        long.covers,
        long,
        errors(*view.window(SHORT), disabled=disabled),
        since,
        _parts(view.window(LONG)[1], view.slices),
        spent_on(since.answered + view.chosen, config.budget),
        Saved(None, None, None, None, None, "not told of regression streams"),
    )


def recent_errors(view: View, size: int) -> Errors:
    """Errors over the last samples, at most `size`."""
    return errors(*view.window(size))


def overall_errors(view: View) -> Errors:
    """Errors over all samples of a stream that has ended: narrower than `total`, and good for one look at a time set before."""
    return errors(view.total, view.rows)


def errors(population: Population, rows: Rows, *, always: bool = False, disabled: bool = False) -> Errors:
    """Errors over a stretch of traffic, from the questions about it; intervals that hold `always`, or for one look."""
    given = answering(rows)
    told = describe(population, rows, given, disabled=disabled)
    chosen = ~np.isnan(given.rows.losses)
    known, weights = given.rows.of(chosen), 1.0 / given.chances[chosen]
    naive = float(known.losses.mean()) if len(known) else None
    nothing = Errors(*told[:4], None, None, None, None, None, None, naive, None, None, told.reason or "too few labels")
    if told.reason is not None or len(known) < _FEWEST:
        return nothing
    labels = worth(population, given.rate, 1.0)
    mean = _mean(weights, known.losses, labels, always=always)
    if mean.labels < _LEAST_EFFECTIVE:
        return nothing
    squares = [sqrt(figure) for figure in _mean(weights, known.losses**2, labels, always=always)[:3]]
    effective = None if mean.labels == inf else mean.labels
    return Errors(*told[:4], *mean[:3], squares[0], squares[1], squares[2], naive, effective, _inside(known, weights), None)


def _mean(weights: Floats, values: Floats, labels: float, *, always: bool) -> _Mean:
    """The mean of positive values over the traffic, at most as exact as that many `labels` of random sampling."""
    total = float(weights.sum())
    value = float(weights @ values) / total
    apart = (values - value) ** 2
    few = float(total**2 / (weights @ weights))
    spread = max(float((weights * (weights - 1.0)) @ apart) / total**2, float(weights @ apart) / total / labels)
    if not value or not spread:
        return _Mean(value, value, value, labels)
    times = _times(few) if always else float(stdtrit(max(1.0, few - 1.0), 1.0 - _ALPHA / 2.0))
    reach = exp(min(50.0, times * sqrt(spread * few / max(few - 1.0, 1.0)) / value))
    return _Mean(value, value / reach, value * reach, min(labels, few))


def _times(labels: float) -> float:
    """Standard errors of an interval that holds at all numbers of labels at once, tightest at 200.

    An asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Time-uniform central limit theory and asymptotic
    confidence sequences, 2024, theorem 2.2).
    """
    tuned = (log(1.0 / _ALPHA**2) + log(1.0 + log(1.0 / _ALPHA**2))) / _TIGHTEST
    grown = labels * tuned + 1.0
    return sqrt(2.0 * grown / (labels * tuned) * log(sqrt(grown) / _ALPHA))


def _inside(rows: Rows, weights: Floats) -> float | None:
    told = rows.inside != UNTOLD
    return float(weights[told] @ rows.inside[told]) / float(weights[told].sum()) if told.any() else None


def _parts(rows: Rows, names: Sequence[str]) -> dict[str, dict[str, ErrorsPart]]:
    """Every slice's values with their figures: the 20 with the most questions, the rest together as `other`."""
    return {name: dict(_of_slice(rows, index)) for index, name in enumerate(names)}


def _of_slice(rows: Rows, index: int) -> Iterator[tuple[str, ErrorsPart]]:
    values = [part[index] for part in rows.parts]
    counted = Counter(value for value in values if value)
    named = set(sorted(counted, key=lambda value: (value == OTHER, -counted[value], value))[:MOST_VALUES])
    grouped = np.array([value if value in named or not value else OTHER for value in values])
    everything = float(weights_of(rows)[1].sum())
    for value in sorted(set(grouped.tolist()) - {""}, key=lambda value: (value == OTHER, -counted[value], value)):
        yield value, _part(rows.of(grouped == value), everything)


def _part(rows: Rows, everything: float) -> ErrorsPart:
    answered, weights = weights_of(rows)
    share = float(weights.sum()) / everything if len(answered) else None
    chosen = ~np.isnan(answered.losses)
    losses, weights = answered.losses[chosen], weights[chosen]
    naive = float(losses.mean()) if len(losses) else None
    if len(losses) >= _FEWEST:
        mean = _mean(weights, losses, inf, always=False)
        if mean.labels >= _LEAST_EFFECTIVE:
            return ErrorsPart(len(rows), len(answered), share, *mean[:3], naive, None)
    return ErrorsPart(len(rows), len(answered), share, None, None, None, naive, "too few labels")
