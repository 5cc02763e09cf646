"""Compares the rule `auto` with every other one at the same number of labels: `python -m benchmarks.auto_rule [--short] [--streams DIR]`.

At 5 and 10 %, on every stream, paired by seed. The other rules run at more budgets, and their accuracy is read off at the share of labels
that `auto` really bought; random asking gets exactly as many. Runs are kept in a file and resumed. Exits 1 where `auto` is more than a
point below the best rule in hindsight on the mean of the streams or two on any, or where the 95 % interval of what it gains over random
asking reaches half a point below nothing on any.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.label_efficiency.cache import complete
from benchmarks.label_efficiency.compare import Gain, Point, Runs, at, gains
from benchmarks.label_efficiency.jobs import Job
from benchmarks.label_efficiency.streams import names
from benchmarks.parallel import PROCESSES, pin_hash_seed
from service.core.rules import RULES

AUTO = "auto"
MODEL = "logistic"
RATES = (0.05, 0.10)
MORE = (0.045, 0.06, 0.09, 0.12)  # the other rules'
OTHERS = tuple(rule for rule in RULES if rule != AUTO)
SEEDS, ROWS = 5, 10_000
SHORT_STREAMS, SHORT_SEEDS, SHORT_ROWS = ("phishing", "image-segments", "sea"), 3, 2_000
BEHIND_MEAN, BEHIND_EACH, WORST = 1.0, 2.0, -0.5  # points


class Row(NamedTuple):
    """A stream at a rate: accuracies in % by rule at auto's number of labels, and the gain over random asking."""

    stream: str
    rate: float
    share: float
    accuracies: Mapping[str, float]
    behind: Mapping[str, float]  # points by rule, paired by seed
    gain: Gain

    @property
    def best(self) -> str:
        """The best of the other rules in hindsight."""
        return max(self.behind, key=lambda rule: self.behind[rule])


def jobs(options: argparse.Namespace) -> list[Job]:
    """All runs, those of a stream together."""
    return [
        Job(stream, MODEL, rule, budget, seed, rows=options.rows, folder=options.streams)
        for stream in options.only or names(options.streams)
        for rule in (AUTO, *options.rules)
        for budget in (RATES if rule == AUTO else MORE)
        for seed in range(options.seeds if rule == AUTO else options.other_seeds or options.seeds)
    ]


def rows(runs: Runs) -> Iterator[Row]:
    """Every stream at every rate."""
    drawn: dict[tuple[str, str, int], list[Point]] = defaultdict(list)
    for job, found in runs.items():
        drawn[job.rule, job.stream, job.seed].append(Point(found.labels / found.n, found.accuracy))
    own = {job: found for job, found in runs.items() if job.rule == AUTO}
    over_random = gains(own, MODEL)
    for stream, rate in sorted({(job.stream, job.budget) for job in own}):
        mine = {
            job.seed: Point(found.labels / found.n, found.accuracy)
            for job, found in own.items()
            if (job.stream, job.budget) == (stream, rate)
        }
        theirs: dict[str, dict[int, float]] = defaultdict(dict)
        for (rule, where, seed), points in drawn.items():
            if rule != AUTO and where == stream and seed in mine:
                theirs[rule][seed] = at(sorted(points), mine[seed].share)
        accuracies = {rule: 100 * fmean(values.values()) for rule, values in theirs.items()}
        behind = {rule: 100 * fmean(value - mine[seed].accuracy for seed, value in values.items()) for rule, values in theirs.items()}
        accuracies[AUTO] = 100 * fmean(point.accuracy for point in mine.values())
        yield Row(stream, rate, fmean(point.share for point in mine.values()), accuracies, behind, over_random[0, rate, stream])


def shown(found: Sequence[Row], rules: Sequence[str]) -> Table:
    """A row a stream and rate, the best of the others in bold."""
    table = Table(
        "Stream", "Labels", AUTO, *rules, "Behind the best", "Over random (95 %)", title="Accuracy at the labels that auto bought, %"
    )
    for row in found:
        cells = (f"[bold]{row.accuracies[rule]:.1f}[/]" if rule == row.best else f"{row.accuracies[rule]:.1f}" for rule in rules)
        gain = f"{100 * row.gain.mean:+.2f} ({100 * row.gain.low:+.2f} to {100 * row.gain.high:+.2f})"
        table.add_row(row.stream, f"{row.share:.1%}", f"{row.accuracies[AUTO]:.1f}", *cells, f"{row.behind[row.best]:+.2f}", gain)
    return table


def findings(found: Sequence[Row], runs: Runs, rate: float) -> tuple[str, list[str]]:
    """What is to be said at a rate, and which bars are missed."""
    some = [row for row in found if row.rate == rate]
    means = {rule: fmean(row.behind[rule] for row in some) for rule in some[0].behind}
    best = max(means, key=lambda rule: means[rule])
    each = fmean(row.behind[row.best] for row in some)
    worst, least = max(some, key=lambda row: row.behind[row.best]), min(some, key=lambda row: row.gain.low)
    mean = gains({job: one for job, one in runs.items() if job.rule == AUTO}, MODEL)[0, rate, "mean"]
    behind = f"behind the best rule on the mean ({best}) {means[best]:+.2f} points, behind each stream's best {each:+.2f}"
    most = f"at most {worst.behind[worst.best]:+.2f} ({worst.stream}, {worst.best})"
    over = f"over random {100 * mean.mean:+.2f} ({100 * mean.low:+.2f} to {100 * mean.high:+.2f})"
    said = f"At {rate:.0%}: {behind}, {most}; {over}, lower bound by stream at least {100 * least.gain.low:+.2f} ({least.stream})."
    missed = {
        f"more than {BEHIND_MEAN:g} point behind the best rule on the mean at {rate:.0%}": means[best] > BEHIND_MEAN,
        f"more than {BEHIND_EACH:g} points behind the best on {worst.stream} at {rate:.0%}": worst.behind[worst.best] > BEHIND_EACH,
        f"the lower bound against random is {WORST:g} or less on {least.stream} at {rate:.0%}": 100 * least.gain.low <= WORST,
    }
    return said, [bar for bar, is_missed in missed.items() if is_missed]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help=f"{', '.join(SHORT_STREAMS)}; {SHORT_ROWS:,} rows; shows, and judges nothing")
    parser.add_argument("--streams", type=Path, metavar="DIR", help="a folder of *.csv or *.csv.gz with the label in the last column")
    parser.add_argument("--only", nargs="+", metavar="STREAM", help="these streams only")
    parser.add_argument("--rules", nargs="+", choices=OTHERS, default=list(OTHERS), help="against these rules")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--other-seeds", type=int, help="of the other rules, where not as many")
    parser.add_argument("--rows", type=int, default=ROWS, help="at most so many samples of each stream")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--cache", type=Path, default=Path("auto-rule.jsonl"), help="runs that are there already")
    options = parser.parse_args()
    if options.short:
        options.only, options.seeds, options.rows = SHORT_STREAMS, SHORT_SEEDS, SHORT_ROWS
    return options


def main() -> int:
    """Run them all."""
    options = parse()
    pin_hash_seed()
    runs = complete(jobs(options), options.cache, options.processes)
    found = list(rows(runs))
    Console(width=200).print(shown(found, options.rules))
    missed: list[str] = []
    for rate in RATES:
        said, wrong = findings(found, runs, rate)
        print(said)
        missed += wrong
    print("\n".join(missed) or "Every bar holds.")
    return int(bool(missed) and not options.short)


if __name__ == "__main__":
    sys.exit(main())
