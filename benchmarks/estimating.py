"""What `benchmarks.estimates` runs: streams through the service's core, and what it would have said of its accuracy on the way.

The truth is the real label of every sample; the estimates see the bought ones alone.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from service.core.catalogue import effective
from service.core.evaluation import LONG, SHORT, recent
from service.core.evaluation.estimate import Estimate
from service.core.evaluation.savings import Needed, needed
from service.core.evaluation.sequence import Bets
from service.core.events import Configured
from service.core.features import label_text
from service.core.learner import Learner
from service.simulate import Pair, sampled
from service.simulate.datasets import SHIPPED, read_csv, shipped

STRIDE = 25  # samples between looks at a sequence
FIRST = 100  # samples before the first one


class Job(NamedTuple):
    """One stream under one configuration; `what`: windows, sequences, savings or curves."""

    what: str
    folder: Path | None
    stream: str
    rule: str
    rate: float
    exploration: float
    seed: int
    length: int | None


class Window(NamedTuple):
    """An estimate and the truth; `random` is the half width of Wilson's interval for as many labels of random samples."""

    size: int
    found: Estimate
    truth: float
    random: float


class Claim(NamedTuple):
    """Labels that random asking is said to need, for the accuracy that was truly reached with the labels that were bought."""

    found: Needed
    accuracy: float
    bought: int


class Point(NamedTuple):
    """Accuracy over all samples with so many random labels."""

    labels: int
    accuracy: float


@lru_cache(maxsize=2)
def stream(folder: Path | None, name: str, length: int | None) -> list[Pair]:
    """Return a stream's samples."""
    pairs = shipped(name) if folder is None else read_csv(folder / name)
    return list(pairs)[:length]


def names(folder: Path | None) -> list[str]:
    """The streams of a folder, or those that River ships."""
    return list(SHIPPED) if folder is None else sorted(path.name for path in folder.glob("*.csv*"))


def config(rule: str, rate: float, exploration: float) -> dict[str, Any]:
    """The defaults but for these."""
    return {"query": {"rule": rule}, "budget": {"rate": rate}, "exploration": exploration}


def run(job: Job) -> Any:
    """Do a job."""
    return {"windows": windows, "sequences": held, "savings": savings, "curves": curve}[job.what](job)


def walk(job: Job) -> Iterator[tuple[Learner, bytearray]]:
    """Go through a stream as the service does, with answers at once; after each sample the learner, and what became of every sample.

    That is a byte each: 1 predicted right, 0 wrong, 2 where nothing could be asked.
    """
    pairs = stream(job.folder, job.stream, job.length)
    secret = blake2b(str(job.seed).encode(), digest_size=16).digest()
    learner = Learner(1, Configured(0.0, effective(config(job.rule, job.rate, job.exploration)), secret))
    truth = bytearray()
    for place, (features, raw) in enumerate(pairs):
        label = label_text(raw)
        decision = learner.decide(f"{place:08}", features, float(place))
        truth.append(decision.prediction.label == label if decision.query.probability else 2)
        if decision.query.ask:
            learner.apply(learner.seq + 1, learner.question(decision, features))
            answer = learner.answer(decision.id, label, "", features, float(place), brought=False, labeled_at=None)
            learner.apply(learner.seq + 1, answer)
        yield learner, truth


def windows(job: Job) -> list[Window]:
    """Every window of 500 and of 2,000 samples, one after the other, as it was estimated at its end."""
    found = []
    for learner, truth in walk(job):
        for size in (SHORT, LONG):
            if len(truth) % size == 0:
                last = truth[-size:]
                one = recent(learner.view(), size)
                share = last.count(1) / max(1, size - last.count(2))
                found.append(Window(size, one, share, wilson(share, max(1, one.answered))))
    return found


def held(job: Job) -> bool:
    """Whether the interval since the start held the truth at every look."""
    right = 0
    for learner, truth in walk(job):
        right += truth[-1] == 1
        seen = len(truth)
        if seen >= FIRST and seen % STRIDE == 0:
            view = learner.view(whole=True)
            if Bets(view.total, view.rows, job.rate * job.exploration).refuted(right) > 0.0:
                return False
    return True


def savings(job: Job) -> Claim:
    """What random asking would have needed as it is claimed, with the accuracy reached."""
    *_, (learner, truth) = walk(job)
    view = learner.view(whole=True)
    return Claim(needed(view.total, view.rows), truth.count(1) / len(truth), int(view.rows.answered.sum()))


def curve(job: Job) -> Point:
    """What random asking truly reaches: `rate` is the share of samples whose labels it buys."""
    pairs = stream(job.folder, job.stream, job.length)
    labels = round(job.rate * len(pairs))
    return Point(labels, sampled(pairs, config(job.rule, 0.05, 0.3), labels=labels, seed=job.seed).accuracy)


def wilson(share: float, labels: float, z: float = 1.959964) -> float:
    """Half the width of Wilson's interval."""
    return z / (1.0 + z * z / labels) * math.sqrt(share * (1.0 - share) / labels + z * z / (4.0 * labels * labels))


def random_needs(points: Sequence[Point], accuracy: float) -> float:
    """Labels of random asking for an accuracy, between the means of the points that were run; infinite beyond the last one."""
    counts = sorted({point.labels for point in points})
    means = np.maximum.accumulate([np.mean([point.accuracy for point in points if point.labels == count]) for count in counts])
    if accuracy > means[-1]:
        return math.inf
    return float(np.exp(np.interp(accuracy, means, np.log(counts))))
