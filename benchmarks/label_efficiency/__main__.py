"""Compares the default rule with the peers' own code: `python -m benchmarks.label_efficiency [--short] [--streams DIR] [--model M ...]`.

Identical models, preprocessing, streams and order; a peer only decides. Compared at the same number of labels that were really bought.
Late labels (a share of which never arrives) are for the default and random asking. Runs are kept in a file of JSON lines and resumed.
Writes Markdown and a figure. Exits 1 where the default is not significantly better than random asking on the mean of the streams.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.markdown import Markdown

from benchmarks.label_efficiency import cache, compare, report, streams, verdict
from benchmarks.label_efficiency.compare import Runs
from benchmarks.label_efficiency.jobs import DEFAULT, FULL, OURS, Job, applies
from benchmarks.label_efficiency.peers import PEERS
from benchmarks.parallel import PROCESSES, pin_hash_seed

MODELS = ("logistic", "naive-bayes", "hoeffding-tree")
BUDGETS = (0.01, 0.02, 0.05, 0.10, 0.20)
LOW = (0.003,)  # more budgets of the default, whose grant comes on top
FACTORS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of the learning rate, under full supervision
_TITLE = "# Label efficiency\n\nBy `make label-efficiency`; what the columns mean stands in [README.md](README.md#label-efficiency).\n"
LOST = 0.2  # of the questions, where labels are late
SEEDS, PEER_SEEDS = 10, 1
SHORT_STREAMS = ("phishing", "image-segments", "sea")
SHORT_ROWS, SHORT_SEEDS = 3_000, 3


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help=f"{', '.join(SHORT_STREAMS)}; {SHORT_ROWS:,} rows, {SHORT_SEEDS} seeds")
    parser.add_argument("--streams", type=Path, metavar="DIR", help="a folder of *.csv or *.csv.gz with the label in the last column")
    parser.add_argument("--only", nargs="+", metavar="STREAM", help="these streams only")
    parser.add_argument("--model", nargs="+", choices=MODELS, default=["logistic"])
    parser.add_argument("--budget", nargs="+", type=float, default=BUDGETS, metavar="RATE")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of the default and of random asking")
    parser.add_argument("--peer-seeds", type=int, default=PEER_SEEDS, help="of the peers that have one")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rules", nargs="*", choices=OURS, default=[], help="more of our own rules")
    parser.add_argument("--rows", type=int, help="at most so many samples of each stream")
    parser.add_argument("--delay", nargs="*", type=int, default=[], help=f"samples by which labels are late; {LOST:.0%} never arrive")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--cache", type=Path, default=Path("label-efficiency.jsonl"), help="runs that are there already")
    parser.add_argument("--cached", action="store_true", help="run nothing, show what is there")
    parser.add_argument("--markdown", type=Path, help="write the tables here")
    parser.add_argument("--figure", type=Path, help="write the figure here")
    options = parser.parse_args()
    if options.short:
        options.only, options.rows, options.seeds = SHORT_STREAMS, SHORT_ROWS, SHORT_SEEDS
    return options


def jobs(options: argparse.Namespace) -> list[Job]:
    """All runs, those of a stream together."""
    found: list[Job] = []
    for stream in options.only or streams.names(options.streams):
        for model in options.model:
            if applies(model, stream, options.streams, options.rows):
                found += [job._replace(rows=options.rows, folder=options.streams) for job in _of(stream, model, options)]
    return found


def _of(stream: str, model: str, options: argparse.Namespace) -> Iterator[Job]:
    seeds = range(options.seeds)
    yield from (Job(stream, model, FULL, factor, 0) for factor in (FACTORS if model == "logistic" else (1.0,)))
    yield from (Job(stream, model, DEFAULT, budget, seed) for budget in (*LOW, *options.budget) for seed in seeds)
    for rule in options.rules:
        yield from (Job(stream, model, rule, budget, seed) for budget in options.budget for seed in seeds)
    for peer in options.peers:
        own = range(options.peer_seeds if PEERS[peer].seeded else 1)
        yield from (Job(stream, model, peer, budget, seed) for budget in options.budget for seed in own)
    for delay in options.delay:
        late = [budget for budget in options.budget if budget in (0.05, 0.10)]
        yield from (Job(stream, model, DEFAULT, budget, seed, delay, LOST) for budget in late for seed in seeds)


def tables(runs: Runs, model: str, options: argparse.Namespace) -> tuple[list[str], list[verdict.Bar]]:
    """The tables of one model, and its bars."""
    drawn, ceiling, gains = compare.curves(runs, model), compare.supervised(runs, model), compare.gains(runs, model)
    lines = [f"## {model}\n", *report.what_was_run(runs, model)]
    bars: list[verdict.Bar] = []
    for share in options.budget:
        among = compare.reached(drawn, share)
        if among:
            rows = compare.matched(drawn, share)
            lines += report.rows_table(rows, len(among), share)
            bars += verdict.leads(rows, share, fmean(ceiling[stream] for stream in among))
    lines += [line for share in (0.05, 0.10) for line in report.stream_table(drawn, ceiling, share)]
    lines += report.gains_table(gains, options.budget)
    for delay in (0, *options.delay):
        bars += verdict.never_worse(gains, delay, options.budget)
    return [*lines, *report.bars_table(bars)], bars


def main() -> int:
    """Run them all."""
    options = parse()
    pin_hash_seed()
    todo = jobs(options)
    runs = cache.known(todo, options.cache) if options.cached else cache.complete(todo, options.cache, options.processes)
    lines = [_TITLE]
    worse = False
    for model in options.model:
        text, _ = tables(runs, model, options)
        lines += text
        means = [gain for (delay, _, stream), gain in compare.gains(runs, model).items() if stream == "mean" and not delay]
        worse |= any(gain.low <= 0 for gain in means) and model == "logistic"
    Console().print(Markdown("\n".join(lines)))
    if options.markdown is not None:
        options.markdown.write_text("\n".join(lines), encoding="utf-8")
    if options.figure is not None:
        report.draw(compare.curves(runs, "logistic"), compare.supervised(runs, "logistic"), options.figure)
    return int(worse)


if __name__ == "__main__":
    sys.exit(main())
