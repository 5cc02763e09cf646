"""Shows what asking well saves where labels are numbers: `python -m benchmarks.regression [--short] [--model NAME]`.

River's real sets and scikit-learn's diabetes (`--made` adds generators). Each measure under the default rule against random asking:
how many of its labels are needed for the same mean absolute error over all samples, between ten points of its curve; and beside it
random asking at the measure's own times, which tells choice of samples from asking early. Also whether the forecasts' intervals
hold the labels, and the estimates' intervals the true error. Exits 1 where a bar is missed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.parallel import PROCESSES, pin_hash_seed, run_all
from benchmarks.regression.jobs import SHARES, Job, run
from benchmarks.regression.sets import MADE, REAL
from benchmarks.regression.verdict import CLEAR, Standing, complaints, standings
from service.core.measures import NUMERIC
from service.core.regressors import REGRESSORS

BUDGETS, SHORT_BUDGETS = (0.05, 0.1, 0.2), (0.1,)
SEEDS, SHORT_SEEDS = 20, 5
SHORT_STREAMS, SHORT_MEASURES = ("ChickWeights", "diabetes"), ("gsx", "deviation")


def jobs(streams: Sequence[str], measures: Sequence[str], model: str, budgets: Sequence[float], seeds: int) -> list[Job]:
    """Return all runs."""
    arms = [*product(measures, budgets), *((None, share) for share in SHARES)]
    return [Job(stream, model, measure, budget, seed) for stream in streams for measure, budget in arms for seed in range(seeds)]


def table(found: Sequence[Standing]) -> Table:
    """Show them all, the losses as plainly as the wins."""
    shown = Table("Stream", "Measure", "Labels", "MAE", "Of random's labels", "Mean", "p", "MAE against random at the same times")
    for name in ("Labels inside", "Estimates hold"):
        shown.add_column(name)
    for one in found:
        colour = "green" if one.wins else "bold red" if one.ratio > 1.0 and one.p < CLEAR else "yellow"
        shown.add_row(
            one.stream,
            one.measure,
            " / ".join(f"{labels:.0f}" for labels in one.labels),
            " / ".join(f"{error:.3g}" for error in one.errors),
            " / ".join("never" if ratio is None else f"{ratio:.0%}" for ratio in one.ratios),
            f"[{colour}]{one.ratio:.0%}[/]",
            f"{one.p:.2g}",
            f"{-one.against_timed:+.1%}",
            "–" if one.inside is None else f"{one.inside:.1%}",
            "–" if one.held is None else f"{one.held:.0%}",
        )
    return shown


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="two streams, two measures, one budget")
    parser.add_argument("--made", action="store_true", help="generators as well")
    parser.add_argument("--stream", nargs="+", choices=[*REAL, *MADE], help="these streams")
    parser.add_argument("--measure", nargs="+", choices=NUMERIC, help="these measures")
    parser.add_argument("--model", choices=REGRESSORS, default="linear", help="this model")
    parser.add_argument("--seeds", type=int, help="so many seeds")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="so many side by side")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pin_hash_seed()
    streams = options.stream or (SHORT_STREAMS if options.short else [*REAL, *(MADE if options.made else ())])
    measures = options.measure or (SHORT_MEASURES if options.short else [*NUMERIC])
    seeds = options.seeds or (SHORT_SEEDS if options.short else SEEDS)
    todo = jobs(streams, measures, options.model, SHORT_BUDGETS if options.short else BUDGETS, seeds)
    found = standings(dict(run_all(run, todo, "Regression", options.processes)))
    Console(width=None if sys.stdout.isatty() else 170).print(table(found))
    if options.json is not None:
        options.json.write_text(json.dumps([one._asdict() for one in found], indent=1) + "\n", encoding="utf-8")
    wrong = complaints(found)
    print("\n".join(wrong) or "Every bar is met.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
