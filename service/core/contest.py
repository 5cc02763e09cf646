"""Which of several predictors is right most often over all traffic, told from bought labels alone. It knows no models and no features."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import msgspec

_MEMORY = 0.996  # of what a label says, left when the next one comes: a half-life of 170 labels, since the world moves
_MARGIN = 1.6  # standard errors by which the second candidate must be ahead before it leads
_STEP = 0.4  # more for each further one
_RETURN = 1.0  # for one that is trusted more than the leader
_FEWEST = 20  # labels that must have been judged before anybody takes over


class Takeover(NamedTuple):
    """Who led before, and by how much fewer errors a sample the new leader was ahead, with the standard error of that."""

    before: str
    ahead: float
    error: float


class Contender(msgspec.Struct, frozen=True):
    """The share of all traffic that a candidate was right about of late, and how many random labels would tell as much.

    `accuracy` None: nothing was told yet.
    """

    model: str
    accuracy: float | None
    labels: float


class Contest:
    """Errors of candidates, each weighed by the samples that its label stands for, and who leads.

    A label that was asked with probability p stands for 1/p samples (Horvitz and Thompson 1952), so that what is asked because the
    leader is unsure does not count for more than its share of the traffic. Sums forget, label by label. Two candidates differ only
    where exactly one of them is wrong, so the difference of their errors has the variance of those weights alone, and candidates that
    mostly agree are told apart by few labels. The first candidate leads until another is clearly ahead, and so on: by 1.6 standard
    errors the second, by 0.4 more each further one, since more candidates find more chances and are trusted less beforehand; one that is
    trusted more than the leader takes the lead back by one.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Start with candidates in the order in which they are trusted before anything is known."""
        self.names = list(names)
        self.leader = 0
        self.judged = 0  # labels that told something
        self.takeover: Takeover | None = None  # the last one
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

    def standings(self) -> list[Contender]:
        """How each candidate stands, in the order of trust."""
        if not self.judged:
            return [Contender(name, None, 0.0) for name in self.names]
        labels = self._weight * self._weight / self._squares
        return [Contender(name, 1.0 - errors / self._weight, labels) for name, errors in zip(self.names, self._errors, strict=True)]

    def why(self) -> str:
        """Say in a sentence why the leader leads."""
        last = self.takeover
        if last is not None:
            ahead = f"{100 * last.ahead:.1f} points fewer errors over all traffic (standard error {100 * last.error:.1f})"
            return f"{self.leading} took over from {last.before} with {ahead}; no other was clearly better since"
        if self.judged < _FEWEST:
            return f"{self.leading} answers first; {_FEWEST} labels that were asked for must be in before another can take over"
        return f"{self.leading} answers since the start; no other was clearly better, by {_MARGIN:g} standard errors and more"

    def _settle(self) -> None:
        """Let the best of those take over that are clearly ahead of the leader."""
        if self.judged < _FEWEST:
            return
        leader = self.leader
        best, ahead = leader, 0.0
        for other, errors in enumerate(self._errors):
            fewer = self._errors[leader] - errors
            margin = _MARGIN + _STEP * (other - 1) if other > leader else _RETURN
            if fewer > ahead and fewer > margin * sqrt(self._apart[leader][other]):
                best, ahead = other, fewer
        if best != leader:
            self.takeover = Takeover(self.leading, ahead / self._weight, sqrt(self._apart[leader][best]) / self._weight)
            self.leader = best
