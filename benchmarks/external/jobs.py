"""One run with a model of the caller's own. It runs and returns figures; what they mean stands elsewhere."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from benchmarks.external.callers import stated
from benchmarks.label_efficiency.streams import is_text
from service.core.catalogue import effective
from service.core.evaluation import LONG, SHORT, Estimate, recent
from service.core.events import Configured
from service.core.features import label_text
from service.core.learner import Learner
from service.simulate import Stated, queried
from service.simulate.scores import calibration_error, reliability

LABELS = 300
WARMUP = 200  # of them, by default
RATE = 0.05
PARTS = ("calibration", "windows", "stacking")


class Job(NamedTuple):
    """A run of a part of the benchmark."""

    part: str
    stream: str
    caller: str
    seed: int
    rows: int | None
    folder: Path | None


class Calibrated(NamedTuple):
    """Expected calibration errors over the samples after the last label: as stated, and as served.

    `asked` and `all` are mean confidences between the end of the warm-up, at 200 labels, and the last.
    """

    before: float
    after: float
    labels: int
    asked: float
    all: float


class Window(NamedTuple):
    """An estimate and the truth: the share of a window's samples whose label the caller's model named."""

    size: int
    found: Estimate
    truth: float


class Stacked(NamedTuple):
    """Accuracies over all samples: of the service without what the caller's model says, with it, and of that model."""

    plain: float
    stacked: float
    caller: float


def run(job: Job) -> Any:
    """Do a job."""
    return {"calibration": calibration, "windows": windows, "stacking": stacking}[job.part](job)


def calibration(job: Job) -> Calibrated:
    """Buy 300 labels and no more, of a stream on which the caller's model stays as good as it was."""
    stream = stated(job.caller, job.stream, job.folder, job.rows, shuffled=True)
    rate = max(RATE, 2.0 * LABELS / len(stream))  # all of them in the first half of a short stream
    done = queried(stream, {"model": {"type": "external"}, "budget": {"rate": rate, "labels": LABELS}}, seed=job.seed)
    bought = np.frombuffer(done.bought, np.uint8)
    counts = np.cumsum(bought)
    first, last = int(np.searchsorted(counts, WARMUP)), int(np.searchsorted(counts, min(LABELS, int(counts[-1]))))
    confidences, correct = np.array(done.confidences), list(done.correct)
    middle = slice(first, last)
    return Calibrated(
        calibration_error(reliability([_confidence(sample) for sample in stream[last:]], correct[last:])),
        calibration_error(reliability(confidences[last:].tolist(), correct[last:])),
        int(counts[-1]),
        float(confidences[middle][bought[middle] == 1].mean()),
        float(confidences[middle].mean()),
    )


def windows(job: Job) -> list[Window]:
    """Every window of 500 and of 2,000 samples, one after the other, as it was estimated at its end."""
    learner = Learner(1, Configured(0.0, effective({"model": {"type": "external"}}), blake2b(b"%d" % job.seed, digest_size=16).digest()))
    truth = bytearray()
    found = []
    for place, (features, raw, said) in enumerate(stated(job.caller, job.stream, job.folder, job.rows)):
        label = label_text(raw)
        decision = learner.decide(f"{place:08}", features, float(place), probabilities=said)
        truth.append(decision.prediction.label == label)
        if decision.query.ask:
            learner.apply(learner.seq + 1, learner.question(decision, features, probabilities=said))
            answer = learner.answer(decision.id, label, "", features, float(place), brought=False, labeled_at=None, probabilities=said)
            learner.apply(learner.seq + 1, answer)
        found += [Window(size, recent(learner.view(), size), fmean(truth[-size:])) for size in (SHORT, LONG) if len(truth) % size == 0]
    return found


def stacking(job: Job) -> Stacked:
    """The default at 5 %, with and without the caller's probabilities; each buys the labels that it wants."""
    stream = stated(job.caller, job.stream, job.folder, job.rows)
    bare = [sample[:2] for sample in stream]
    config = {"model": {"type": "text" if is_text(bare) else "logistic"}, "budget": {"rate": RATE}}
    plain, stacked = (queried(samples, config, seed=job.seed).accuracy for samples in (bare, stream))
    return Stacked(plain, stacked, accuracy(stream))


def accuracy(stream: Sequence[Stated]) -> float:
    """How often the caller's model is right."""
    return fmean(max(said or {}, key=(said or {}).__getitem__) == label_text(label) for _, label, said in stream)


def _confidence(sample: Stated) -> float:
    return max((sample[2] or {}).values())
