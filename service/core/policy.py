"""From a utility to a question: the rule gives a probability, exploration a floor, the budget a gate, and one coin decides.

Models and features are unknown here; what is asked and why can be tested with utilities alone.
"""

import math
from hashlib import blake2b
from typing import NamedTuple

from service.core.budget import BudgetManager
from service.core.records import BudgetView, Query, Reason
from service.core.rules.base import QueryStrategy

_COLD_SURE = 10  # questions that a model without two classes asks outright
_COLD_FACTOR = 3.0  # times the rate, after that: the grant is worth more when there is something to be unsure about


def coin(secret: bytes, sample_id: str) -> float:
    """A number in [0, 1) that only the holder of the 128-bit secret can tell, the same on every replica and in every replay.

    >>> coin(b"k" * 16, "a") == coin(b"k" * 16, "a") != coin(b"k" * 16, "b")
    True
    """
    digest = blake2b(sample_id.encode(), key=secret, digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 9007199254740992.0


class _Odds(NamedTuple):
    probability: float
    threshold: float | None


class QueryPolicy:
    """Decides sample by sample; owns the rule and the account, and moves both with every sample."""

    def __init__(self, rule: QueryStrategy, rule_name: str, budget: BudgetManager, exploration: float, secret: bytes) -> None:
        """Take the parts; `exploration` is the share of the rate that is asked at random."""
        self.rule = rule
        self.rule_name = rule_name
        self.budget = budget
        self.secret = secret
        self.exploration = exploration

    def decide(self, sample_id: str, utility: float, at: float, *, cold: bool = False, available: bool = True) -> Query:
        """Decide about one sample of the given utility in [0, 1] at the time `at`; `cold` for a model without two classes.

        A utility that is no number counts as 1: what a model says nothing sound about is worth asking.
        """
        utility = 1.0 if math.isnan(utility) else min(max(utility, 0.0), 1.0)
        obstacle = self.budget.see(at, available=available)
        floor = self.exploration * self.budget.spec.rate
        account = self.budget.account(floor)
        verdict = self.rule.query(utility, account)
        wanted = min(verdict.probability, self._cold_limit()) if cold else verdict.probability
        draw = coin(self.secret, sample_id)
        # Within its branch the coin is uniform again: the rule's own throw, independent of exploration.
        own = draw / floor if draw < floor else (draw - floor) / (1.0 - floor)
        asks = own < wanted
        self.rule.update(utility, account if obstacle is None else account._replace(open=False), asks=asks)
        if obstacle is not None:
            return self._query(_Odds(0.0, verdict.threshold), obstacle, utility, ask=False)
        probability = (floor if self.budget.explores else 0.0) + ((1.0 - floor) * wanted if account.open else 0.0)
        ask = draw < probability  # an open account explores as well, so the floor comes first in every case
        reason = self._asked_as(draw < floor, cold=cold) if ask else "budget" if asks or draw < floor else "confident"
        return self._query(_Odds(probability, verdict.threshold), reason, utility, ask=ask)

    def _asked_as(self, exploring: bool, *, cold: bool) -> Reason:
        if exploring:
            return "exploration"
        return "cold-start" if cold else self.rule.reason  # type: ignore[return-value]

    def _cold_limit(self) -> float:
        return 1.0 if self.budget.spent < _COLD_SURE else min(1.0, _COLD_FACTOR * self.budget.spec.rate)

    def _query(self, odds: _Odds, reason: Reason, utility: float, *, ask: bool) -> Query:
        view: BudgetView = self.budget.view(asking=ask)
        return Query(ask, odds.probability, reason, utility, odds.threshold, self.rule_name, view)
