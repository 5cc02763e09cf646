"""What is to be simulated: the options, and the runs that they amount to. Nothing runs here."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from service.core.catalogue import effective
from service.core.errors import Invalid
from service.core.models import DEFAULT
from service.core.rules import RULES

BUDGETS = (0.01, 0.02, 0.05, 0.10)
SEEDS = (0, 1, 2)
RANDOM = "random"
EVERY = "every label"

_FURTHER = (2.0, 4.0)  # times the largest budget, at random: what random asking needs to be as good
_FURTHEST = 0.5  # of all labels


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    file: Path
    label: str | None = None
    model: str = DEFAULT
    rules: Sequence[str] = ()
    measure: str = "margin"
    budgets: Sequence[float] = BUDGETS
    delay: int = 0
    lost: float = 0.0
    seeds: Sequence[int] = SEEDS
    exploration: float | None = None
    price: float | None = None
    json: Path | None = None
    report: Path | None = None
    rows: int | None = None
    jobs: int | None = None

    def command(self) -> str:
        """A command that does the same again, whatever the defaults become."""
        words = ["askwhen", "simulate", str(self.file), "--model", self.model, "--measure", self.measure]
        words += [word for rule in self.rules for word in ("--rule", rule)]
        words += [word for budget in self.budgets for word in ("--budget", f"{budget:g}")]
        words += [word for seed in self.seeds for word in ("--seed", str(seed))]
        single = {"label": self.label, "exploration": self.exploration, "price": self.price, "rows": self.rows}
        single |= {"delay": self.delay or None, "lost": self.lost or None}
        words += [word for name, value in single.items() if value is not None for word in (f"--{name}", str(value))]
        return shlex.join(words)


class Job(NamedTuple):
    """One run; the budget of the rule `every label` is 1."""

    rule: str
    budget: float
    seed: int


class Plan:
    """The runs that options amount to; raises `Invalid` where a model, a rule or a figure is none."""

    def __init__(self, options: Options) -> None:
        """Check everything that needs no file."""
        self.options = options
        self.model = model_of(options.model)
        self.rules = tuple(dict.fromkeys(options.rules or RULES))
        self.budgets = tuple(sorted(set(options.budgets)))
        self.seeds = tuple(dict.fromkeys(options.seeds))
        if not self.budgets[0]:
            raise Invalid("/budget", "a budget of 0 buys nothing; give a share of the samples such as 0.05")
        for rule in self.rules:
            effective(self.config(rule, self.budgets[0]))

    @property
    def asked_for(self) -> list[Job]:
        """The runs that were asked for, in the order in which they are told of."""
        return [Job(rule, budget, seed) for rule in self.rules for budget in self.budgets for seed in self.seeds]

    @property
    def jobs(self) -> list[Job]:
        """All runs, those that take longest first: what was asked for, random asking further on, and every label."""
        further = [Job(RANDOM, budget, seed) for budget in self._random_budgets() for seed in self.seeds]
        return sorted(dict.fromkeys((*self.asked_for, *further, Job(EVERY, 1.0, 0))), key=lambda job: -job.budget)

    def _random_budgets(self) -> Iterator[float]:
        yield from self.budgets
        yield from (min(_FURTHEST, self.budgets[-1] * factor) for factor in _FURTHER if self.budgets[-1] < _FURTHEST)

    def config(self, rule: str, budget: float) -> dict[str, Any]:
        """A stream's configuration, as for PUT."""
        query = {"rule": RANDOM if rule == EVERY else rule, "measure": self.options.measure}
        config: dict[str, Any] = {"model": self.model, "query": query, "budget": {"rate": budget}}
        if self.options.exploration is not None:
            config["exploration"] = self.options.exploration
        return config

    def check_columns(self, features: Sequence[str]) -> None:
        """Refuse a model of text whose column is not there."""
        model = effective(self.config(self.rules[0], self.budgets[0])).model
        field = model.params.get("field")
        if model.type == "text" and field not in features:
            example = shlex.quote(msgspec.json.encode({"type": "text", "params": {"field": features[-1]}}).decode())
            raise Invalid("/model/params/field", f"there is no column {field!r} with text; name it, as in --model {example}")


def model_of(given: str) -> Mapping[str, Any]:
    """A model by name, or as the JSON object that a stream's configuration has under `model`.

    >>> model_of("logistic"), model_of('{"type": "knn"}')
    ({'type': 'logistic'}, {'type': 'knn'})
    """
    if not given.lstrip().startswith("{"):
        return {"type": given}
    try:
        return msgspec.json.decode(given, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Invalid("/model", f"this is no JSON object: {error}") from None
