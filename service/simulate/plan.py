"""What is to be simulated: the options, and the runs that they amount to. Nothing runs here."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from service.core.catalogue import effective
from service.core.config import Task
from service.core.errors import Invalid
from service.core.rules import RULES
from service.core.stated import EXTERNAL
from service.core.tasks import REGRESSION, TASKS
from service.simulate.source import Survey
from service.tabular import PROBABILITY

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
    model: str = ""  # empty: the task's default, as for the measure
    rules: Sequence[str] = ()
    measure: str = ""
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
    task: Task | None = None  # None: noticed from the labels

    def of(self, task: Task) -> "Options":
        """These, with what a task takes where nothing was said."""
        fitting = TASKS[task]
        return replace(self, task=task, model=self.model or fitting.model, measure=self.measure or fitting.measure)

    def command(self) -> str:
        """A command that does the same again, whatever the defaults become."""
        words = ["askwhen", "simulate", str(self.file), "--model", self.model, "--measure", self.measure]
        words += ["--task", self.task] if self.task == REGRESSION else []
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
        self.task: Task = options.task or "classification"
        self.options = options = options.of(self.task)
        self.model = model_of(options.model)
        self.rules = tuple(dict.fromkeys(options.rules or RULES))
        self.budgets = tuple(sorted(set(options.budgets)))
        self.seeds = tuple(dict.fromkeys(options.seeds))
        self.embeddings: Mapping[str, int] = {}
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
        if self.task == REGRESSION:
            config = {"task": self.task, **config}
        if self.options.exploration is not None:
            config["exploration"] = self.options.exploration
        if self.embeddings:
            config["embeddings"] = self.embeddings
        return config

    def follow(self, seen: Survey) -> None:
        """Take a file's embeddings; refuse a model of text whose column is not there, and one of the caller's own that rows lack."""
        self.embeddings = seen.embeddings
        model = effective(self.config(self.rules[0], self.budgets[0])).model
        if model.type == EXTERNAL and seen.unstated:
            message = f"{seen.unstated:,} rows have no probabilities; they stand in columns `{PROBABILITY}CLASS`, one a class"
            raise Invalid("/model", message)
        field = model.params.get("field")
        if model.type == "text" and field not in seen.features:
            params = {"field": next(reversed(seen.features), "text")}
            example = shlex.quote(msgspec.json.encode({"type": "text", "params": params}).decode())
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
