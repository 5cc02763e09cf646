"""Proves the label budget: `python -m benchmarks.budget_check [--short] [--streams DIR]`.

First a campaign of 5 million decisions over adversarial utilities and a hostile world (`benchmarks.hostile`), which checks law 6 at every
prefix in exact arithmetic. Then adaptive rules with the margin, and the default rule with every other measure, on real streams (a folder
of CSV files, or the sets that River ships): at every prefix -max(0.02 x rate x seen, 20) <= asked - rate x seen <= burst. Exits 1 where
anything does not hold.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import accumulate, product
from math import inf
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.hostile import PATTERNS, Job, Tally, run
from benchmarks.parallel import pin_hash_seed, run_all
from service.core.measures import MEASURES
from service.core.models import DEFAULT
from service.core.rules import RULES
from service.simulate import Pair, queried
from service.simulate.datasets import SHIPPED, read_csv, shipped

PERCENTS = (1, 5, 10, 20)
ADAPTIVE = ("logit", "quantile", "variable-uncertainty", "random-variable-uncertainty", "split", "importance-weighted", "periodic", "auto")
DECISIONS, SHORT_DECISIONS = 5_000_000, 200_000
SHORT_JOB = 4_000  # decisions
BURST = 50  # questions, the default
UNCOVERED = 0.001  # share of traffic that may have probability 0
SIGMAS = 4.0  # from what the probabilities promise
_WIDTH = 170  # columns of the tables in a file


# The campaign


def campaign(*, short: bool) -> list[Job]:
    """Return the jobs: every rule, budget and pattern of utilities, in a peaceful and in a hostile world."""
    kinds = list(product(RULES, PERCENTS, PATTERNS, (False, True)))
    each = SHORT_JOB if short else -(-DECISIONS // len(kinds))
    every = [Job(rule, percent, pattern, hostile, each, seed) for seed, (rule, percent, pattern, hostile) in enumerate(kinds)]
    # An odd step, so that every second one is hostile, and every rule and pattern has its turn.
    return every[:: len(every) * SHORT_JOB // SHORT_DECISIONS + 1 | 1] if short else every


def by_rule(found: Mapping[Job, Tally]) -> dict[str, Tally]:
    """Add the tallies up."""
    groups: dict[str, list[Tally]] = defaultdict(list)
    for job, tally in sorted(found.items(), key=lambda item: item[0].seed):
        groups[job.rule].append(tally)
    return {rule: reduce(Tally.__add__, groups[rule]) for rule in RULES if rule in groups}


def campaign_complaints(found: Mapping[Job, Tally]) -> list[str]:
    """Say what does not hold."""
    wrong = []
    for job, tally in found.items():
        if tally.broken:
            wrong.append(f"{job}: {tally.broken[0]} ({len(tally.broken)} times)")
        if uncovered(job, tally):
            wrong.append(f"{job}: {tally.uncovered} decisions of {tally.decisions} have probability 0")
    for rule, tally in by_rule(found).items():
        if abs(tally.explored.sigmas) > SIGMAS:
            wrong.append(f"{rule}: exploration asks are {tally.explored.sigmas:+.1f} standard deviations off their probability")
        if abs(tally.asked.sigmas) > SIGMAS:
            wrong.append(f"{rule}: asks are {tally.asked.sigmas:+.1f} standard deviations off their probability")
    return wrong


def uncovered(job: Job, tally: Tally) -> bool:
    """Tell whether too much of a peaceful world has probability 0."""
    return not job.hostile and tally.uncovered > UNCOVERED * tally.decisions


def campaign_table(found: Mapping[Job, Tally]) -> Table:
    """Show the campaign by rule."""
    columns: dict[str, Callable[[Tally], str]] = {
        "decisions": lambda tally: f"{tally.decisions:,}",
        "asked": lambda tally: f"{tally.asked.hits:,}",
        "off, sigma": lambda tally: f"{tally.asked.sigmas:+.2f}",
        "explored": lambda tally: f"{tally.explored.hits:,}",
        "off, sigma ": lambda tally: f"{tally.explored.sigmas:+.2f}",
        "given back": lambda tally: f"{tally.given_back:,}",
        "commits failed": lambda tally: f"{tally.failed:,}",
        "restarts": lambda tally: f"{tally.restarts:,}",
        "pauses": lambda tally: f"{tally.pauses:,}",
        "promises broken": lambda tally: f"{len(tally.broken):,}",
    }
    shown = Table("", *columns, "probability 0, without a cap", title="Law 6 at every prefix; off: from their probability")
    for rule, tally in by_rule(found).items():
        peaceful = [one for job, one in found.items() if job.rule == rule and not job.hostile]
        never = sum(one.uncovered for one in peaceful) / max(1, sum(one.decisions for one in peaceful))
        shown.add_row(rule, *(cell(tally) for cell in columns.values()), f"{never:.4%}")
    return shown


# Streams


class OnStream(NamedTuple):
    """An adaptive rule on a stream; `path` None for a set that River ships."""

    stream: str
    path: Path | None
    rule: str
    percent: int
    measure: str = "margin"


class Bounds(NamedTuple):
    """The least and the largest asked - rate x seen at any prefix, and how much room it left below."""

    least: float
    largest: float
    room: float

    @property
    def holds(self) -> bool:
        """Whether both bounds hold."""
        return self.room >= 0 and self.largest <= BURST


@lru_cache(maxsize=2)
def pairs(stream: str, path: Path | None) -> list[Pair]:
    """Return a stream's samples."""
    return list(shipped(stream) if path is None else read_csv(path))


def bounds(bought: Sequence[int], percent: int) -> Bounds:
    """Return the bounds in exact arithmetic: hundredths of questions."""
    least, largest, room = inf, -inf, inf
    for seen, asked in enumerate(accumulate(bought), 1):
        balance = 100 * asked - percent * seen
        least, largest = min(least, balance), max(largest, balance)
        room = min(room, balance + max(0.02 * percent * seen, 2_000))
    return Bounds(least / 100, largest / 100, room / 100)


def on_stream(job: OnStream) -> Bounds:
    """Do one run."""
    rows = pairs(job.stream, job.path)
    default = (job.rule, job.measure) == ("logit", "margin")
    model = DEFAULT if default else "text" if set(rows[0][0]) == {"text"} else "logistic"
    config = {"model": {"type": model}, "query": {"rule": job.rule, "measure": job.measure}, "budget": {"rate": job.percent / 100}}
    return bounds(queried(rows, config, seed=1).bought, job.percent)


def on_streams(folder: Path | None, *, short: bool) -> list[OnStream]:
    """Return the runs, one stream after the other."""
    names = ("phishing", "image-segments") if short else SHIPPED
    paths = sorted(folder.glob("*.csv*")) if folder is not None else []
    places: Sequence[tuple[str, Path | None]] = [(path.name.partition(".")[0], path) for path in paths] or [(name, None) for name in names]
    rules, percents = (("logit", "quantile", "split"), (1, 20)) if short else (ADAPTIVE, PERCENTS)
    kinds = [(rule, "margin") for rule in rules] + [("logit", measure) for measure in MEASURES if measure != "margin"]
    every = product(places, kinds, percents)
    return [OnStream(stream, path, rule, percent, measure) for (stream, path), (rule, measure), percent in every]


def stream_table(found: Mapping[OnStream, Bounds]) -> Table:
    """Show the range of asked - due for every rule on every stream."""
    percents = sorted({job.percent for job in found})
    shown = Table("Stream", "Rule", "Measure", *(f"{percent} %" for percent in percents), title="asked - rate x seen, least to largest")
    rows: dict[tuple[str, str, str], dict[int, Bounds]] = defaultdict(dict)
    for job, one in found.items():
        rows[job.stream, job.rule, job.measure][job.percent] = one
    for names, row in sorted(rows.items()):
        cells = [f"[{'green' if row[p].holds else 'bold red'}]{row[p].least:+.1f} to {row[p].largest:+.1f}[/]" for p in percents]
        shown.add_row(*names, *cells)
    return shown


def main() -> int:
    """Run campaign and streams."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_DECISIONS:,} decisions, small streams")
    parser.add_argument("--streams", type=Path, metavar="DIR", help="a folder of *.csv or *.csv.gz with the label in the last column")
    options = parser.parse_args()
    pin_hash_seed()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    found = dict(run_all(run, campaign(short=options.short), "Campaign"))
    console.print(campaign_table(found))
    ranges = dict(run_all(on_stream, on_streams(options.streams, short=options.short), "Streams"))
    console.print(stream_table(ranges))
    wrong = campaign_complaints(found)
    wrong += [f"{job.stream}, {job.rule} with {job.measure} at {job.percent} %: {one}" for job, one in ranges.items() if not one.holds]
    console.print("\n".join(wrong) or "The budget holds at every prefix.", markup=False)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
