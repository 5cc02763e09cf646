"""Several rules at once, in shadow, each steering a share of the questions. How large the shares are is judged elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from operator import mul
from types import MappingProxyType
from typing import ClassVar

from service.core.mixture import shares_at_first
from service.core.rules.base import Account, QueryStrategy, Verdict
from service.core.rules.iwal import ImportanceWeighted
from service.core.rules.logit import Logit
from service.core.rules.quantile import Quantile
from service.core.rules.random import Random

CANDIDATES: Mapping[str, Callable[[], QueryStrategy]] = MappingProxyType(
    {"logit": Logit, "quantile": Quantile, "importance-weighted": ImportanceWeighted, "random": Random}
)


_ROOM = 12.0  # questions by which a candidate may differ from the mixture at least


class AutoRule:
    """Several rules in shadow, mixed by what answers say of them: p = sum of w p over the candidates.

    Candidates: `logit`, `quantile`, `importance-weighted`, `random`. Each takes note of every sample as if it were alone, with an
    account of its own that counts what it would have asked, and one coin falls on the mixture, so that the propensity is exactly
    known. The weights w come from the answered questions (`service.core.mixture`); at least `share` is drawn. Mixing by
    importance-weighted rewards: Exp4.P (Beygelzimer, Langford, Li, Reyzin and Schapire 2011); for query rules, ALBL (Hsu and Lin,
    Active Learning by Learning, 2015).
    """

    reason: ClassVar[str] = "uncertain"
    compact: ClassVar[bool] = False

    def __init__(self, share: float = 0.05) -> None:
        """Keep the share of the rule's questions that is drawn at random at least."""
        self.share = share
        self.names = tuple(CANDIDATES)
        self.weights: Callable[[], Sequence[float]] = lambda: shares_at_first(self.names, share)
        self._candidates = [make() for make in CANDIDATES.values()]
        self._apart = [0.0] * len(self._candidates)  # questions that each would have asked more than the mixture
        self._latest: tuple[float, Account, list[Verdict]] | None = None

    def query(self, utility: float, account: Account) -> Verdict:
        """Return the mixture's probability, with each candidate's own, and the threshold of the heaviest candidate that has one."""
        weights = self.weights()
        verdicts = self._verdicts(utility, account, weights)
        self._latest = utility, account, verdicts
        probability, heaviest, threshold = 0.0, 0.0, None
        for weight, verdict in zip(weights, verdicts, strict=True):
            probability += weight * verdict.probability
            if weight > heaviest and verdict.threshold is not None:
                heaviest, threshold = weight, verdict.threshold
        wished = {name: verdict.probability for name, verdict in zip(self.names, verdicts, strict=True)}
        return Verdict(min(probability, 1.0), threshold, wished)

    def update(self, utility: float, account: Account, *, asks: bool) -> None:
        """Let every candidate take note of the sample, and count what it would have asked."""
        if account.open:
            self._count(utility, account)
        for rule in self._candidates:
            rule.update(utility, account, asks=asks)

    def state(self) -> list[float]:
        """Return the counts, then the candidates' states one after the other, each after its length."""
        states = [rule.state() for rule in self._candidates]
        return [*self._apart, *(number for state in states for number in (float(len(state)), *state))]

    def restore(self, state: list[float]) -> None:
        """Continue with them."""
        place = len(self._candidates)
        self._apart = state[:place]
        for rule in self._candidates:
            end = place + 1 + int(state[place])
            rule.restore(state[place + 1 : end])
            place = end

    def _verdicts(self, utility: float, account: Account, weights: Sequence[float]) -> list[Verdict]:
        """Each candidate's word under an account of its own: the stream's, had it asked what it wanted where others did."""
        middle = sum(map(mul, weights, self._apart))
        return [
            rule.query(utility, Account(account.rate, account.balance + apart - middle, account.grant, account.open, account.late))
            for rule, apart in zip(self._candidates, self._apart, strict=True)
        ]

    def _count(self, utility: float, account: Account) -> None:
        weights, latest = self.weights(), self._latest
        known = latest is not None and latest[0] == utility and latest[1] is account
        verdicts = latest[2] if latest is not None and known else self._verdicts(utility, account, weights)
        mixed = sum(weight * verdict.probability for weight, verdict in zip(weights, verdicts, strict=True))
        far = max(_ROOM, account.grant)
        self._apart = [
            min(max(apart + verdict.probability - mixed, -far), far) for apart, verdict in zip(self._apart, verdicts, strict=True)
        ]
