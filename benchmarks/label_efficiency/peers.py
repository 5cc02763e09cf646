"""The peers' query rules, run through their own code: probabilities in, a decision out. Models and streams are none of theirs here.

scikit-activeml's stream strategies for uncertainty are 1 - p1 handed to one of its budget managers, which is what happens here too,
without its wrapper around scikit-learn models. While a model knows fewer than two classes everything is as uncertain as can be: a
favour, since 1 - p1 is 0 then and most would never ask. River's sampler gets none: with two classes River's logistic regression says
0.5 before its first label, so it asks; with more, one against the rest says nothing, and it never does.
"""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from river.active import EntropySampler

_DISCOUNT = 0.5  # River's has no budget: a budget of 1 % is a discount of 50 here, one of 20 % is 2.5 (its default is 3)

Probabilities = Mapping[str, float]


class Peer(Protocol):
    """A rule of somebody else."""

    def wants(self, probabilities: Probabilities) -> bool:
        """Whether it asks for the label of a sample that the model says this of."""
        ...


class BudgetManager:
    """One of scikit-activeml's budget managers on least confidence."""

    def __init__(self, manager: Any, *, remembers_utilities: bool) -> None:
        """Take the manager; `remembers_utilities` where its update needs them."""
        self._manager = manager
        self._remembers = remembers_utilities

    def wants(self, probabilities: Probabilities) -> bool:
        """Query, then update with what was decided."""
        utilities = np.array([1.0 - max(probabilities.values()) if len(probabilities) > 1 else 1.0])
        queried = self._manager.query_by_utility(utilities)
        more = {"utilities": utilities} if self._remembers else {}
        self._manager.update(candidates=np.zeros((1, 1)), queried_indices=queried, **more)
        return len(queried) > 0


class Entropy:
    """River's sampler. It has no budget, but a discount factor: the larger, the fewer labels."""

    def __init__(self, discount: float, seed: int, *, binary: bool) -> None:
        """Make it, without a model of its own; `binary` where the stream has two classes."""
        self._binary = binary
        self._sampler = EntropySampler(classifier=None, discount_factor=discount, seed=seed)  # type: ignore[arg-type]

    def wants(self, probabilities: Probabilities) -> bool:
        """Let it throw its coin."""
        if len(probabilities) < 2:
            return self._binary
        return self._sampler._ask_for_label(None, dict(probabilities))  # noqa: SLF001 - all it decides by


Maker = Callable[[float, int, Sequence[str]], Peer]  # of a budget, a seed, and the labels of the stream


class Entry(NamedTuple):
    """A peer's rule: how it is made, and whether its decisions depend on a seed."""

    make: Maker
    seeded: bool


def _activeml(name: str, *, classes: bool = False) -> Maker:
    def make(budget: float, seed: int, labels: Sequence[str]) -> Peer:
        from skactiveml.stream import budgetmanager  # noqa: PLC0415 - the extra `bench`

        kind = getattr(budgetmanager, name)
        more: dict[str, Any] = {"classes": list(labels)} if classes else {}
        if "random_state" in signature(kind).parameters:
            more["random_state"] = seed
        return BudgetManager(kind(budget=budget, **more), remembers_utilities=name == "BalancedIncrementalQuantileFilter")

    return make


def _entropy(budget: float, seed: int, labels: Sequence[str]) -> Peer:
    return Entropy(_DISCOUNT / budget, seed, binary=len(labels) == 2)


PEERS: Mapping[str, Entry] = MappingProxyType(
    {
        "FixedUncertainty": Entry(_activeml("FixedUncertaintyBudgetManager", classes=True), seeded=False),
        "VariableUncertainty": Entry(_activeml("VariableUncertaintyBudgetManager"), seeded=False),
        "RandomVariableUncertainty": Entry(_activeml("RandomVariableUncertaintyBudgetManager"), seeded=True),
        "Split": Entry(_activeml("SplitBudgetManager"), seeded=True),
        "BIQF": Entry(_activeml("BalancedIncrementalQuantileFilter"), seeded=False),
        "EntropySampler": Entry(_entropy, seeded=True),
    }
)
