"""What runs are judged by: accuracy, or how far numbers are off. How a figure is called, written and compared; none is computed here."""

from collections.abc import Callable, Mapping
from math import isnan
from types import MappingProxyType
from typing import Any, NamedTuple

from service.core.config import Task
from service.core.evaluation import Errors, Estimate


class Figure(NamedTuple):
    """A figure of runs. Of its `score` more is better: an accuracy, or an error taken negative."""

    name: str  # in a sentence
    heading: str  # of a column
    more: tuple[str, str]  # headings of the two figures beside it
    beside: Callable[[float], str]  # of the first of them
    text: Callable[[float], str]  # of a score
    gain: Callable[[float], str]  # of a difference of scores
    gained: str  # what that difference is of
    naive: str  # what it is on the bought labels
    enough: Callable[[float], float]  # the score that is as good as this one for all that matters
    told: Callable[[Any], "Told"]  # of an estimate
    sign: float  # of a score in what is shown
    share: bool  # whether it is one, of at most 1


class Told(NamedTuple):
    """What bought labels alone tell, as scores; None where nothing."""

    score: float | None
    low: float | None
    high: float | None
    naive: float | None
    reason: str | None


def percent_of(share: float) -> str:
    """An accuracy, always to a tenth of a percent.

    >>> percent_of(0.95)
    '95.0 %'
    """
    return f"{100 * share:.1f} %"


def number(value: float) -> str:
    """A number as people read it: three digits that count, no exponent where it can be without.

    >>> number(1234.5), number(0.012345), number(12.0)
    ('1,234', '0.0123', '12.0')
    """
    if isnan(value):
        return "–"
    if abs(value) >= 1_000.0:  # noqa: PLR2004 - from here on every digit counts
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"  # noqa: PLR2004 - digits that a float has
    return f"{value:#.3g}"


def _accuracy_told(estimate: Estimate) -> Told:
    return Told(estimate.accuracy, estimate.low, estimate.high, estimate.naive, estimate.reason)


def _error_told(estimate: Errors) -> Told:
    score, low, high, naive = (None if value is None else -value for value in (estimate.mae, estimate.high, estimate.low, estimate.naive))
    return Told(score, low, high, naive, estimate.reason)


FIGURES: Mapping[Task, Figure] = MappingProxyType(
    {
        "classification": Figure(
            "accuracy",
            "accuracy",
            ("macro\nF1", "kappa"),
            "{:.3f}".format,
            percent_of,
            lambda gain: f"{100 * gain:+.1f}",
            "points above random",
            "share that was right among them",
            lambda score: score - 0.01,
            _accuracy_told,
            1.0,
            True,
        ),
        "regression": Figure(
            "mean absolute error",
            "MAE",
            ("RMSE", "inside\nintervals"),
            number,
            lambda score: number(-score),
            lambda gain: ("-" if gain > 0.0 else "+") + number(abs(gain)),
            "against random",
            "mean absolute error on them",
            lambda score: 1.05 * score,
            _error_told,
            -1.0,
            False,
        ),
    }
)
