"""Shows that nothing starves: `python -m benchmarks.starvation [--short]`.

Every model of the catalogue with every rule from a cold start, on River's ImageSegments and Phishing repeated to 10,000 samples, with
labels 0, 100 and 1,000 samples late and classes that appear late: two of the seven in ImageSegments, one of the two in Phishing. The
default rule also with every measure, 100 samples late. It must ask, learn, and beat the majority class on the last 500 samples. Exits
1 where it does not.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import cycle, islice, product
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.parallel import pin_hash_seed, run_all
from service.core.measures import INFORMED, MEASURES
from service.core.models import MODELS
from service.core.rules import RULES
from service.core.stated import EXTERNAL
from service.simulate import Pair, queried
from service.simulate.datasets import shipped

LENGTH = 10_000  # samples
LAST = 500  # samples that count
DELAYS = (0, 100, 1_000)  # samples
LATE = {"image-segments": ("sky", "window"), "phishing": (True,)}  # classes that the first part leaves out
BINS = 5  # words a feature, for the model that reads text
LEARNING = [model for model in MODELS if model != EXTERNAL]
SHORT_MODELS = ("auto", "logistic", "naive-bayes", "hoeffding-tree", "knn")
SHORT_RULES = ("logit", "fixed-uncertainty", "variable-uncertainty", "quantile", "auto")


class Job(NamedTuple):
    """One run."""

    dataset: str
    model: str
    rule: str
    delay: int
    measure: str = "margin"


class Found(NamedTuple):
    """What came of it: questions, answers learned, accuracy and share of the majority class at the end, time of a decision."""

    labels: int
    learned: int
    accuracy: float
    majority: float
    microseconds: float

    @property
    def holds(self) -> bool:
        """Whether it asked, learned, and beats the majority class."""
        return self.labels > 0 and self.learned > 0 and self.accuracy > self.majority


@lru_cache(maxsize=4)
def stream(dataset: str, *, text: bool) -> tuple[Pair, ...]:
    """Return the repeated set; classes that come late are missing from its first repetitions, so from a sixth or more of it."""
    rows = list(shipped(dataset))
    rows = list(worded(rows)) if text else rows
    early = [row for row in rows if row[1] not in LATE[dataset]]
    repeated = islice(cycle(early), max(len(early), LENGTH // 6))
    return tuple(islice((row for part in (repeated, cycle(rows)) for row in part), LENGTH))


def worded(rows: Sequence[Pair]) -> Iterator[Pair]:
    """Turn numbers into words, a word for each fifth of a feature's values."""
    ordered = {name: sorted(float(row[name] or 0.0) for row, _ in rows) for name in rows[0][0]}
    edges = {name: [values[len(values) * i // BINS] for i in range(1, BINS)] for name, values in ordered.items()}
    for row, label in rows:
        words = (f"{name.replace('-', '')}{sum(float(value or 0.0) >= edge for edge in edges[name])}" for name, value in row.items())
        yield {"text": " ".join(words)}, label


def run(job: Job) -> Found:
    """Do one run."""
    pairs = stream(job.dataset, text=job.model == "text")
    config = {"model": {"type": job.model}, "query": {"rule": job.rule, "measure": job.measure}}
    done = queried(pairs, config, seed=1, delay=job.delay)
    majority = Counter(label for _, label in pairs[-LAST:]).most_common(1)[0][1] / LAST
    return Found(done.labels, done.learned, done.accuracy_last(LAST), majority, done.microseconds_per_decision)


def jobs(*, short: bool) -> list[Job]:
    """Return all runs, the slowest models first."""
    if short:
        chosen = [Job(*parts) for parts in product(LATE, SHORT_MODELS, SHORT_RULES, (0, 1_000))]
        measured = [Job("image-segments", "logistic", "logit", 0, measure) for measure in INFORMED]
        return [job for i, job in enumerate(chosen) if i % 3 == 0] + measured
    under_rules = [Job(*parts) for model in reversed(LEARNING) for parts in product(LATE, [model], RULES, DELAYS)]
    others = [measure for measure in MEASURES if measure != "margin"]
    measured = [Job(*parts) for parts in product(LATE, reversed(LEARNING), ["logit"], [DELAYS[1]], others)]
    return under_rules + measured


def table(found: dict[Job, Found]) -> Table:
    """Show the worst of the delays and the range of questions, by set, model and rule."""
    shown = Table("Set", "Model", "Rule", "Measure", "Accuracy (last 500) by delay", "Majority", "Labels", "us", title="Nothing starves")
    groups: dict[tuple[str, str, str, str], list[tuple[int, Found]]] = {}
    for job, one in sorted(found.items()):
        groups.setdefault((job.dataset, job.model, job.rule, job.measure), []).append((job.delay, one))
    for group, runs in groups.items():
        cells = "  ".join(f"{delay}: [{'green' if one.holds else 'bold red'}]{one.accuracy:.3f}[/]" for delay, one in runs)
        bought = sorted(one.labels for _, one in runs)
        slowest = max(one.microseconds for _, one in runs)
        shown.add_row(*group, cells, f"{runs[0][1].majority:.3f}", f"{bought[0]}-{bought[-1]}", f"{slowest:.0f}")
    return shown


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="some of the models, rules and delays")
    parser.add_argument("--model", choices=LEARNING, help="this model only")
    options = parser.parse_args()
    pin_hash_seed()
    todo = [job for job in jobs(short=options.short) if options.model in (None, job.model)]
    found = dict(run_all(run, todo, "Starvation"))
    console = Console()
    console.print(table(found))
    failed = [job for job, one in found.items() if not one.holds]
    console.print(f"{len(found) - len(failed)} of {len(found)} runs ask, learn and beat the majority class")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
