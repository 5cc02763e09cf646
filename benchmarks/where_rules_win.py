"""Shows where a measure beats random asking, and where not: `python -m benchmarks.where_rules_win [--short] [--streams DIR]`.

Each measure (`--measure NAME ...`) under the default rule against as many labels drawn at random, on every stream, paired by seed;
the model, its preprocessing and the exploration are the defaults'. p is Student's for paired differences, two-sided. Exits 1 where a
measure beats random on no stream with p < 0.01.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from river.datasets import synth
from scipy.stats import ttest_1samp  # type: ignore[import-untyped]  # River brings it along

from benchmarks.parallel import pin_hash_seed, run_all
from service.core.measures import MEASURES
from service.core.models import MODELS
from service.core.stated import EXTERNAL
from service.simulate import Pair, queried, sampled
from service.simulate.datasets import SHIPPED, read_csv, shipped

NAMED = ("model-change", "committee", "density")
RATE = 0.05
SEEDS = 10
LENGTH, SHORT_LENGTH = 10_000, 4_000  # samples of a stream at most
SHORT_STREAMS = ("image-segments", "shuttle", "sea")
CLEAR = 0.01


class Job(NamedTuple):
    """A pair of runs; `path` None for a stream that needs no file."""

    stream: str
    path: Path | None
    measure: str
    model: str
    seed: int
    length: int


class Found(NamedTuple):
    """Accuracies over all samples, and the labels that both bought."""

    measured: float
    random: float
    labels: int


class Verdict(NamedTuple):
    """A measure on a stream: labels, accuracies, and the probability of such differences if there were none."""

    labels: float
    measured: float
    random: float
    p: float

    @property
    def wins(self) -> bool:
        """Whether it beats random clearly."""
        return self.measured > self.random and self.p < CLEAR


def sea() -> Iterator[Pair]:
    """SEA with another concept every 2,500 samples and a tenth of the labels wrong."""
    return chain.from_iterable(islice(synth.SEA(variant=variant, noise=0.1, seed=42 + i), 2_500) for i, variant in enumerate((0, 2, 1, 3)))


def hyperplane() -> Iterator[Pair]:
    """A plane that turns."""
    return iter(synth.Hyperplane(seed=42, n_features=10, n_drift_features=5, mag_change=0.001, noise_percentage=0.05))


def rbf() -> Iterator[Pair]:
    """Five classes in clouds that move."""
    return iter(synth.RandomRBFDrift(42, 42, n_classes=5, n_features=10, n_centroids=30, change_speed=0.002, n_drift_centroids=30))


GENERATED: Mapping[str, Callable[[], Iterator[Pair]]] = MappingProxyType({"sea": sea, "hyperplane": hyperplane, "rbf": rbf})


@lru_cache(maxsize=2)
def pairs(stream: str, path: Path | None, length: int) -> list[Pair]:
    """Return a stream's samples."""
    if path is not None:
        rows: Iterator[Pair] = read_csv(path)
    else:
        rows = GENERATED[stream]() if stream in GENERATED else shipped(stream)
    return [
        ({str(name): value for name, value in features.items()}, label if isinstance(label, bool | str) else str(label))
        for features, label in islice(rows, length)
    ]


def run(job: Job) -> Found:
    """Do one pair of runs."""
    rows = pairs(job.stream, job.path, job.length)
    model = {"type": "text" if "text" in rows[0][0] else job.model}
    done = queried(rows, {"model": model, "query": {"measure": job.measure}, "budget": {"rate": RATE}}, seed=job.seed)
    drawn = sampled(rows, {"model": model}, labels=done.labels, seed=job.seed)
    return Found(done.accuracy, drawn.accuracy, done.labels)


def jobs(folder: Path | None, measures: Sequence[str], model: str, *, short: bool) -> list[Job]:
    """Return all runs."""
    if folder is not None:
        places: list[tuple[str, Path | None]] = [(path.name.split(".")[0], path) for path in sorted(folder.glob("*.csv*"))]
    else:
        places = [(name, None) for name in (SHORT_STREAMS if short else (*SHIPPED, *GENERATED))]
    length = SHORT_LENGTH if short else LENGTH
    return [Job(stream, path, measure, model, seed, length) for stream, path in places for measure in measures for seed in range(SEEDS)]


def verdicts(found: Mapping[Job, Found]) -> dict[tuple[str, str], Verdict]:
    """Return the verdict for every measure and stream."""
    groups: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for job, one in sorted(found.items(), key=lambda item: (item[0].measure, item[0].stream, item[0].seed)):
        groups[job.measure, job.stream].append(one)
    return {group: verdict(runs) for group, runs in groups.items()}


def verdict(runs: Sequence[Found]) -> Verdict:
    """Judge the runs of a measure on a stream."""
    differences = [one.measured - one.random for one in runs]
    same = max(differences) - min(differences) < 1e-12  # no spread, no test
    p = float(differences[0] == 0.0) if same else float(ttest_1samp(differences, 0.0).pvalue)
    return Verdict(fmean(one.labels for one in runs), fmean(one.measured for one in runs), fmean(one.random for one in runs), p)


def table(found: Mapping[tuple[str, str], Verdict]) -> Table:
    """Show them all, the losses as plainly as the wins."""
    shown = Table("Measure", "Stream", "Labels", "Accuracy", "Random", "Gain, points", "p", title="Against random asking")
    for (measure, stream), one in found.items():
        gain = 100 * (one.measured - one.random)
        colour = "green" if one.wins else "bold red" if gain < 0 and one.p < CLEAR else "yellow"
        shown.add_row(
            measure, stream, f"{one.labels:.0f}", f"{one.measured:.1%}", f"{one.random:.1%}", f"[{colour}]{gain:+.2f}[/]", f"{one.p:.2g}"
        )
    return shown


def complaints(found: Mapping[tuple[str, str], Verdict]) -> list[str]:
    """Say which measure wins nowhere."""
    measures = dict.fromkeys(measure for measure, _ in found)
    winning = {measure for (measure, _), one in found.items() if one.wins}
    return [f"{measure} beats random on no stream" for measure in measures if measure not in winning]


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"three streams of at most {SHORT_LENGTH:,} samples")
    parser.add_argument("--streams", type=Path, metavar="DIR", help="a folder of *.csv or *.csv.gz with the label in the last column")
    parser.add_argument("--measure", nargs="+", choices=MEASURES, default=list(NAMED), help="these measures")
    parser.add_argument(
        "--model", choices=[model for model in MODELS if model != EXTERNAL], default="logistic", help="this model, except for texts"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pin_hash_seed()
    todo = jobs(options.streams, options.measure, options.model, short=options.short)
    found = verdicts(dict(run_all(run, todo, "Against random")))
    Console(width=110).print(table(found))
    if options.json is not None:
        rows = [{"measure": measure, "stream": stream, **one._asdict()} for (measure, stream), one in found.items()]
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    wrong = complaints(found)
    print("\n".join(wrong) or "Every measure beats random clearly on a stream.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
