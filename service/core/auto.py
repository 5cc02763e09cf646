"""Several cheap models that learn from the same labels; the one that is right most often answers. It knows neither budget nor log."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from service.core.columns import ARRAYS
from service.core.contest import Contender, Contest
from service.core.knowing import is_linear, learn_weighted
from service.core.tokens import is_word

Vector = dict[str, float]

_NARROW = 128  # columns, of those that are neither words nor embeddings, that every candidate looks at


class Choice(msgspec.Struct, frozen=True):
    """Which model answers, how many labels it had learned when it began to, why, and how all candidates stand."""

    model: str
    since: int
    why: str
    candidates: list[Contender]


class AutoModel:
    """Candidates that all learn every label; only the leader of their contest predicts, so that a decision costs what one model costs.

    `judge` tells the contest what each would have said of a sample whose label was asked for, before any of them learns it. All
    columns are read by those candidates alone that are made for thousands of them; the others see the first 128 that are no words, so
    that a label costs a few milliseconds at most.
    """

    def __init__(self, candidates: Mapping[str, Any], readers: Iterable[str]) -> None:
        """Take candidates in the order in which they are trusted while nothing is known; `readers` are those that read all columns."""
        self.candidates = dict(candidates)
        self.contest = Contest(list(candidates))
        self._readers = frozenset(readers)
        self._narrow: dict[str, None] = {}
        self._wide = False  # whether there are more columns than these
        self.learned = self._since = 0  # labels in all, and when the leader began to answer

    @property
    def choice(self) -> Choice:
        """Who answers and why."""
        leading = self.contest.leading
        why = f"{leading} answers: there are only words, which it alone reads" if self._only_words else self.contest.why()
        return Choice(leading, self._since, why, self.contest.standings())

    @property
    def _only_words(self) -> bool:
        return self._wide and not self._narrow

    @property
    def linear(self) -> bool:
        """Whether the model that answers is linear in its vectors."""
        return is_linear(self.candidates[self.contest.leading])

    def predict_proba_one(self, x: Vector) -> dict[int, float]:
        """Return what the leader says."""
        leading = self.contest.leading
        said: dict[int, float] = self.candidates[leading].predict_proba_one(self._seen_by(leading, x))
        return said

    def predict_proba_each(self, xs: Sequence[Vector]) -> list[dict[int, float]]:
        """Return what the leader says of each."""
        leading = self.contest.leading
        model, seen = self.candidates[leading], [self._seen_by(leading, x) for x in xs]
        together = getattr(model, "predict_proba_each", None)
        return list(map(model.predict_proba_one, seen)) if together is None else together(seen)

    def learn_one(self, x: Vector, y: int, w: float = 1.0) -> None:
        """Let every candidate learn a label; raises what the leader raises, and what another raises is its own loss."""
        self.learned += 1
        if not x.keys() <= self._narrow.keys():
            self._meet(x)
        for name, model in self.candidates.items():
            with suppress(*() if name == self.contest.leading else (Exception,)):
                _learn(model, self._seen_by(name, x), y, w)

    def judge(self, x: Vector, y: int, stakes: float) -> None:
        """See which candidates would have been wrong about a label that stands for `stakes` samples; nothing is learned.

        While there are only words, which most do not see, there is nothing to compare, and with an embedding, which they do not see
        either, they would take over by chance alone.
        """
        if not self._narrow or ARRAYS in x:
            return
        before = self.contest.leader
        self.contest.judge([self._said_by(name, x) != y for name in self.candidates], stakes)
        if self.contest.leader != before:
            self._since = self.learned

    def members(self) -> list["Member"]:
        """The candidates as a committee: those that see something."""
        return [Member(self, name) for name in self.candidates if name in self._readers or not self._only_words]

    def say(self, name: str, x: Vector) -> dict[int, float]:
        """Return what a candidate says."""
        said: dict[int, float] = self.candidates[name].predict_proba_one(self._seen_by(name, x))
        return said

    def _said_by(self, name: str, x: Vector) -> int | None:
        """The class that a candidate takes a vector for: the first of equals, as predictions have it."""
        try:
            said = self.say(name, x)
        except Exception:  # noqa: BLE001 - a broken candidate is wrong
            return None
        return max(sorted(said), key=said.__getitem__, default=None)

    def _seen_by(self, name: str, x: Vector) -> Vector:
        if not self._wide or name in self._readers:
            return x
        narrow = self._narrow
        return {column: value for column, value in x.items() if column in narrow}

    def _meet(self, x: Vector) -> None:
        for column in x:
            if column not in self._narrow:
                if len(self._narrow) < _NARROW and column != ARRAYS and not is_word(column):
                    self._narrow[column] = None
                else:
                    self._wide = True


class Member:
    """A candidate as a model of its own."""

    def __init__(self, auto: AutoModel, name: str) -> None:
        """Take the candidate's name."""
        self._auto = auto
        self._name = name

    def predict_proba_one(self, x: Vector) -> dict[int, float]:
        """Return what it says."""
        return self._auto.say(self._name, x)


def _learn(model: Any, x: Vector, y: int, w: float) -> None:
    if w == 1.0:
        model.learn_one(x, y)
    else:
        learn_weighted(model, x, y, w)
