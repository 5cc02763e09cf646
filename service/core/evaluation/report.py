"""All that may be said of a stream's accuracy, in one record. It gathers; the estimators stand beside it."""

from fractions import Fraction

import msgspec

from service.core.config import BudgetSpec, StreamConfig
from service.core.evaluation.estimate import Estimate, answering, corrected, describe, estimate, trust
from service.core.evaluation.evidence import WINDOW
from service.core.evaluation.figures import NOTHING, OfClass, Part, parts, quality
from service.core.evaluation.savings import needed
from service.core.evaluation.sequence import sequence
from service.core.evaluation.view import View
from service.core.stated import EXTERNAL

LONG, SHORT = WINDOW, 500  # samples of a window


class Figures(msgspec.Struct, frozen=True):
    """Accuracy over a stretch of all traffic, with an interval of 95 %, from the answers to questions about it.

    Of `n` samples a share `covers` had a chance of being asked. `naive` is the accuracy on the answered questions themselves;
    `effective` how many labels of random sampling the interval is worth. Null where nothing can be claimed, for a `reason`.
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
    macro_f1: float | None
    kappa: float | None
    log_loss: float | None
    reason: str | None


class Spent(msgspec.Struct, frozen=True):
    """Answers that were bought, and their price; null where the stream has none."""

    labels: int
    money: float | None
    currency: str | None


class Saved(msgspec.Struct, frozen=True):
    """What asking well was worth: asking at random would have needed `random` labels to be as accurate, `labels` more than were bought.

    `low` and `high` are an interval of 95 % for these, `money` their price. `high` is null where perhaps no number of random labels
    would do.
    """

    random: int | None
    labels: int | None
    low: int | None
    high: int | None
    money: float | None
    reason: str | None


class Evaluation(msgspec.Struct, frozen=True):
    """How good the stream's predictions are over all traffic, estimated from bought labels alone.

    `window` is the last 2,000 samples, `recent` the last 500, `total` everything since the start: its interval holds at all times at
    once, so that it may be watched for ever. `classes` and `slices` are of the window.
    """

    covers: float
    window: Figures
    recent: Figures
    total: Figures
    classes: dict[str, OfClass]
    slices: dict[str, dict[str, Part]]
    spent: Spent
    saved: Saved


def recent(view: View, size: int, *, disabled: bool = False) -> Estimate:
    """Accuracy over the last samples, at most `size`."""
    return estimate(*view.window(size), view.history, disabled=disabled)


def overall(view: View) -> Estimate:
    """Accuracy over all samples of a stream that has ended: narrower than `total`, and good for one look at a time set before."""
    return estimate(view.total, view.rows, view.rows)


def total(view: View, floor: float, *, disabled: bool = False) -> Estimate:
    """Accuracy since the start; its interval holds at all times at once. Needs the whole history."""
    given = answering(view.rows)
    told = describe(view.total, view.rows, given, disabled=disabled)
    found = sequence(view.total, view.rows, floor) if told.reason is None else None
    if found is None:
        return told if told.reason is not None else told._replace(reason="contradiction")
    low, high = found
    accuracy = corrected(view.total, given, trust(view.rows)) / view.total.covered
    return told._replace(accuracy=min(max(accuracy, low), high), low=low, high=high)


def evaluate(view: View, config: StreamConfig) -> Evaluation:
    """All figures of a stream, from a view of the whole history."""
    budget = config.budget
    disabled = budget.rate == 0.0 and budget.burst == 0
    since = total(view, config.exploration * budget.rate, disabled=disabled)
    long = recent(view, LONG, disabled=disabled)
    _, rows = view.window(LONG)
    claimed = quality(rows, view.labels) if long.reason is None else NOTHING
    bought = since.answered + view.chosen
    return Evaluation(
        long.covers,
        _figures(view, long, LONG),
        _figures(view, recent(view, SHORT, disabled=disabled), SHORT),
        _figures(view, since, None),
        claimed.classes,
        parts(rows, view.slices),
        spent_on(bought, budget),
        _relayed() if config.model.type == EXTERNAL else saved(view, since, budget.price),
    )


def spent_on(labels: int, budget: BudgetSpec) -> Spent:
    """So many answers with their price."""
    return Spent(labels, None if budget.price is None else price_of(labels, budget.price), budget.currency)


def saved(view: View, since: Estimate, price: float | None) -> Saved:
    """What random asking would have needed for the accuracy since the start, less what was bought."""
    if since.reason is not None:
        return Saved(None, None, None, None, None, since.reason)
    found = needed(view.total, view.rows)
    random, low, high = (None if end is None else round(end) for end in found[:3])
    more, least, most = (None if end is None else end - since.answered - view.chosen for end in (random, low, high))
    money = None if price is None or more is None else price_of(more, price)
    return Saved(random, more, least, most, money, found.reason)


def _relayed() -> Saved:
    return Saved(None, None, None, None, None, "no label changes which class an external model names")


def price_of(labels: float, price: float) -> float:
    """The price of so many labels, as the decimals that were written: in floats 3 x 0.1 is 0.30000000000000004.

    >>> price_of(3, 0.1)
    0.3
    """
    return float(Fraction(str(labels)) * Fraction(str(price)))


def _figures(view: View, found: Estimate, size: int | None) -> Figures:
    rows = view.rows if size is None else view.window(size)[1]
    more = quality(rows, view.labels) if found.reason is None else NOTHING
    return Figures(*found[:-1], more.macro_f1, more.kappa, more.log_loss, found.reason)
