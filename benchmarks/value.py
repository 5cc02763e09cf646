"""Measures what asking well is worth: `python -m benchmarks.value [--short] [--delay N ...] [--json FILE]`.

The default configuration against random asking at the same number of labels, on the demo's sets, at budgets of 5 and 10 %, paired by
seed, with full supervision beside. Intervals are Student's, of 95 %, over the seeds. Exits 1 where the default is not significantly
better on the mean of the sets, or is significantly worse on one.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from scipy.stats import t as student  # type: ignore[import-untyped]  # River brings it along

from benchmarks.parallel import pin_hash_seed, run_all
from service.simulate import Pair, full, queried, sampled
from service.simulate.datasets import SHIPPED, shipped

RATES = (0.05, 0.10)
SEEDS, SHORT_SEEDS = 10, 5
SHORT_LENGTH = 10_000  # samples
CONFIDENCE = 0.95


class Job(NamedTuple):
    """A pair of runs, or full supervision where the rate is 1."""

    dataset: str
    delay: int
    rate: float
    seed: int
    length: int | None


class Found(NamedTuple):
    """Accuracies over all samples, and the labels that both bought."""

    default: float
    random: float
    labels: int
    n: int


class Gain(NamedTuple):
    """A mean difference with its interval."""

    mean: float
    low: float
    high: float


@lru_cache(maxsize=2)
def stream(dataset: str, length: int | None) -> list[Pair]:
    """Return a set's samples."""
    return list(shipped(dataset))[:length]


def run(job: Job) -> Found:
    """Do one pair of runs."""
    pairs = stream(job.dataset, job.length)
    if job.rate == 1.0:
        done = full(pairs, {}, delay=job.delay)
        return Found(done.accuracy, done.accuracy, done.labels, done.n)
    default = queried(pairs, {"budget": {"rate": job.rate}}, seed=job.seed, delay=job.delay)
    random = sampled(pairs, {}, labels=default.labels, seed=job.seed, delay=job.delay)
    return Found(default.accuracy, random.accuracy, default.labels, default.n)


def gain(differences: Iterable[float]) -> Gain:
    """Return the mean of paired differences with Student's interval."""
    values = list(differences)
    half = student.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    return Gain(fmean(values), fmean(values) - half, fmean(values) + half)


def gains(found: Mapping[Job, Found]) -> dict[tuple[int, float, str], Gain]:
    """Return the gain for every delay, rate and set, and for the mean of the sets, called `mean`."""
    by_set: dict[tuple[int, float, str], list[float]] = defaultdict(list)
    by_seed: dict[tuple[int, float, int], list[float]] = defaultdict(list)
    for job, one in sorted(found.items(), key=lambda item: str(item[0])):
        if job.rate < 1.0:
            by_set[job.delay, job.rate, job.dataset].append(one.default - one.random)
            by_seed[job.delay, job.rate, job.seed].append(one.default - one.random)
    means: dict[tuple[int, float, str], list[float]] = defaultdict(list)
    for (delay, rate, _), differences in by_seed.items():
        means[delay, rate, "mean"].append(fmean(differences))
    return {group: gain(values) for group, values in {**by_set, **means}.items()}


def table(found: Mapping[Job, Found], measured: Mapping[tuple[int, float, str], Gain]) -> Table:
    """Show them all."""
    columns = ("Delay", "Budget", "Set", "Labels", "Default", "Random", "Gain, points", "95 %", "Every label")
    shown = Table(*columns, title="What asking well is worth")
    ceiling = {(job.delay, job.dataset): one.default for job, one in found.items() if job.rate == 1.0}
    ordered = sorted(measured.items(), key=lambda item: (*item[0][:2], item[0][2] == "mean", item[0][2]))
    for (delay, rate, dataset), difference in ordered:
        runs = [one for job, one in found.items() if (job.delay, job.rate) == (delay, rate) and dataset in (job.dataset, "mean")]
        labels = fmean(one.labels for one in runs)
        share = sum(one.labels for one in runs) / sum(one.n for one in runs)
        best = ceiling.get((delay, dataset)) or fmean(value for (other, _), value in ceiling.items() if other == delay)
        colour = "green" if difference.low > 0 else "bold red" if difference.high < 0 else "yellow"
        shown.add_row(
            f"{delay}",
            f"{rate:.0%}",
            dataset,
            f"{labels:.0f} ({share:.1%})",
            f"{fmean(one.default for one in runs):.1%}",
            f"{fmean(one.random for one in runs):.1%}",
            f"[{colour}]{100 * difference.mean:+.2f}[/]",
            f"{100 * difference.low:+.2f} to {100 * difference.high:+.2f}",
            f"{best:.1%}",
            end_section=dataset == "mean",
        )
    return shown


def complaints(measured: Mapping[tuple[int, float, str], Gain]) -> list[str]:
    """Say where the default is not worth it; late labels are shown, and judged alike."""
    found = []
    for (delay, rate, dataset), difference in measured.items():
        place = f"{dataset} at {rate:.0%}, delay {delay}"
        if dataset == "mean" and difference.low <= 0:
            found.append(f"not significantly better: {place}")
        elif dataset != "mean" and difference.high < 0:
            found.append(f"significantly worse: {place}")
    return found


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_SEEDS} seeds, and at most {SHORT_LENGTH:,} samples a set")
    parser.add_argument("--delay", type=int, nargs="+", default=[0], help="samples by which labels are late")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pin_hash_seed()
    length = SHORT_LENGTH if options.short else None
    seeds = range(SHORT_SEEDS if options.short else SEEDS)
    names = reversed([*SHIPPED])  # the longest first
    jobs = [Job(name, delay, rate, seed, length) for name in names for delay in options.delay for rate in RATES for seed in seeds]
    jobs += [Job(name, delay, 1.0, 0, length) for name in SHIPPED for delay in options.delay]
    found = dict(run_all(run, jobs, "Value"))
    measured = gains(found)
    console = Console()
    console.print(table(found, measured))
    wrong = complaints(measured)
    console.print("\n".join(wrong) or "significantly better on the mean of the sets, significantly worse on none")
    if options.json is not None:
        rows = [{"delay": delay, "rate": rate, "dataset": name, **one._asdict()} for (delay, rate, name), one in measured.items()]
        runs = [{**job._asdict(), **one._asdict()} for job, one in found.items()]
        options.json.write_text(json.dumps({"gains": rows, "runs": runs}, indent=1) + "\n", encoding="utf-8")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
