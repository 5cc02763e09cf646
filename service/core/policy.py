"""From a utility to a question: the rule gives a probability, exploration a floor, the budget a gate, and one coin decides.

Models and features are unknown here; what is asked and why can be tested with utilities alone.
"""

import math
from hashlib import blake2b

import msgspec

from service.core.budget import BudgetManager
from service.core.records import Query, Reason
from service.core.rules.base import QueryStrategy

_COLD_SURE = 10  # questions that a model without two classes asks outright
_COLD_FACTOR = 3.0  # times the rate, after that: the grant is worth more when there is something to be unsure about


class Coin:
    """A number in [0, 1) a sample id, which only the holder of the 128-bit secret can tell, the same on every replica and in every replay.

    >>> Coin(b"k" * 16).throw("a") == Coin(b"k" * 16).throw("a") != Coin(b"k" * 16).throw("b")
    True
    """

    def __init__(self, secret: bytes) -> None:
        """Take the secret: 16 random bytes."""
        self._keyed = blake2b(key=secret, digest_size=8)

    def throw(self, sample_id: str) -> float:
        """Return the sample's number."""
        hasher = self._keyed.copy()
        hasher.update(sample_id.encode())
        return (int.from_bytes(hasher.digest()) >> 11) / 9007199254740992.0


class QueryPolicy:
    """Decides sample by sample; owns the rule and the account, and moves both with every sample."""

    def __init__(
        self, rule: QueryStrategy, rule_name: str, budget: BudgetManager, exploration: float, secret: bytes, measured: str | None = None
    ) -> None:
        """Take the parts; `exploration` is the share of the rate that is asked at random.

        `measured` is the measure's word for what is asked because of its utility, where it has one.
        """
        self.rule = rule
        self.rule_name = rule_name
        self._word = measured if measured is not None and rule.reason == "uncertain" else rule.reason
        self.budget = budget
        self.coin = Coin(secret)
        self.configure(exploration)

    def configure(self, exploration: float) -> None:
        """Go on with another share of exploration."""
        self.exploration = exploration
        self._share()

    def _share(self) -> None:
        """Share the rate out between exploration and the rule, as long as the budget's terms are the same."""
        self._terms = self.budget.spec
        rate = self._terms.rate
        self._floor = floor = self.exploration * rate
        self._own = max(0.0, (rate - floor) / (1.0 - floor)) if floor < 1.0 else 0.0

    def decide(self, sample_id: str, utility: float, at: float, *, cold: bool = False, available: bool = True) -> Query:
        """Decide about one sample of the given utility in [0, 1] at the time `at`; `cold` for a model without two classes.

        A utility that is no number counts as 1: what a model says nothing sound about is worth asking.
        """
        if not 0.0 <= utility <= 1.0:
            utility = 1.0 if math.isnan(utility) else min(max(utility, 0.0), 1.0)
        budget = self.budget
        if budget.spec is not self._terms:
            self._share()
        obstacle = budget.see(at, available=available)
        floor, due, spent = self._floor, budget.due, budget.spent
        account = budget.account(self._own, due, spent)
        verdict = self.rule.query(utility, account)
        wanted = min(verdict.probability, self._cold_limit()) if cold else verdict.probability
        draw = self.coin.throw(sample_id)
        explored = draw < floor
        # Within its branch the coin is uniform again: the rule's own throw, independent of exploration.
        asks = (draw / floor if explored else (draw - floor) / (1.0 - floor)) < wanted
        self.rule.update(utility, account if obstacle is None else msgspec.structs.replace(account, open=False), asks=asks)
        if obstacle is not None:
            return Query(False, 0.0, obstacle, utility, verdict.threshold, self.rule_name, budget.view(due, spent, 0))
        probability = floor if due + budget.spec.burst - spent >= 1.0 else 0.0
        if account.open:
            probability += (1.0 - floor) * wanted
        ask = draw < probability  # an open account explores as well, so the floor comes first in every case
        reason = self._asked_as(explored, cold=cold) if ask else "budget" if asks or explored else "confident"
        wished = verdict.wished if account.open and not cold else None
        return Query(ask, probability, reason, utility, verdict.threshold, self.rule_name, budget.view(due, spent, ask), wished)

    def _asked_as(self, exploring: bool, *, cold: bool) -> Reason:
        if exploring:
            return "exploration"
        return "cold-start" if cold else self._word  # type: ignore[return-value]

    def _cold_limit(self) -> float:
        return 1.0 if self.budget.spent < _COLD_SURE else min(1.0, _COLD_FACTOR * self.budget.spec.rate)
