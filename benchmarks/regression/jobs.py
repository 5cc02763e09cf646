"""The runs: asking by a measure, random asking with any number of labels, and random asking at the measure's own times."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from benchmarks.regression.sets import MADE, REAL, Pair
from service.core.records import Decision
from service.simulate import chosen, queried, sampled
from service.simulate.numbers import ErrorsRun

SHARES = (0.02, 0.03, 0.05, 0.08, 0.12, 0.18, 0.27, 0.4, 0.6, 0.9)  # of all labels, bought at random
BURST = 10  # questions; these streams are short
_STRETCHES = 20  # of a stream, in each of which as many are asked at random as the measure asked


class Job(NamedTuple):
    """A run of one seed; `measure` None is random asking, and then `budget` is the share of labels that it buys."""

    stream: str
    model: str
    measure: str | None
    budget: float
    seed: int


class Found(NamedTuple):
    """Labels, the mean absolute error over all samples, and that of random asking at the same times.

    `inside` is the share of labels within the intervals that were told; `held` whether the estimate's interval held the true error.
    """

    labels: int
    mae: float
    timed: float | None
    inside: float | None
    held: bool | None


@lru_cache(maxsize=2)
def rows_of(stream: str) -> list[Pair]:
    """A stream's samples."""
    return list({**REAL, **MADE}[stream]())


def run(job: Job) -> Found:
    """Do one run, and for a measure its control."""
    rows = rows_of(job.stream)
    config: dict[str, Any] = {"task": "regression", "model": {"type": job.model}}
    done: ErrorsRun
    if job.measure is None:
        done = sampled(rows, config, labels=round(job.budget * len(rows)), seed=job.seed)
        return Found(done.labels, done.mae, None, None, None)
    config |= {"query": {"measure": job.measure}, "budget": {"rate": job.budget, "burst": BURST}}
    done = queried(rows, config, seed=job.seed)
    told = done.estimate
    held = None if told.low is None or told.high is None else told.low <= done.mae <= told.high
    return Found(done.labels, done.mae, _timed(rows, config, done.bought, job.seed), done.inside, held)


def _timed(rows: Sequence[Pair], config: Mapping[str, Any], bought: bytes, seed: int) -> float:
    stretch = -(-len(rows) // _STRETCHES)
    wanted = Counter(place // stretch for place, one in enumerate(bought) if one)
    draws = random.Random(seed)
    places = {f"{place:08}" for place in _drawn(draws, wanted, stretch, len(rows))}

    def wants(decision: Decision) -> bool:
        return decision.id in places

    done: ErrorsRun = chosen(rows, config, wants)
    return done.mae


def _drawn(draws: random.Random, wanted: Mapping[int, int], stretch: int, n: int) -> Iterator[int]:
    for part, count in wanted.items():
        yield from draws.sample(range(part * stretch, min(n, (part + 1) * stretch)), count)
