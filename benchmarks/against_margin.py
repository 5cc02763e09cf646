"""Compares measures with the default's, margin, at the same number of labels: `python -m benchmarks.against_margin [--streams DIR]`.

Each measure under the default rule, at 5 and 10 %, on every stream, paired by seed. Margin runs at more rates, and its accuracy is read
off at the share of labels that the measure really bought. Exits 1 where a measure would make a better default: half a point on the
mean of the streams at every rate, without losing half a point on any.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.label_efficiency.compare import Point, at
from benchmarks.label_efficiency.streams import is_text, load, names
from benchmarks.parallel import PROCESSES, pin_hash_seed, run_all
from service.core.measures import MEASURES
from service.simulate import queried

MARGIN = "margin"
RATES = (0.05, 0.10)
MORE = (0.02, 0.035, 0.05, 0.07, 0.10, 0.14)  # margin's
SEEDS, ROWS = 3, 10_000
BETTER = 0.5  # points


class Job(NamedTuple):
    """A run; `measure` is a name, or a name with parameters: `density:beta=0.5,neighbours=3`."""

    stream: str
    folder: Path | None
    rows: int
    measure: str
    rate: float
    exploration: float
    seed: int


Gains = dict[tuple[str, float], dict[str, float]]  # by measure and rate: points by stream


def run(job: Job) -> Point:
    """Do it."""
    stream = load(job.stream, job.folder, job.rows)
    config = {
        "model": {"type": "text" if is_text(stream) else "logistic"},
        "query": query(job.measure),
        "budget": {"rate": job.rate},
        "exploration": job.exploration,
    }
    done = queried(stream, config, seed=job.seed)
    return Point(done.rate, done.accuracy)


def query(measure: str) -> dict[str, Any]:
    """A measure as it is configured.

    >>> query("density:beta=0.5,neighbours=3")
    {'measure': 'density', 'measure_params': {'beta': 0.5, 'neighbours': 3}}
    """
    name, _, given = measure.partition(":")
    pairs = (pair.partition("=") for pair in given.split(",") if pair)
    return {"measure": name, "measure_params": {key: json.loads(value) for key, _, value in pairs}}


def jobs(options: argparse.Namespace) -> list[Job]:
    """All runs, those of a stream together."""
    rates = {**dict.fromkeys(options.measure, RATES), MARGIN: MORE}
    return [
        Job(stream, options.streams, options.rows, measure, rate, options.exploration, seed)
        for stream in options.only or names(options.streams)
        for measure in rates
        for rate in rates[measure]
        for seed in range(options.seeds)
    ]


def gains(found: Mapping[Job, Point]) -> Gains:
    """The lead over margin at the same share of labels, in points, means over seeds."""
    margin: dict[tuple[str, int], list[Point]] = defaultdict(list)
    for job, point in found.items():
        if job.measure == MARGIN:
            margin[job.stream, job.seed].append(point)
    leads: dict[tuple[str, float, str], list[float]] = defaultdict(list)
    for job, point in sorted(found.items(), key=lambda item: item[0].stream):
        if job.measure != MARGIN:
            leads[job.measure, job.rate, job.stream].append(point.accuracy - at(sorted(margin[job.stream, job.seed]), point.share))
    table: Gains = defaultdict(dict)
    for (measure, rate, stream), values in leads.items():
        table[measure, rate][stream] = 100 * fmean(values)
    return table


def shown(table: Gains) -> Table:
    """A row a measure and rate: every stream, the mean, the worst."""
    streams = list(next(iter(table.values())))
    drawn = Table("Measure", "Labels", *streams, "Mean", "Worst", title="Points over margin at the same number of labels")
    for (measure, rate), leads in sorted(table.items()):
        values = list(leads.values())
        drawn.add_row(measure, f"{rate:.0%}", *(f"{value:+.2f}" for value in [*values, fmean(values), min(values)]))
    return drawn


def better(table: Gains, measures: Sequence[str]) -> list[str]:
    """The measures that would make a better default."""
    found = {measure: [list(leads.values()) for (name, _), leads in table.items() if name == measure] for measure in measures}
    return [name for name, rates in found.items() if all(fmean(leads) >= BETTER and min(leads) > -BETTER for leads in rates)]


def main() -> int:
    """Run them all."""
    others = [measure for measure in MEASURES if measure != MARGIN]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=Path, metavar="DIR", help="a folder of *.csv or *.csv.gz with the label in the last column")
    parser.add_argument("--only", nargs="+", metavar="STREAM", help="these streams only")
    parser.add_argument("--measure", nargs="+", default=others, help="these measures, with parameters as in density:beta=0.5,neighbours=3")
    parser.add_argument("--exploration", type=float, default=0.3)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--rows", type=int, default=ROWS, help="at most so many samples of each stream")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args()
    pin_hash_seed()
    table = gains(dict(run_all(run, jobs(options), "Against margin", options.processes)))
    Console(width=110).print(shown(table))
    found = better(table, options.measure)
    print(f"A better default: {', '.join(found)}" if found else "No measure makes a better default.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
