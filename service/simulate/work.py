"""One run in a process of its own: the file is read once, and what goes back is small. Nothing is shown here."""

from math import nan
from typing import Any

import msgspec

from service.adapters import embedder
from service.core.evaluation import Errors, Estimate
from service.simulate.numbers import ErrorsRun
from service.simulate.plan import EVERY, Job
from service.simulate.run import Run, Stated, full, queried
from service.simulate.scores import Bin, course, kappa, macro_f1, reliability
from service.simulate.source import Source, samples


class Found(msgspec.Struct, frozen=True):
    """The figures of a run; `estimate` is what the bought labels alone tell, `course` accuracy along the stream, `bins` its calibration."""

    n: int
    accuracy: float
    kappa: float
    macro_f1: float
    labels: int
    learned: int
    microseconds: float
    estimate: Estimate
    course: list[tuple[int, float]]
    bins: list[Bin]

    @property
    def rate(self) -> float:
        """Labels bought a sample."""
        return self.labels / self.n

    @property
    def score(self) -> float:
        """What the run is judged by: more is better."""
        return self.accuracy

    @property
    def more(self) -> tuple[float, float]:
        """The figures beside it."""
        return self.macro_f1, self.kappa


class FoundErrors(msgspec.Struct, frozen=True):
    """The figures of a run over numbers; the mean absolute error is taken negative in `course`. `inside` NaN: no interval was told."""

    n: int
    mae: float
    rmse: float
    inside: float
    labels: int
    learned: int
    microseconds: float
    estimate: Errors
    course: list[tuple[int, float]]

    @property
    def rate(self) -> float:
        """Labels bought a sample."""
        return self.labels / self.n

    @property
    def score(self) -> float:
        """What the run is judged by: more is better."""
        return -self.mae

    @property
    def more(self) -> tuple[float, float]:
        """The figures beside it."""
        return self.rmse, self.inside


class Task(msgspec.Struct, frozen=True):
    """A run and the configuration that it has."""

    job: Job
    config: dict[str, Any]
    delay: int
    lost: float


_stream: list[Stated] = []  # a worker's own copy


def load(origin: Source) -> None:
    """Read the file."""
    embedder.offer()
    _stream[:] = samples(origin)


def work(task: Task) -> Found | FoundErrors:
    """Do one run over the file that was read."""
    if task.job.rule == EVERY:
        return found(full(_stream, task.config, delay=task.delay))
    return found(queried(_stream, task.config, seed=task.job.seed, delay=task.delay, lost=task.lost))


def found(run: Run | ErrorsRun) -> Found | FoundErrors:
    """Return a run's figures."""
    if isinstance(run, ErrorsRun):
        return FoundErrors(
            n=run.n,
            mae=run.mae,
            rmse=run.rmse,
            inside=nan if run.inside is None else run.inside,
            labels=run.labels,
            learned=run.learned,
            microseconds=run.microseconds_per_decision,
            estimate=run.estimate,
            course=[(place, -error) for place, error in course(run.errors_or(run.mae))],
        )
    return Found(
        n=run.n,
        accuracy=run.accuracy,
        kappa=kappa(run.confusion),
        macro_f1=macro_f1(run.confusion),
        labels=run.labels,
        learned=run.learned,
        microseconds=run.microseconds_per_decision,
        estimate=run.estimate,
        course=course(run.correct),
        bins=reliability(run.confidences, run.correct),
    )
