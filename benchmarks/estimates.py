"""Measures whether figures about accuracy hold: `python -m benchmarks.estimates [--short] [--streams DIR] [--part NAME ...] [--json FILE]`.

Windows of 500 and 2,000 samples, one after the other, on every stream with every rule at budgets of 5 and 10 %: how often intervals of
95 % hold the truth (the real label of every sample), bias, and half widths against Wilson's for as many random labels. Sequences: whether
the interval since the start holds at every one of many looks. Savings: whether what random asking is said to need holds what it does
need. Exits 1 where a bar is missed.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import product
from math import inf, sqrt
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.estimating import Job, Window, names, random_needs, run
from benchmarks.parallel import PROCESSES, pin_hash_seed, run_all
from service.core.rules import RULES

PARTS = ("windows", "sequences", "savings")
RATES = (0.05, 0.10)
EXPLORATION = 0.3  # the default
COVERAGE = (0.93, 0.98)
BIAS = 0.005
RATIOS = {0.3: 1.6, 0.5: 1.35}  # by exploration, with the default rule at 5 %
HOLDING = 0.95
SEQUENCES, SHORT_SEQUENCES = 400, 40
SEQUENCE_LENGTH, SHORT_LENGTH = 10_000, 6_000  # samples
SEEDS = 6
SHARES = (0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.08, 0.125, 0.2, 0.35, 0.6, 1.0)  # of samples, that random asking buys
CURVE_SEEDS = 3
SIGMAS = 3.0  # that a short run may miss a bar by; half widths it only shows
WIDTH = 130  # characters

Group = tuple[str, float, float, int]  # rule, rate, exploration, samples of a window


def jobs(parts: Sequence[str], folder: Path | None, count: int, first: int, *, short: bool) -> list[Job]:
    """Return all runs, `count` sequences among them; every one throws coins of its own, from the seed `first` on."""
    streams = names(folder)
    length = SHORT_LENGTH if short else None
    kinds: list[tuple[str, str, str, float, float, int, int | None]] = []
    if "windows" in parts:
        rules = [(rule, rate, EXPLORATION) for rule, rate in product(RULES, RATES)]
        rules += [("logit", rate, exploration) for rate, exploration in product(RATES, (0.1, 0.5))]
        kinds += [("windows", name, *rule, index, length) for index, (name, rule) in enumerate(product(streams, rules))]
    if "sequences" in parts:
        most = SHORT_LENGTH // 2 if short else SEQUENCE_LENGTH
        kinds += [("sequences", streams[seed % len(streams)], "logit", 0.05, EXPLORATION, 1_000 + seed, most) for seed in range(count)]
    if "savings" in parts:
        seeds, points = (2, SHARES[2::3]) if short else (SEEDS, SHARES)
        kinds += [("savings", name, "logit", 0.05, EXPLORATION, 2_000 + seed, length) for name, seed in product(streams, range(seeds))]
        kinds += [
            ("curves", name, "logit", share, EXPLORATION, seed, length)
            for name, share, seed in product(streams, points, range(1 if short else CURVE_SEEDS))
        ]
    made = [Job(what, folder, *rest) for what, *rest in kinds]
    return [job._replace(seed=job.seed + first) for job in sorted(made, key=lambda job: job.stream)]  # each is read once


# What came of them


def of_group(windows: Sequence[Window]) -> dict[str, float]:
    """The figures of some windows; those about which nothing is claimed are counted alone."""
    told = [one for one in windows if one.found.accuracy is not None]
    hits = [one.found.low <= one.truth <= one.found.high for one in told]
    errors = [one.found.accuracy - one.truth for one in told]
    half = fmean((one.found.high - one.found.low) / 2 for one in told)
    return {
        "windows": len(windows),
        "claimed": len(told),
        "coverage": fmean(hits),
        "bias": fmean(errors),
        "error": pstdev(errors) / sqrt(len(errors)),
        "naive": fmean(one.found.naive - one.truth for one in told),
        "half": half,
        "ratio": half / fmean(one.random for one in told),
    }


def groups(found: Mapping[Job, Any]) -> dict[Group, dict[str, float]]:
    """The figures of all windows, by rule, budget, exploration and size; the pooled rules at the default exploration as `every rule`."""
    gathered: dict[Group, list[Window]] = defaultdict(list)
    for job, windows in sorted(((job, one) for job, one in found.items() if job.what == "windows"), key=lambda item: item[0].seed):
        for window in windows:
            gathered[job.rule, job.rate, job.exploration, window.size].append(window)
            if job.exploration == EXPLORATION:
                gathered["every rule", job.rate, job.exploration, window.size].append(window)
    return {group: of_group(windows) for group, windows in gathered.items()}


def savings(found: Mapping[Job, Any]) -> dict[str, dict[str, float]]:
    """By stream: how often the interval for what random asking needs holds it, and how often it has an end."""
    told = {}
    for name in sorted({job.stream for job in found if job.what == "savings"}):
        points = [one for job, one in found.items() if job.what == "curves" and job.stream == name]
        claims = [one for job, one in found.items() if job.what == "savings" and job.stream == name]
        some = [(one, random_needs(points, one.accuracy)) for one in claims if one.found.low is not None]
        hits = [one.found.low <= truth <= (inf if one.found.high is None else one.found.high) for one, truth in some]
        told[name] = {
            "runs": len(claims),
            "claimed": len(some),
            "held": sum(hits),
            "bounded": sum(one.found.high is not None for one, _ in some),
            "bought": fmean(one.bought for one in claims),
            "needed": fmean(truth for _, truth in some) if some else inf,
            "low": fmean(one.found.low for one, _ in some) if some else 0.0,
        }
    return told


def complaints(
    windows: Mapping[Group, Mapping[str, float]], held: Sequence[bool], saved: Mapping[str, Mapping[str, float]], *, short: bool
) -> list[str]:
    """Say which bars are missed."""
    wrong = []
    slack = SIGMAS if short else 0.0
    for (rule, rate, exploration, size), group in windows.items():
        place = f"{rule} at {rate:.0%}, exploration {exploration}, windows of {size}"
        if rule == "every rule":
            error = slack * sqrt(0.05 * 0.95 / group["claimed"])
            if not COVERAGE[0] - error <= group["coverage"] <= COVERAGE[1] + error:
                wrong.append(f"coverage {group['coverage']:.1%}: {place}")
            if abs(group["bias"]) > BIAS + slack * group["error"]:
                wrong.append(f"bias {100 * group['bias']:+.2f} points: {place}")
        if rule == "logit" and rate == RATES[0] and not short and group["ratio"] > RATIOS.get(exploration, inf):
            wrong.append(f"half width {group['ratio']:.2f} times random's: {place}")
    if held and fmean(held) < HOLDING - slack * sqrt(0.05 * 0.95 / len(held)):
        wrong.append(f"{fmean(held):.1%} of the sequences held")
    claimed = sum(one["claimed"] for one in saved.values())
    if claimed and sum(one["held"] for one in saved.values()) / claimed < COVERAGE[0] - slack * sqrt(0.05 * 0.95 / claimed):
        wrong.append("the interval for savings does not hold")
    return wrong


def show(
    console: Console, windows: Mapping[Group, Mapping[str, float]], held: Sequence[bool], saved: Mapping[str, Mapping[str, float]]
) -> None:
    """Print them."""
    if windows:
        shown = Table("Rule", "Budget", "Exploration", "Window", "Claimed", "Covered", "Bias", "Naive", "Half width", "of random's")
        for (rule, rate, exploration, size), group in sorted(windows.items(), key=lambda item: (item[0][0] != "every rule", item[0])):
            points = [f"{100 * group[name]:+.2f}" for name in ("bias", "naive")]
            counts = f"{group['claimed']} of {group['windows']}"
            width = [f"{100 * group['half']:.1f}", f"{group['ratio']:.2f}"]
            shown.add_row(rule, f"{rate:.0%}", f"{exploration}", f"{size}", counts, f"{group['coverage']:.1%}", *points, *width)
        console.print(shown)
    if held:
        console.print(f"sequences: {sum(held)} of {len(held)} held at every look")
    if saved:
        shown = Table("Stream", "Runs", "Claimed", "Held", "With an end", "Bought", "Random needs", "At least, as claimed")
        for name, one in saved.items():
            figures = [f"{one[key]:.0f}" for key in ("runs", "claimed", "held", "bounded", "bought", "needed", "low")]
            shown.add_row(name, *figures)
        console.print(shown)


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_LENGTH:,} samples a stream, fewer runs")
    parser.add_argument("--streams", type=Path, help="a folder of CSV files; without it the sets that River ships")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--sequences", type=int, help=f"how many; {SEQUENCES} where nothing is said, in short {SHORT_SEQUENCES}")
    parser.add_argument("--seed", type=int, default=0, help="of the first run, so that another one throws other coins")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pin_hash_seed()
    count = options.sequences or (SHORT_SEQUENCES if options.short else SEQUENCES)
    todo = jobs(options.part, options.streams, count, options.seed, short=options.short)
    found = dict(run_all(run, todo, "Estimates", options.processes))
    windows, saved = groups(found), savings(found)
    held = [one for job, one in found.items() if job.what == "sequences"]
    console = Console(width=WIDTH)
    show(console, windows, held, saved)
    wrong = complaints(windows, held, saved, short=options.short)
    console.print("\n".join(wrong) or "every bar is met")
    if options.json is not None:
        rows = [{**dict(zip(("rule", "rate", "exploration", "size"), group, strict=True)), **one} for group, one in windows.items()]
        options.json.write_text(json.dumps({"windows": rows, "sequences": [sum(held), len(held)], "savings": saved}, indent=1) + "\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
