"""What a query rule is: utility and account in, probability out. A rule spends nothing; the budget and the coin act on what it gives."""

from typing import ClassVar, Protocol

import msgspec


class Account(msgspec.Struct, frozen=True, gc=False):
    """What a rule may know of the money when a sample is decided.

    `rate` is the rule's own share of samples, after exploration has had its part; `balance` what was asked less what was due
    (negative: labels are owed); `grant` how much of the start-up grant a rule may use up; `open` whether it may ask at all; `late` how
    many questions are asked between a question and its answer.
    """

    rate: float
    balance: float
    grant: float
    open: bool
    late: float = 0.0


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """A rule's word: the probability that it asks, and the utility from which it would (None where there is no such thing).

    `wished` has the probabilities of the candidates that it mixes, by name, where it does.
    """

    probability: float
    threshold: float | None
    wished: dict[str, float] | None = None


class QueryStrategy(Protocol):
    """A query rule. `query` never changes state, `update` does; parameters are keyword arguments stored as given.

    `reason` is the word for its asks. `state` and `restore` carry everything that moves; where it is longer than a few numbers,
    `compact` is False and it is written with checkpoints only, not with every question.
    """

    reason: ClassVar[str]
    compact: ClassVar[bool]

    def query(self, utility: float, account: Account) -> Verdict:
        """Return the probability of asking at this utility in [0, 1]."""
        ...

    def update(self, utility: float, account: Account, *, asks: bool) -> None:
        """Take note of a decided sample; `asks` is whether the rule's own coin fell on asking."""
        ...

    def state(self) -> list[float]:
        """Return all that moves."""
        ...

    def restore(self, state: list[float]) -> None:
        """Continue from what `state` gave."""
        ...


class Stateless:
    """The part of a rule that has nothing to remember."""

    compact: ClassVar[bool] = True

    def update(self, utility: float, account: Account, *, asks: bool) -> None:
        """Nothing moves."""

    def state(self) -> list[float]:
        """Nothing to write."""
        return []

    def restore(self, state: list[float]) -> None:
        """Nothing to continue."""
