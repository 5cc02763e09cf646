"""The account of a stream: what is due, what was asked, what may still be asked. It knows nothing of features, models or rules.

Law 6: at every prefix asked - given back <= rate x seen + burst, whatever happens; caps and open questions are never exceeded.
"""

from collections import Counter
from fractions import Fraction
from math import floor, inf
from typing import Any, NamedTuple

from service.core.config import BudgetSpec
from service.core.records import BudgetView, Reason
from service.core.rules.base import Account

_RESERVE = 10.0  # questions kept for exploration
_RESERVE_SHARE = 0.2  # of the start-up grant, where that is less

_HEARD = 0.2  # weight of the last answer in how late answers are

_HOUR, _DAY = 3_600, 86_400  # seconds
_MONDAY = 3  # 1970-01-01 was a Thursday
_PERIODS = ("hour", "day", "week", "total")


def period_of(per: str, at: float) -> int:
    """The number of the UTC calendar period that the time `at` lies in; weeks begin on Monday. Every period is made of whole hours.

    >>> period_of("week", 0.0), period_of("week", 4 * 86_400.0), period_of("total", 1e9)
    (0, 1, 0)
    """
    if per == "hour":
        return int(at // _HOUR)
    if per == "day":
        return int(at // _DAY)
    if per == "week":
        return int(at // _DAY + _MONDAY) // 7
    return 0


class Standing(NamedTuple):
    """The decision state of an account; `at` is the time of the last sample."""

    seen: int
    since: int
    earned: float
    rate: float
    at: float

    @property
    def due(self) -> float:
        """Labels due: what was `earned` until `since` samples, and the rate since then."""
        return self.earned + self.rate * (self.seen - self.since)


class BudgetManager:
    """Rate, start-up grant, bank, caps by count and money, open questions.

    Learned, from the log: `asked`, `given_back`, `open`, `late` and the periods' counts. Of the decision state: `seen` and `due`. In
    between: questions that are reserved, decided but not yet in the log, which count as asked everywhere. Floats are exact enough: up to
    a million labels they keep the law for every rate of at most eight decimals.
    """

    def __init__(self, spec: BudgetSpec) -> None:
        """Start an empty account."""
        self.seen = 0
        self.asked = self.given_back = self.open = 0
        self.late = 0.0  # questions asked between a question and its answer, a moving mean
        self.last_at = self._asked_at = 0.0
        self._periods: dict[str, tuple[int, int]] = {}  # the running period of each kind: its number, and questions asked in it
        self._reserved: Counter[int] = Counter()  # by hour
        self.reserved = 0  # questions on their way to the log
        self._lost = False  # the last one given up did not arrive there
        self._base_due, self._base_seen = 0.0, 0
        self.spec = spec
        self.configure(spec)

    def configure(self, spec: BudgetSpec) -> None:
        """Go on under another configuration; what was due stays due."""
        if self.seen:
            self._base_due, self._base_seen = self.due, self.seen
        self.spec = spec
        self.bank = float(spec.burst if spec.bank is None else spec.bank)
        self.reserve = min(_RESERVE, spec.burst * _RESERVE_SHARE)
        self._grant = max(0.0, spec.burst - self.reserve - 1.0)
        self._cap = _cap(spec)
        self._disabled = spec.rate == 0.0 and spec.burst == 0

    @property
    def due(self) -> float:
        """Labels that the rate has earned so far, less what was forfeited."""
        return self._base_due + self.spec.rate * (self.seen - self._base_seen)

    @property
    def spent(self) -> int:
        """Questions asked and reserved, less those given back."""
        return self.asked + self.reserved - self.given_back

    @property
    def left(self) -> float:
        """Questions that may still be asked."""
        return self.due + self.spec.burst - self.spent

    @property
    def grant_left(self) -> float:
        """Questions of the start-up grant that were not spent above the rate, or were earned back by it."""
        return min(float(self.spec.burst), max(0.0, self.left))

    def see(self, at: float, *, available: bool = True) -> Reason | None:
        """Count a sample in; return why nothing at all may be asked for it, or None.

        While something stands in the way, or questions do not get into the log, savings above the bank are forfeited, so that no
        flood follows.
        """
        self.last_at = max(self.last_at, at)
        self.seen += 1
        reason = self._obstacle(available)
        if reason is not None or self._lost:
            self.seen -= 1
            before = self.left
            self.seen += 1
            excess = self.left - max(before, self.bank - self.reserved)  # what is on its way may come back
            if excess > 0:
                self._base_due -= excess
        return reason

    def allowance(self, at: float, kept: float) -> tuple[int, Reason]:
        """How many questions about samples that were counted before may be asked at the time `at`, and what stands in the way of more.

        So many questions of the rate and the grant are `kept` for others.
        """
        self.last_at = max(self.last_at, at)
        if self._disabled:
            return 0, "disabled"
        bounds: list[tuple[float, Reason]] = [
            (floor(self.left - kept), "budget"),
            (self.period_left, "cap"),
            (self.spec.max_open - self.open - self.reserved, "max-open"),
        ]
        least, reason = min(bounds)
        return max(0, int(least)), reason

    def account(self, rate: float, due: float, spent: int) -> Account:
        """What a rule may know, with `rate` its own share of samples; `due` and `spent` as they are now."""
        return Account(rate, spent - due, self._grant, due + self.spec.burst - spent >= 1.0 + self.reserve, self.late)

    def view(self, due: float, spent: int, asking: int) -> BudgetView:
        """The account as a decision shows it, with the question that it is `asking`; `due` and `spent` as they are now."""
        allowed = floor(due + self.spec.burst)
        return BudgetView(self.seen, spent + asking, max(0, allowed), self.open + self.reserved + asking)

    def take(self) -> int:
        """Reserve a place for a question; returns the token that gives it back."""
        hour = period_of("hour", self.last_at)
        self._reserved[hour] += 1
        self.reserved += 1
        return hour

    def release(self, token: int) -> None:
        """Give a reservation up: its question is in the log and `commit` follows at once, or it never will be."""
        self._reserved[token] -= 1
        self.reserved -= 1
        self._lost = True
        if self._reserved[token] <= 0:
            del self._reserved[token]

    def commit(self, at: float) -> None:
        """Fold a question that is in the log."""
        self._lost = False
        self.asked += 1
        self.open += 1
        self._asked_at = max(self._asked_at, at)
        self.last_at = max(self.last_at, at)
        for per in _PERIODS:
            period = period_of(per, self._asked_at)
            self._periods[per] = (period, 1 + self._asked_in(per, period))

    def hear(self, ordinal: int) -> None:
        """Fold the answer that a question teaches by, the `ordinal`-th that was asked; 0 is a sample that nobody was asked about."""
        if ordinal:
            self.late += _HEARD * (self.asked - ordinal - self.late)

    def standing(self) -> Standing:
        """The decision state, as a mark in the log keeps it."""
        return Standing(self.seen, self._base_seen, self._base_due, self.spec.rate, self.last_at)

    def resume(self, standing: Standing) -> None:
        """Continue the decision state from a mark in the log; what was due under another rate stays due."""
        self.seen, self._base_seen, self._base_due, rate, at = standing
        if rate != self.spec.rate:
            self._base_seen, self._base_due = self.seen, standing.due
        self.last_at = max(self.last_at, at)

    def learned(self) -> dict[str, Any]:
        """What the log rebuilds."""
        return {
            "asked": self.asked,
            "given_back": self.given_back,
            "open": self.open,
            "late": self.late,
            "asked_at": self._asked_at,
            "periods": dict(self._periods),
        }

    def restore(self, learned: dict[str, Any]) -> None:
        """Continue what `learned` gave."""
        self.asked, self.given_back, self.open = learned["asked"], learned["given_back"], learned["open"]
        self.late = learned["late"]
        self._asked_at = learned["asked_at"]
        self.last_at = max(self.last_at, self._asked_at)
        self._periods = dict(learned["periods"])

    @property
    def period_left(self) -> float:
        """Questions that the cap of the running period still allows; infinite where there is no cap."""
        if self._cap is None:
            return inf
        per = self.spec.per
        period = period_of(per, self.last_at)
        coming = sum(count for hour, count in self._reserved.items() if period_of(per, hour * _HOUR) == period)
        return self._cap - self._asked_in(per, period) - coming

    def _asked_in(self, per: str, period: int) -> int:
        running, asked = self._periods.get(per, (period, 0))
        return asked if running == period else 0

    def _obstacle(self, available: bool) -> Reason | None:
        if self._disabled:
            return "disabled"
        if not available:
            return "unavailable"
        if self._cap is not None and self.period_left < 1:
            return "cap"
        if self.open + self.reserved >= self.spec.max_open:
            return "max-open"
        return None


def _cap(spec: BudgetSpec) -> int | None:
    if spec.spend is not None and spec.price is not None:
        # As the decimals that were written: in floats 0.3 / 0.1 is 2.9999999999999996.
        return floor(Fraction(str(spec.spend)) / Fraction(str(spec.price)))
    return spec.labels
