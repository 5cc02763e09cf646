"""Measures a model of the caller's own: `python -m benchmarks.external [--short] [--streams DIR] [--part NAME ...] [--cache FILE]`.

Callers' models are scikit-learn's, trained on the first 30 % of a stream (at most 5,000 samples) and asked about the rest.
Calibration: a model whose logits are sharpened fourfold, 300 labels, and the expected calibration error over what comes after them;
whether questions are about what it is less sure of. Windows: how often intervals of 95 % hold its true accuracy. Stacking: what its
probabilities add to a model of the service's own, or cost it. Exits 1 where a bar is missed.
"""

import argparse
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table
from scipy.stats import wilcoxon  # type: ignore[import-untyped]  # River brings it along

from benchmarks.external.cache import complete
from benchmarks.external.jobs import LABELS, PARTS, Job
from benchmarks.label_efficiency.streams import names
from benchmarks.parallel import PROCESSES, pin_hash_seed

ERROR = 0.03  # expected calibration error, on the mean of streams
COVERAGE = (0.93, 0.98)
COST = -0.5  # points of accuracy, on the mean of streams
SLACK = 1.5  # times the calibration error, and points besides the cost, that a short run may miss a bar by
BETTER = 0.02  # by which a caller's model is clearly better
CLEAR = 0.01  # p
SURE = ("overconfident", "overconfident-forest")
STACKED = ("forest", "overconfident", "naive-bayes", "weak", "noise")
SEEDS, SHORT_SEEDS = 3, 1
ROWS, SHORT_ROWS = 20_000, 4_000
SHORT_STREAMS = 3

Found = Mapping[Job, Any]


def jobs(parts: Sequence[str], streams: Sequence[str], folder: Path | None, *, short: bool) -> list[Job]:
    """All runs; those of one stream and caller follow one another, for its model is trained once."""
    callers = {"calibration": SURE, "windows": SURE[:1], "stacking": STACKED}
    seeds, rows = (SHORT_SEEDS, SHORT_ROWS) if short else (SEEDS, ROWS)
    return [
        Job(part, stream, caller, seed, rows, folder)
        for part in parts
        for stream in streams
        for caller in callers[part]
        for seed in range(seeds)
    ]


def grouped(found: Found, part: str) -> dict[tuple[str, str], list[Any]]:
    """The runs of a part by caller and stream, by seed."""
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for job, one in sorted(found.items(), key=lambda item: item[0][:4]):
        if job.part == part:
            groups[job.caller, job.stream].append(one)
    return groups


def calibration(found: Found, *, short: bool) -> tuple[Table, list[str]]:
    """Calibration errors, and confidences of what was asked and of everything."""
    table = Table("Caller", "Stream", "Labels", "ECE before", "after", "Confidence asked", "of all", title=f"After {LABELS} labels")
    after: dict[str, list[float]] = defaultdict(list)
    wrong = []
    for (caller, stream), runs in grouped(found, "calibration").items():
        labels, before, left, asked, everything = (
            fmean(getattr(one, name) for one in runs) for name in ("labels", "before", "after", "asked", "all")
        )
        after[caller].append(left)
        colour = "green" if left < ERROR else "yellow"
        table.add_row(caller, stream, f"{labels:.0f}", f"{before:.3f}", f"[{colour}]{left:.3f}[/]", f"{asked:.3f}", f"{everything:.3f}")
        if asked > everything:
            wrong.append(f"{caller} on {stream}: questions are about what it is sure of")
    for caller, errors in after.items():
        table.add_row(caller, "mean", "", "", f"{fmean(errors):.3f}", "", "", style="bold")
        if fmean(errors) >= ERROR * (SLACK if short else 1.0):
            wrong.append(f"{caller}: the calibration error is {fmean(errors):.3f} after {LABELS} labels")
    return table, wrong


def windows(found: Found, *, short: bool) -> tuple[Table, list[str]]:
    """How often intervals hold the truth."""
    table = Table("Windows of", "Claimed", "Coverage", "Bias", "Naive's bias", title="Intervals of 95 % for the caller's accuracy")
    wrong = []
    everything = [window for runs in grouped(found, "windows").values() for run_ in runs for window in run_]
    told = [one for one in everything if one.found.accuracy is not None]
    for size in (*sorted({one.size for one in told}), None):
        some = [one for one in told if size in (one.size, None)]
        held = fmean(one.found.low <= one.truth <= one.found.high for one in some)
        bias, naive = fmean(one.found.accuracy - one.truth for one in some), fmean(one.found.naive - one.truth for one in some)
        table.add_row(f"{size or 'all'}", f"{len(some)}", f"{held:.1%}", f"{100 * bias:+.2f}", f"{100 * naive:+.1f}")
        if size is None and not COVERAGE[0] <= held <= COVERAGE[1] and not (short and held > COVERAGE[0]):
            wrong.append(f"intervals hold the truth in {held:.1%} of {len(some)} windows")
    return table, wrong


def stacking(found: Found, *, short: bool) -> tuple[Table, list[str]]:
    """What probabilities add or cost, and whether they help where the caller's model is better."""
    table = Table("Caller", "Stream", "Caller's accuracy", "Without", "With", "Gain, points", title="As evidence, at 5 % labels")
    gains: dict[str, list[float]] = defaultdict(list)
    better: list[float] = []
    for (caller, stream), runs in grouped(found, "stacking").items():
        own, plain, stacked = (fmean(getattr(one, name) for one in runs) for name in ("caller", "plain", "stacked"))
        gain = 100 * (stacked - plain)
        gains[caller].append(gain)
        if own >= plain + BETTER:
            better += [100 * (one.stacked - one.plain) for one in runs]
        colour = "green" if gain > 0 else "red" if gain < COST else "yellow"
        table.add_row(caller, stream, f"{own:.1%}", f"{plain:.1%}", f"{stacked:.1%}", f"[{colour}]{gain:+.2f}[/]")
    for caller, some in gains.items():
        table.add_row(caller, "mean", "", "", "", f"{fmean(some):+.2f}", style="bold")
    least = COST - (SLACK if short else 0.0)
    wrong = [f"{caller} costs {-fmean(some):.2f} points on the mean" for caller, some in gains.items() if fmean(some) < least]
    p = float(wilcoxon(better).pvalue) if len(better) > 1 else 1.0  # gains are skewed: no test for Student's
    table.caption = (
        f"where the caller's model is {100 * BETTER:.0f} points better: {fmean(better or [0.0]):+.2f} (p = {p:.2g}, {len(better)} runs)"
    )
    if len(better) > 1 and not (fmean(better) > 0.0 and (short or p < CLEAR)):
        wrong.append("a better model does not help clearly")
    return table, wrong


def told(found: Found, *, short: bool) -> Iterator[tuple[Table, list[str]]]:
    """The table and the complaints of every part that was run."""
    parts = {job.part for job in found}
    if "calibration" in parts:
        yield calibration(found, short=short)
    if "windows" in parts:
        yield windows(found, short=short)
    if "stacking" in parts:
        yield stacking(found, short=short)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_STREAMS} streams of at most {SHORT_ROWS:,} samples, one seed")
    parser.add_argument("--streams", type=Path, metavar="DIR", help="a folder of *.csv or *.csv.gz with the label in the last column")
    parser.add_argument("--stream", nargs="+", metavar="NAME", help="these streams only")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), help="these parts")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="runs at once")
    parser.add_argument("--cache", type=Path, help="keep figures here, and judge all that are in it")
    options = parser.parse_args()
    pin_hash_seed()
    warnings.filterwarnings("ignore", module="sklearn")
    streams = options.stream or (["hyperplane", "image-segments", "sea"] if options.short else names(options.streams))
    todo = jobs(options.part, streams, options.streams, short=options.short)
    found = complete(todo, options.cache, options.processes)
    console, wrong = Console(width=120), []
    for table, complaints in told(found, short=options.short):
        console.print(table)
        wrong += complaints
    print("\n".join(wrong) or "A caller's model is calibrated, judged and put to use as promised.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
