"""The account of a stream: what is due, what was asked, what may still be asked. It knows nothing of features, models or rules.

Law 6: at every prefix asked - given back <= rate x seen + burst, whatever happens; caps and open questions are never exceeded.
"""

import math
from collections import Counter
from typing import Any

from service.core.config import BudgetSpec
from service.core.records import BudgetView, Reason
from service.core.rules.base import Account

_RESERVE = 10.0  # questions kept for exploration
_RESERVE_SHARE = 0.2  # of the start-up grant, where that is less

_HOUR, _DAY = 3_600, 86_400  # seconds
_MONDAY = 3  # 1970-01-01 was a Thursday


def period_of(per: str, at: float) -> int:
    """The number of the UTC calendar period that the time `at` lies in; weeks begin on Monday.

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


class BudgetManager:
    """Rate, start-up grant, bank, caps by count and money, open questions.

    Learned, from the log: `asked`, `given_back`, `open` and the period's count. Of the decision state: `seen` and `due`. In between:
    questions that are reserved, decided but not yet in the log, which count as asked everywhere.
    """

    def __init__(self, spec: BudgetSpec) -> None:
        """Start an empty account."""
        self.seen = 0
        self.asked = self.given_back = self.open = 0
        self.last_at = self._asked_at = 0.0
        self._period = self._period_asked = 0
        self._reserved: Counter[int] = Counter()
        self._base_due, self._base_seen = 0.0, 0
        self.spec = spec
        self.configure(spec)

    def configure(self, spec: BudgetSpec) -> None:
        """Go on under another configuration; what was due stays due."""
        if self.seen:
            self._base_due, self._base_seen = self.due, self.seen
        if self.asked and spec.per != self.spec.per:
            self._period = period_of(spec.per, self._asked_at)
            self._period_asked = self.asked if spec.per == "total" else 0
        self.spec = spec
        self.bank = float(spec.burst if spec.bank is None else spec.bank)
        self.reserve = min(_RESERVE, spec.burst * _RESERVE_SHARE)
        self._cap = _cap(spec)

    @property
    def due(self) -> float:
        """Labels that the rate has earned so far, less what was forfeited."""
        return self._base_due + self.spec.rate * (self.seen - self._base_seen)

    @property
    def reserved(self) -> int:
        """Questions on their way to the log."""
        return self._reserved.total()

    @property
    def spent(self) -> int:
        """Questions asked and reserved, less those given back."""
        return self.asked + self.reserved - self.given_back

    @property
    def left(self) -> float:
        """Questions that may still be asked."""
        return self.due + self.spec.burst - self.spent

    def see(self, at: float, *, available: bool = True) -> Reason | None:
        """Count a sample in; return why nothing at all may be asked for it, or None.

        While something stands in the way, savings above the bank are forfeited, so that no flood follows.
        """
        before = self.left
        self.last_at = max(self.last_at, at)
        self.seen += 1
        reason = self._obstacle(available=available)
        if reason is not None:
            excess = self.left - max(before, self.bank)
            if excess > 0:
                self._base_due -= excess
        return reason

    def account(self, exploration: float) -> Account:
        """What a rule may know, with `exploration` the share of samples asked at random."""
        rate = self.spec.rate
        own = (rate - exploration) / (1.0 - exploration) if exploration < 1.0 else 0.0
        grant = max(0.0, self.spec.burst - self.reserve - 1.0)
        return Account(max(0.0, own), self.spent - self.due, grant, self.left >= 1.0 + self.reserve)

    @property
    def explores(self) -> bool:
        """Whether an exploration question may be asked."""
        return self.left >= 1.0

    def view(self, *, asking: bool) -> BudgetView:
        """The account as a decision shows it, this one included."""
        allowed = max(0, math.floor(self.due + self.spec.burst))
        return BudgetView(self.seen, self.spent + asking, allowed, self.open + self.reserved + asking)

    def take(self) -> int:
        """Reserve a place for a question; returns the token that gives it back."""
        period = period_of(self.spec.per, self.last_at)
        self._reserved[period] += 1
        return period

    def release(self, token: int) -> None:
        """Give a reservation up: its question is in the log, or never will be."""
        self._reserved[token] -= 1
        if self._reserved[token] <= 0:
            del self._reserved[token]

    def commit(self, at: float) -> None:
        """Fold a question that is in the log."""
        self.asked += 1
        self.open += 1
        self._asked_at = max(self._asked_at, at)
        self.last_at = max(self.last_at, at)
        period = period_of(self.spec.per, self._asked_at)
        if period != self._period:
            self._period, self._period_asked = period, 0
        self._period_asked += 1

    def resume(self, seen: int, due: float) -> None:
        """Continue the decision state from a mark in the log."""
        self.seen = self._base_seen = seen
        self._base_due = due

    def learned(self) -> dict[str, Any]:
        """What the log rebuilds."""
        return {
            "asked": self.asked,
            "given_back": self.given_back,
            "open": self.open,
            "asked_at": self._asked_at,
            "period": self._period,
            "period_asked": self._period_asked,
        }

    def restore(self, learned: dict[str, Any]) -> None:
        """Continue what `learned` gave."""
        self.asked, self.given_back, self.open = learned["asked"], learned["given_back"], learned["open"]
        self._asked_at = learned["asked_at"]
        self.last_at = max(self.last_at, self._asked_at)
        self._period, self._period_asked = learned["period"], learned["period_asked"]

    @property
    def period_left(self) -> float:
        """Questions that the cap of the running period still allows; infinite where there is no cap."""
        if self._cap is None:
            return math.inf
        period = period_of(self.spec.per, self.last_at)
        used = self._period_asked if period == self._period else 0
        return self._cap - used - self._reserved[period]

    def _obstacle(self, *, available: bool) -> Reason | None:
        if self.spec.rate == 0.0 and self.spec.burst == 0:
            return "disabled"
        if not available:
            return "unavailable"
        if self.period_left < 1:
            return "cap"
        if self.open + self.reserved >= self.spec.max_open:
            return "max-open"
        return None


def _cap(spec: BudgetSpec) -> int | None:
    if spec.spend is not None and spec.price is not None:
        # A hair above the quotient, because 0.3 / 0.1 is 2.9999999999999996.
        return math.floor(spec.spend / spec.price * (1 + 1e-12))
    return spec.labels
