"""How the demo's people answer: late, out of order, some twice, a few wrong and corrected later, a few never. Pure; nothing is sent.

Everything about a question's answers follows from the seed and the question's number. Fates are dealt from decks of 50, so that
the shares hold in short runs too.
"""

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

Fate = Literal["once", "twice", "wrong", "never"]

_SHARES: Mapping[Fate, int] = MappingProxyType({"never": 1, "wrong": 2, "twice": 3, "once": 44})
_DECK = [fate for fate, cards in _SHARES.items() for _ in range(cards)]
_LABELERS = ("ada", "ben", "cleo")
SHORTEST, _LONGEST = 5, 60  # samples from a question to its answer, and from an answer to its correction or repetition


class Delivery(NamedTuple):
    """An answer on its way; `delay` counts the samples since the question."""

    delay: int
    label: str
    labeler: str


class Plan:
    """The answers to every question, by its number."""

    def __init__(self, seed: int, classes: Sequence[str]) -> None:
        """Take what a wrong answer may be, and what repeats a run."""
        self._seed = seed
        self._classes = classes

    def fate(self, number: int) -> Fate:
        """What becomes of the question of that number, counted from 0."""
        deck, card = divmod(number, len(_DECK))
        return random.Random(f"deck {self._seed} {deck}").sample(_DECK, len(_DECK))[card]

    def deliveries(self, number: int, truth: str) -> list[Delivery]:
        """The question's answers in order; the last one is the truth, except where nobody answers.

        >>> plan = Plan(1, ["ok", "fraud"])
        >>> plan.fate(7), plan.deliveries(7, "fraud")
        ('twice', [Delivery(delay=44, label='fraud', labeler='ben'), Delivery(delay=56, label='fraud', labeler='ben')])
        """
        chance = random.Random(f"question {self._seed} {number}")
        fate = self.fate(number)
        if fate == "never":
            return []
        labeler = chance.choice(_LABELERS)
        first = chance.randint(SHORTEST, _LONGEST)
        if fate == "once":
            return [Delivery(first, truth, labeler)]
        again = first + chance.randint(SHORTEST, _LONGEST)
        others = [name for name in self._classes if name != truth] or [truth]
        return [Delivery(first, chance.choice(others) if fate == "wrong" else truth, labeler), Delivery(again, truth, labeler)]
