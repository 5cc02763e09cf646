"""What the runs say together: which rule, at which budget, and against what. Values in, values out; words stand elsewhere."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import fmean, stdev
from typing import NamedTuple

from service.simulate.figure import FIGURES
from service.simulate.plan import EVERY, RANDOM, Job, Plan
from service.simulate.work import Found, FoundErrors

_SURE = 2.0  # standard errors
_TINIEST = 1e-4

Place = tuple[float, float]  # labels, score


class Point(NamedTuple):
    """A rule under one budget: means over the seeds, and the extremes of the score."""

    budget: float
    labels: float
    share: float
    score: float
    low: float
    high: float
    more: tuple[float, float]
    microseconds: float

    @property
    def place(self) -> float:
        """The share on a logarithmic scale, where nothing bought has no place but that of the tiniest share."""
        return max(self.share, _TINIEST)


class Standing(NamedTuple):
    """A rule over all budgets: its points by budget, and how it did with every seed, as the mean of its scores."""

    rule: str
    points: Sequence[Point]
    by_seed: Sequence[float]

    @property
    def score(self) -> float:
        """The mean over budgets and seeds."""
        return fmean(self.by_seed)

    @property
    def labels(self) -> float:
        """The mean over budgets and seeds."""
        return fmean(point.labels for point in self.points)

    def at(self, budget: float) -> Point:
        """Its point under that budget."""
        return next(point for point in self.points if point.budget == budget)


class Needs(NamedTuple):
    """How many labels a score takes; `at_most` where already the fewest that were tried give it."""

    labels: float
    at_most: bool


class Advice(NamedTuple):
    """The rule and budget to take, what random asking and every label give, and who is as good for all that can be told.

    `random` is random asking's score with as many labels, `random_needs` what it takes to be as good (None: more than was tried).
    `reference` is random asking under the largest budget, and `needs` what the rule takes to be as good as that.
    """

    rule: str
    point: Point
    random: float
    random_needs: Needs | None
    reference: Point
    needs: Needs | None
    rivals: Sequence[str]


class Study:
    """Everything that was found."""

    def __init__(self, plan: Plan, found: Mapping[Job, Found | FoundErrors]) -> None:
        """Take the runs."""
        self.plan = plan
        self.found = found
        self.figure = FIGURES[plan.task]
        self.every = found[Job(EVERY, 1.0, 0)]
        self.n = self.every.n

    def runs(self, rule: str, budget: float) -> list[Found | FoundErrors]:
        """The runs of a rule under a budget, by seed."""
        return [self.found[Job(rule, budget, seed)] for seed in self.plan.seeds]

    @cached_property
    def standings(self) -> list[Standing]:
        """The rules that were asked for, the best first; of equals the one that bought less, then the one named first."""
        rules = [self._standing(rule) for rule in self.plan.rules]
        return sorted(rules, key=lambda one: (-one.score, one.labels))

    def _standing(self, rule: str) -> Standing:
        runs = [self.runs(rule, budget) for budget in self.plan.budgets]
        points = [_point(budget, some) for budget, some in zip(self.plan.budgets, runs, strict=True)]
        return Standing(rule, points, [fmean(run.score for run in some) for some in zip(*runs, strict=True)])

    @cached_property
    def random(self) -> list[Point]:
        """Random asking, under the budgets that were asked for and further on."""
        budgets = sorted({job.budget for job in self.found if job.rule == RANDOM})
        return [_point(budget, self.runs(RANDOM, budget)) for budget in budgets]

    @cached_property
    def _random_places(self) -> list[Place]:
        return [*((point.labels, point.score) for point in self.random), (self.n, self.every.score)]

    def random_with(self, labels: float) -> float:
        """Random asking's score with so many labels, between the points that were tried."""
        return accuracy_with(self._random_places, labels)

    @cached_property
    def advice(self) -> Advice:
        """The rule that stands first, at the least budget that is as good as every label for all that matters, or the largest."""
        best = self.standings[0]
        enough = [point for point in best.points if point.score >= self.figure.enough(self.every.score)]
        point = (enough or best.points[-1:])[0]
        reference = next(one for one in self.random if one.budget == self.plan.budgets[-1])
        return Advice(
            rule=best.rule,
            point=point,
            random=self.random_with(point.labels),
            random_needs=needed(self._random_places, point.score),
            reference=reference,
            needs=needed([(one.labels, one.score) for one in best.points], reference.score),
            rivals=[one.rule for one in self.standings[1:] if as_good(one, best)],
        )


def _point(budget: float, runs: Sequence[Found | FoundErrors]) -> Point:
    scores = [run.score for run in runs]
    return Point(
        budget,
        fmean(run.labels for run in runs),
        fmean(run.rate for run in runs),
        fmean(scores),
        min(scores),
        max(scores),
        (fmean(run.more[0] for run in runs), fmean(run.more[1] for run in runs)),
        fmean(run.microseconds for run in runs),
    )


def as_good(one: Standing, best: Standing) -> bool:
    """Whether the seeds leave it open which is better: the mean difference, paired by seed, is within two standard errors."""
    differences = [first - second for first, second in zip(best.by_seed, one.by_seed, strict=True)]
    return len(differences) > 1 and fmean(differences) <= _SURE * stdev(differences) / math.sqrt(len(differences))


def accuracy_with(places: Sequence[Place], labels: float) -> float:
    """Accuracy at a number of labels, straight between the places on a scale of doublings, and level beyond them.

    >>> accuracy_with([(100, 0.7), (400, 0.8)], 200)
    0.75
    """
    before = places[0]
    for after in places:
        if after[0] >= labels:
            return before[1] + (after[1] - before[1]) * _share(before[0], after[0], labels)
        before = after
    return before[1]


def needed(places: Sequence[Place], accuracy: float) -> Needs | None:
    """The labels at which an accuracy is first reached between the places, on the same scale; None where it never is.

    >>> needed([(100, 0.7), (400, 0.8)], 0.75)
    Needs(labels=200.0, at_most=False)
    """
    before = places[0]
    for after in places:
        if after[1] >= accuracy and before is after:
            return Needs(before[0], at_most=True)
        if after[1] >= accuracy:
            share = (accuracy - before[1]) / (after[1] - before[1])
            fewest = max(1.0, before[0])
            return Needs(fewest * (after[0] / fewest) ** share, at_most=False)
        before = after
    return None


def _share(low: float, high: float, labels: float) -> float:
    """How far `labels` lies between two numbers of labels, on a scale of doublings."""
    if not 0 < low < labels < high:
        return 0.0 if labels <= low else 1.0
    return math.log(labels / low) / math.log(high / low)
