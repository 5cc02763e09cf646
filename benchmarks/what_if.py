"""Measures whether what-ifs hold what they claim: `python -m benchmarks.what_if [--short] [--streams DIR] [--only NAME ...] [--json FILE]`.

Every stream is really run at 5, 10 and 20 %, through the service's core; from each run's log alone alternatives are estimated: lower
budgets, other explorations, random asking, another model for the same labels. Then they are really run, with coins of their own, and it
is counted how often the stated 95 % interval holds what they came to. Alternatives that the log cannot support must be refused. Exits 1
where less than 90 % hold, or one is answered that should be refused.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.label_efficiency.streams import is_text, load, names
from benchmarks.parallel import PROCESSES, pin_hash_seed, run_all
from service.core.catalogue import effective
from service.core.config import merge_patch
from service.core.events import Asked, Configured, Event
from service.core.features import label_text
from service.core.learner import Learner
from service.simulate import Pair, chosen, queried
from service.whatif.finding import Finding
from service.whatif.judge import Judge
from service.whatif.past import Past
from service.whatif.plan import Alternative

BAR = 0.90
ROWS, SHORT_ROWS = 6_000, 3_000
SEEDS, SHORT_SEEDS = 2, 1
REAL_SEEDS = 3
REPLAYS = 4
SHORT_STREAMS = ("image-segments", "sea", "shuttle", "stagger", "phishing")
SIGMAS = 2.0  # by which a short run may miss the bar
FIRST = 1_000  # seed of the runs whose logs are kept

BUDGETS: Mapping[float, Sequence[float]] = {0.05: (0.02, 0.01), 0.10: (0.05, 0.02), 0.20: (0.10, 0.05)}


class Job(NamedTuple):
    """A stream really run, with the configuration that the patch makes of the default; `kept`: its log is kept and asked."""

    stream: str
    folder: Path | None
    rows: int
    patch: str
    seed: int
    kept: bool


class Real(NamedTuple):
    """What a real run came to."""

    accuracy: float
    labels: int


def alternatives(rate: float, *, text: bool) -> Iterator[Alternative]:
    """What is asked of a log at this rate and should be answered."""
    for budget in BUDGETS[rate]:
        yield Alternative("budget", {"budget": {"rate": budget}})
    yield Alternative("exploration", {"budget": {"rate": 0.5 * rate}, "exploration": 0.5})
    yield Alternative("exploration", {"budget": {"rate": 0.75 * rate}, "exploration": 0.1})
    yield Alternative("rule", {"budget": {"rate": 0.3 * rate}, "query": {"rule": "random"}})
    if not text:
        yield Alternative("model", {"model": {"type": "naive-bayes"}})


def unsupported(rate: float) -> Iterator[Alternative]:
    """What is asked of a log at this rate and must be refused."""
    yield Alternative("refused", {"budget": {"rate": 2.0 * rate}})
    yield Alternative("refused", {"query": {"rule": "random"}})
    yield Alternative("refused", {"query": {"measure": "density"}})


def base(pairs: Sequence[Pair], rate: float) -> dict[str, Any]:
    """The defaults at this rate, with one model, so that what a log supports does not hang on which of several answered."""
    model = {"type": "text", "params": {"field": "text"}} if is_text(list(pairs)) else {"type": "logistic"}
    return {"model": model, "budget": {"rate": rate}}


def work(job: Job) -> Any:
    """Do a job: the findings from its log, or what it came to."""
    pairs = load(job.stream, job.folder, job.rows)
    config = json.loads(job.patch)
    if not job.kept:
        run = queried(pairs, config, seed=job.seed)
        return Real(run.accuracy, run.labels)
    rate = config["budget"]["rate"]
    log, before = logged(pairs, config, job.seed)
    judge = Judge(Past(lambda: enumerate(log, 1)), REPLAYS, lambda: None)
    asked = [*alternatives(rate, text=is_text(pairs)), *unsupported(rate)]
    ids = {event.sample_id for event in log if isinstance(event, Asked)}
    found = []
    for one in asked:
        config = merge_patch(json.loads(job.patch), one.patch)
        same = chosen(pairs, config, lambda decision: decision.id in ids) if one.same_questions else None
        found.append((one.words, key(config), judge.find(one), None if same is None else Real(same.accuracy, same.labels)))
    return before, found


def logged(pairs: Sequence[Pair], config: Mapping[str, Any], seed: int) -> tuple[list[Event], float]:
    """The log of a stream that is run as in service, with answers at once, and how accurate it really was."""
    created = Configured(0.0, effective(config), blake2b(str(seed).encode(), digest_size=16).digest())
    learner = Learner(1, created)
    log: list[Event] = [created]
    right = 0

    def fold(event: Event) -> None:
        log.append(event)
        learner.apply(len(log), event)

    for place, (features, raw) in enumerate(pairs):
        decision = learner.decide(f"{place:08}", features, float(place))
        right += decision.prediction.label == label_text(raw)
        if decision.query.ask:
            fold(learner.question(decision, features))
            fold(learner.answer(decision.id, label_text(raw), "", features, float(place), brought=False, labeled_at=None))
    return [*log, learner.checkpointed(1, float(len(pairs)), None)], right / len(pairs)


def key(config: Mapping[str, Any]) -> str:
    """A configuration as text."""
    return json.dumps(config, sort_keys=True)


def jobs(streams: Sequence[str], folder: Path | None, rates: Sequence[float], *, short: bool) -> list[Job]:
    """All runs, by stream."""
    rows, seeds = (SHORT_ROWS, SHORT_SEEDS) if short else (ROWS, SEEDS)
    found: list[Job] = []
    for name in streams:
        pairs = load(name, folder, rows)
        text = is_text(pairs)
        found += [Job(name, folder, rows, key(base(pairs, rate)), FIRST + seed, True) for rate in rates for seed in range(seeds)]
        real = {
            key(merge_patch(base(pairs, rate), one.patch))
            for rate in rates
            for one in alternatives(rate, text=text)
            if not one.same_questions
        }
        found += [Job(name, folder, rows, patch, seed, False) for patch in sorted(real) for seed in range(REAL_SEEDS)]
    return found


# What came of them


class Case(NamedTuple):
    """An estimate and the real runs of its alternative; `before` is how accurate the run really was whose log was asked."""

    stream: str
    kind: str
    rate: float
    before: float
    finding: Finding
    real: Sequence[Real]

    @property
    def hits(self) -> list[bool]:
        """Whether the interval holds each real run."""
        low, high = self.finding.low or 0.0, self.finding.high or 0.0
        return [low <= run.accuracy <= high for run in self.real]

    @property
    def changes(self) -> list[bool]:
        """Whether the interval of the change holds what it was in each real run."""
        low, high = self.finding.change_low or 0.0, self.finding.change_high or 0.0
        return [low <= run.accuracy - self.before <= high for run in self.real]


def cases(found: Mapping[Job, Any]) -> Iterator[Case]:
    """Every estimate with the real runs."""
    real: dict[tuple[str, str], list[Real]] = defaultdict(list)
    for job, one in found.items():
        if not job.kept:
            real[job.stream, job.patch].append(one)
    for job, (before, findings) in sorted((item for item in found.items() if item[0].kept), key=lambda item: item[0][::2]):
        for kind, config, finding, same in findings:
            runs = real[job.stream, config] if same is None else [same]
            yield Case(job.stream, kind, json.loads(job.patch)["budget"]["rate"], before, finding, runs)


def summary(some: Sequence[Case]) -> dict[str, Any]:
    """Coverage, bias and widths of those that were answered."""
    told = [case for case in some if case.finding.reason is None]
    if not told:
        return {"asked": len(some), "answered": 0}
    misses = [case.finding.accuracy - fmean(run.accuracy for run in case.real) for case in told]
    labels = [case.finding.labels / fmean(run.labels for run in case.real) - 1.0 for case in told]
    return {
        "asked": len(some),
        "answered": len(told),
        "coverage": fmean(hit for case in told for hit in case.hits),
        "changes": fmean(hit for case in told for hit in case.changes),
        "wide": fmean((case.finding.change_high - case.finding.change_low) / 2 for case in told),
        "bias": fmean(misses),
        "error": fmean(miss**2 for miss in misses) ** 0.5,
        "half": fmean((case.finding.high - case.finding.low) / 2 for case in told),
        "labels": fmean(map(abs, labels)),
    }


def complaints(every: Sequence[Case], *, short: bool) -> list[str]:
    """Say which bars are missed."""
    wrong = []
    answered = [case for case in every if case.kind != "refused"]
    figures = summary(answered)
    slack = SIGMAS * (BAR * (1 - BAR) / max(1, figures["answered"])) ** 0.5 if short else 0.0
    if figures["answered"] < 0.5 * figures["asked"]:
        wrong.append(f"only {figures['answered']} of {figures['asked']} were answered")
    elif figures["coverage"] < BAR - slack:
        wrong.append(f"{figures['coverage']:.1%} of the intervals hold")
    elif figures["changes"] < BAR - slack:
        wrong.append(f"{figures['changes']:.1%} of the intervals of changes hold")
    wrong += [f"{case.stream} at {case.rate:.0%}: {case.finding.words} was answered" for case in every if bad(case)]
    return wrong


def bad(case: Case) -> bool:
    """Whether it was answered and should not have been."""
    return case.kind == "refused" and case.finding.reason is None


def show(console: Console, every: Sequence[Case]) -> None:
    """Print the figures by stream, by kind and of all."""
    answered = [case for case in every if case.kind != "refused"]
    table = Table("", "Answered", "Hold", "Half width", "Change holds", "Half width", "Bias", "Error", "Labels off by")
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in [*answered, *(case._replace(stream=f"({case.kind})") for case in answered)]:
        groups[case.stream].append(case)
    for name, some in [*groups.items(), ("all", answered)]:
        one = summary(some)
        shares = {key: f"{100 * one[key]:.1f}" for key in ("coverage", "half", "changes", "wide", "bias", "error", "labels") if key in one}
        table.add_row(name, f"{one['answered']} of {one['asked']}", *shares.values())
    console.print(table)
    refused = [case for case in every if case.kind == "refused"]
    console.print(f"refused: {sum(not bad(case) for case in refused)} of {len(refused)} that no log supports")


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_ROWS:,} samples of five streams at 10 %%")
    parser.add_argument("--streams", type=Path, help="a folder of CSV files; without it the sets that River ships and its generators")
    parser.add_argument("--only", nargs="+", help="these streams alone")
    parser.add_argument("--rates", nargs="+", type=float, choices=tuple(BUDGETS), help="of the runs that are asked; all, in short 0.1")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--json", type=Path, help="write every case here")
    parser.add_argument("--from", dest="earlier", nargs="+", type=Path, default=[], help="add cases that --json wrote")
    options = parser.parse_args()
    pin_hash_seed()
    streams = options.only or (SHORT_STREAMS if options.short and options.streams is None else names(options.streams))
    rates = options.rates or ((0.10,) if options.short else tuple(BUDGETS))
    todo = [] if options.earlier else jobs(streams, options.streams, rates, short=options.short)
    every = list(cases(dict(run_all(work, todo, "What-if", options.processes))))
    every += [msgspec.convert(row, Case) for path in options.earlier for row in json.loads(path.read_text())]
    console = Console(width=120)
    show(console, every)
    wrong = complaints(every, short=options.short)
    console.print("\n".join(wrong) or "every bar is met")
    if options.json is not None:
        options.json.write_bytes(msgspec.json.encode(every))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
