"""Query by committee: how far members that learned the same labels differently disagree.

The members are those of an ensemble, or a small bagged committee beside any other model. Definitions: Settles, Active Learning
Literature Survey (2009), section 3.2; Dagan and Engelson (1995) for vote entropy, McCallum and Nigam (1998) for the divergence.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec

from service.core.columns import Vector
from service.core.companions import Committee, has_members
from service.core.measures.base import Unmoved
from service.core.measures.ranks import Ranks
from service.core.measures.uncertainty import entropy, margin
from service.core.taught import Taught

Opinions = Sequence[dict[str, float]]  # a distribution a member, over the same classes


class _OfMembers(Unmoved, ABC):
    """What all have in common: whom to ask. Where nobody can be asked (yet) the margin stands in."""

    reason: ClassVar[str] = "disagreement"

    def __init__(self, members: int = 5) -> None:
        """Keep the size of the bagged committee; an ensemble has its own members."""
        self.members = members

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:  # noqa: ARG002 - a measure's signature
        """Return the disagreement of the members."""
        if not probabilities:
            return 1.0
        opinions = taught.opinions(vector)
        return min(max(self.of(opinions), 0.0), 1.0) if len(opinions) > 1 else margin(probabilities)

    @abstractmethod
    def of(self, opinions: Opinions) -> float:
        """Return the disagreement of two opinions or more."""

    def companion(self, make: Callable[[], Any]) -> Committee | None:
        """Return a bagged committee, unless the model has members of its own."""
        return None if has_members(make()) else Committee(make, self.members)


class Consensus(_OfMembers):
    """Margin of the members' mean probabilities: 1 - (p1 - p2) of their soft vote."""

    def of(self, opinions: Opinions) -> float:
        """Return the margin of the consensus."""
        return margin(mean(opinions))


class Divergence(_OfMembers):
    """Mean Kullback-Leibler divergence of the members from their mean, as its rank among the last samples: what no member can know.

    With equal weights this is the Jensen-Shannon divergence of the members, and the mutual information of label and member that
    BALD maximises (Houlsby et al. 2011): members who agree that a case is a toss-up do not ask about it. How large it is depends on
    how far the members have come, so that it has no scale of its own; hence the rank.
    """

    def __init__(self, members: int = 5, recent: int = 200) -> None:
        """Keep the size of the committee and the number of samples among which a sample is ranked."""
        super().__init__(members)
        self.recent = recent
        self._ranks = Ranks(recent)

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:
        """Return the rank of the divergence."""
        utility = super().observe(sample_id, vector, probabilities, taught)
        return self._ranks.observe(utility) if probabilities else utility

    def of(self, opinions: Opinions) -> float:
        """Return H(mean) - mean H, over log(number of classes)."""
        return entropy(mean(opinions)) - math.fsum(map(entropy, opinions)) / len(opinions)

    def state(self) -> bytes:
        """Return the last divergences."""
        return msgspec.msgpack.encode(self._ranks.state())

    def restore(self, state: bytes) -> None:
        """Continue with the last divergences."""
        self._ranks.restore(msgspec.msgpack.decode(state, type=list[float]))


class VoteEntropy(_OfMembers):
    """Entropy of the members' votes, over its largest possible value."""

    def of(self, opinions: Opinions) -> float:
        """Return -sum v log v over the shares of votes, over log(min(members, classes))."""
        votes: dict[str, int] = {}
        for opinion in opinions:
            favourite = max(opinion, key=opinion.__getitem__)
            votes[favourite] = votes.get(favourite, 0) + 1
        if len(votes) == 1:
            return 0.0
        total = len(opinions)
        spread = -math.fsum(count / total * math.log(count / total) for count in votes.values())
        return spread / math.log(min(total, len(opinions[0])))


class SoftVoteEntropy(_OfMembers):
    """Entropy of the members' mean probabilities, over log(number of classes)."""

    def of(self, opinions: Opinions) -> float:
        """Return the entropy of the consensus."""
        return entropy(mean(opinions))


class LossRange(_OfMembers):
    """Largest difference between two members' losses over all answers: the disagreement of importance-weighted active learning.

    max over y, i, j of L(h_i(x), y) - L(h_j(x), y) with the loss 1 - p(y) in [0, 1]: Beygelzimer, Dasgupta and Langford, Importance
    Weighted Active Learning (2009), section 6.2, whose version space is a bootstrapped committee as well. There it is, with a floor, the
    probability of asking; here exploration is the floor and a rule keeps the budget.
    """

    def of(self, opinions: Opinions) -> float:
        """Return the widest range that one class's probability has."""
        return max(max(column) - min(column) for column in _columns(opinions))


def mean(opinions: Opinions) -> dict[str, float]:
    """The members' mean probabilities.

    >>> mean([{"a": 1.0, "b": 0.0}, {"a": 0.5, "b": 0.5}])
    {'a': 0.75, 'b': 0.25}
    """
    count = len(opinions)
    return {name: math.fsum(column) / count for name, column in zip(opinions[0], _columns(opinions), strict=True)}


def _columns(opinions: Opinions) -> Iterator[tuple[float, ...]]:
    return zip(*(opinion.values() for opinion in opinions), strict=True)
