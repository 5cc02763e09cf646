"""Which of several predictors is right most often over all traffic, told from bought labels alone. It knows no models and no features."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

_MEMORY = 0.996  # of what a label says, left when the next one comes: a half-life of 170 labels, since the world moves
_MARGIN = 2.0  # standard errors by which a challenger must be ahead before it leads
_FEWEST = 30  # labels that must have been judged before anybody takes over


class Standing(NamedTuple):
    """A candidate's share of all traffic that it was right about of late, and the number of random labels that this rests on."""

    accuracy: float | None
    labels: float


class Contest:
    """Errors of candidates, each weighed by the samples that its label stands for, and who leads.

    A label that was asked with probability p stands for 1/p samples (Horvitz and Thompson 1952), so that what is asked because the
    leader is unsure does not count for more than its share of the traffic. Sums forget, label by label. Two candidates differ only
    where exactly one of them is wrong, so the difference of their errors has the variance of those weights alone, and candidates that
    mostly agree are told apart by few labels. The first candidate leads until another is ahead by `_MARGIN` standard errors, and so
    on: nobody takes the lead back by chance alone.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Start with candidates in the order in which they are trusted before anything is known."""
        self.names = list(names)
        self.leader = 0
        self.judged = 0  # labels that told something
        self.since = 0  # of these, when the leader took over
        self.lead: tuple[int, float, float] | None = None  # then: who led before, errors a sample fewer, their standard error
        self._weight = self._squares = 0.0
        self._errors = [0.0] * len(self.names)
        self._apart = [[0.0] * len(self.names) for _ in self.names]  # squared weights of the labels that exactly one of two got wrong

    @property
    def leading(self) -> str:
        """The name of the candidate that answers."""
        return self.names[self.leader]

    def judge(self, wrong: Sequence[bool], stakes: float) -> None:
        """Take a label in that stands for `stakes` samples; `wrong` says of each candidate whether it erred."""
        self.judged += 1
        self._weight = _MEMORY * self._weight + stakes
        self._squares = _MEMORY * _MEMORY * self._squares + stakes * stakes
        for one, erred in enumerate(wrong):
            self._errors[one] = _MEMORY * self._errors[one] + stakes * erred
            row = self._apart[one]
            for other, also in enumerate(wrong):
                row[other] = _MEMORY * _MEMORY * row[other] + (stakes * stakes if erred != also else 0.0)
        self._settle()

    def standings(self) -> dict[str, Standing]:
        """How each candidate stands; an accuracy of None before the first label."""
        labels = self._weight * self._weight / self._squares if self._squares else 0.0
        return {
            name: Standing(1.0 - errors / self._weight if self._weight else None, labels)
            for name, errors in zip(self.names, self._errors, strict=True)
        }

    def _settle(self) -> None:
        """Let the best of those take over that are clearly ahead of the leader."""
        if self.judged < _FEWEST:
            return
        leader = self.leader
        best, ahead = leader, 0.0
        for other, errors in enumerate(self._errors):
            fewer = self._errors[leader] - errors
            if fewer > ahead and fewer > _MARGIN * sqrt(self._apart[leader][other]):
                best, ahead = other, fewer
        if best != leader:
            self.lead = leader, ahead / self._weight, sqrt(self._apart[leader][best]) / self._weight
            self.leader, self.since = best, self.judged
