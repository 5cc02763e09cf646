"""What the run is compared with: the same model with every label, with random labels, and askwhen at other budgets, all simulated.

A few dozen whole runs over the stream, side by side in processes of their own. Numbers only; nothing is shown.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from statistics import fmean
from typing import Any, Literal, NamedTuple

from service.demo import sets
from service.simulate import Pair, Run, full, queried, sampled
from service.simulate.pool import cores, processes

SEEDS = 5  # runs of random asking at the run's own number of labels
_SWEEP_SEEDS = 3  # runs a point, elsewhere
_RANDOM_POINTS = (0.25, 0.5, 2, 4, 8)  # times the run's number of labels
_ASKING_POINTS = (0.2, 0.5, 2)  # times the run's budget
_FEWEST = 5  # labels that a point needs

Kind = Literal["every label", "random", "askwhen"]
Step = Callable[[int, int], None]  # told how many of how many runs are done


class Job(NamedTuple):
    """One simulated run. `amount`: labels for random asking, times the budget for askwhen."""

    kind: Kind
    amount: float
    seed: int


class Point(NamedTuple):
    """Mean labels and accuracy of a few runs with the same budget, and their extremes."""

    labels: float
    accuracy: float
    low: float
    high: float


class Comparison(NamedTuple):
    """What came of it."""

    every: Run
    random: Sequence[Run]  # at the run's number of labels
    random_points: Sequence[Point]
    asking_points: Sequence[Point]

    @property
    def random_accuracy(self) -> float:
        """The mean of random asking at the run's number of labels."""
        return fmean(run.accuracy for run in self.random)

    def random_needs(self, accuracy: float) -> float | None:
        """Labels that random asking needs for that accuracy, between the points that were simulated; None: more than all of them."""
        points = [*self.random_points, Point(self.every.n, self.every.accuracy, 0.0, 0.0)]
        before = points[0]
        for after in points:
            if after.accuracy >= accuracy:
                return _between(before, after, accuracy)
            before = after
        return None


def jobs(labels: int, n: int) -> list[Job]:
    """The runs for a comparison, the long ones first."""
    counts = [round(labels * factor) for factor in _RANDOM_POINTS]
    return [
        Job("every label", n, 0),
        *(Job("random", count, seed) for count in reversed(counts) if _FEWEST <= count <= n // 2 for seed in range(_SWEEP_SEEDS)),
        *(Job("random", labels, seed) for seed in range(SEEDS)),
        *(Job("askwhen", factor, seed) for factor in _ASKING_POINTS for seed in range(_SWEEP_SEEDS)),
    ]


def compare(name: sets.Name, n: int, config: Mapping[str, Any], labels: int, delay: int, step: Step) -> Comparison:
    """Simulate all arms over the set's first `n` samples."""
    todo = jobs(labels, n)
    done: dict[Job, Run] = {}
    with processes(min(cores(), len(todo)), _load, name, n) as pool:
        running: dict[Future[Run], Job] = {pool.submit(_simulated, job, dict(config), delay): job for job in todo}
        for future in as_completed(running):
            done[running[future]] = future.result()
            step(len(done), len(todo))
    return collected(done, labels)


def collected(done: Mapping[Job, Run], labels: int) -> Comparison:
    """Put the runs together; `labels` is the run's own number."""
    every = next(run for job, run in done.items() if job.kind == "every label")
    at_par = [run for job, run in done.items() if job.kind == "random" and job.amount == labels]
    return Comparison(every, at_par, _points(done, "random"), _points(done, "askwhen"))


def _points(done: Mapping[Job, Run], kind: Kind) -> list[Point]:
    amounts = sorted({job.amount for job in done if job.kind == kind})
    return [_point([run for job, run in done.items() if job.kind == kind and job.amount == amount]) for amount in amounts]


def _point(runs: Sequence[Run]) -> Point:
    figures = [run.accuracy for run in runs]
    return Point(fmean(run.labels for run in runs), fmean(figures), min(figures), max(figures))


def _between(before: Point, after: Point, accuracy: float) -> float:
    if after.accuracy <= before.accuracy:
        return after.labels
    share = (accuracy - before.accuracy) / (after.accuracy - before.accuracy)
    return math.exp(math.log(before.labels) + share * (math.log(after.labels) - math.log(before.labels)))


# --- in the other processes ------------------------------------------------------------------------------------------------

_stream: list[Pair] = []  # a worker's own copy, loaded once


def _load(name: sets.Name, n: int) -> None:
    _stream[:] = sets.pairs(name, n)


def _simulated(job: Job, config: dict[str, Any], delay: int) -> Run:
    run: Run
    if job.kind == "every label":
        run = full(_stream, config, delay=delay)
    elif job.kind == "random":
        run = sampled(_stream, config, labels=round(job.amount), seed=job.seed, delay=delay)
    else:
        run = queried(_stream, scaled(config, job.amount), seed=job.seed, delay=delay)
    return run


def scaled(config: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The same stream with another budget, its start-up grant in proportion."""
    budget = config["budget"]
    return {**config, "budget": {**budget, "rate": min(1.0, budget["rate"] * factor), "burst": round(budget["burst"] * factor)}}
