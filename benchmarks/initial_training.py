"""Shows what labels that are there already are worth: `python -m benchmarks.initial_training [--short] [--streams DIR] [--only NAME ...]`.

The first rows of a stream, at most 1,000, are its past with labels; the rest comes in as samples under the default configuration, asked
about by the service's core, labels at once. Once cold, once after the past was imported, and then with start-up grants of 0 and 200.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.label_efficiency.streams import is_text, load, names
from benchmarks.parallel import PROCESSES, pin_hash_seed, run_all
from service.core.catalogue import effective
from service.core.events import Configured
from service.core.features import label_text
from service.core.learner import Learner

ROWS, SHORT_ROWS = 5_000, 2_000
PAST = 1_000
SEEDS, SHORT_SEEDS = 5, 2
LOOKS = (200, 500)  # samples after which accuracy and questions are told
SHORT_STREAMS = ("image-segments", "sea")
ARMS: Mapping[str, tuple[bool, int]] = {
    "cold": (False, 50),
    "imported": (True, 50),
    "imported, no grant": (True, 0),
    "imported, 200": (True, 200),
}


class Job(NamedTuple):
    """A stream, and what it begins with."""

    stream: str
    folder: Path | None
    rows: int
    arm: str
    seed: int


class Found(NamedTuple):
    """Accuracy and questions after each look and at the end."""

    accuracies: Sequence[float]
    asked: Sequence[int]


def work(job: Job) -> Found:
    """Do a run."""
    pairs = load(job.stream, job.folder, job.rows)
    imported, burst = ARMS[job.arm]
    model: dict[str, Any] = {"model": {"type": "text", "params": {"field": "text"}}} if is_text(pairs) else {}
    secret = blake2b(str(job.seed).encode(), digest_size=16).digest()
    learner = Learner(1, Configured(0.0, effective({**model, "budget": {"burst": burst}}), secret))
    past = min(PAST, len(pairs) // 2)
    if imported:
        for number, (features, raw) in enumerate(pairs[:past]):
            answer = learner.answer(f"old-{number}", label_text(raw), "", features, 0.0, brought=True, labeled_at=None)
            learner.apply(learner.seq + 1, answer)
    right, asked = [], []
    for place, (features, raw) in enumerate(pairs[past:]):
        decision = learner.decide(f"{place:08}", features, float(place))
        right.append(decision.prediction.label == label_text(raw))
        asked.append(decision.query.ask)
        if decision.query.ask:
            learner.apply(learner.seq + 1, learner.question(decision, features))
            answer = learner.answer(decision.id, label_text(raw), "", features, float(place), brought=False, labeled_at=None)
            learner.apply(learner.seq + 1, answer)
    looks = (*LOOKS, len(right))
    return Found([fmean(right[:look]) for look in looks], [sum(asked[:look]) for look in looks])


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_ROWS:,} samples of two streams")
    parser.add_argument("--streams", type=Path, help="a folder of CSV files; without it the sets that River ships and its generators")
    parser.add_argument("--only", nargs="+", help="these streams alone")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args()
    pin_hash_seed()
    rows, seeds = (SHORT_ROWS, SHORT_SEEDS) if options.short else (ROWS, SEEDS)
    streams = options.only or (SHORT_STREAMS if options.short and options.streams is None else names(options.streams))
    todo = [Job(name, options.streams, rows, arm, seed) for name in streams for arm in ARMS for seed in range(seeds)]
    found = dict(run_all(work, todo, "Initial training", options.processes))
    table = Table("", "", *(f"first {look}" for look in LOOKS), "all", *(f"asked of {look}" for look in LOOKS), "of all")
    for name in streams:
        for arm in ARMS:
            runs = [one for job, one in found.items() if (job.stream, job.arm) == (name, arm)]
            accuracies = [f"{100 * fmean(column):.1f}" for column in zip(*(run.accuracies for run in runs), strict=True)]
            asked = [f"{fmean(column):.0f}" for column in zip(*(run.asked for run in runs), strict=True)]
            table.add_row(name if arm == "cold" else "", arm, *accuracies, *asked)
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
