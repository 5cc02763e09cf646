"""Shows what a batch picked from a pool is worth against a random one: `python -m benchmarks.pool [--short] [--streams DIR] [--seeds N]`.

The service's own engine over fakes takes 2,000 samples in without asking, somewhere in the stream (the seed says where), then gets a grant
of 50 and picks a first batch, once all of it while nothing is known (`first`), once in portions of ten, each picked when the one before is
answered (`tens`: `at_once` 10); then another 50 after the first (`second`). Against each stand five random draws of as many labels from
the same pool, learned by the same model after the same answers; what counts is the mean of their accuracies. Accuracy is that of the model
as it stands over the samples that follow, of which nothing is learned. p is Student's for differences paired by seed, two-sided. Then
samples are made near the boundary and checked. Exits 1 where a batch picked by tens wins on fewer than two thirds of the streams (p <
0.01), a made sample leaves the observed range or the boundary, or anything entered an estimate.
"""

import argparse
import asyncio
import contextlib
import copy
import json
import logging
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import NamedTuple

import structlog
from rich.console import Console
from rich.table import Table
from scipy.stats import ttest_1samp  # type: ignore[import-untyped]  # River brings it along

from benchmarks.label_efficiency.streams import is_text, load, names
from benchmarks.parallel import PROCESSES, pin_hash_seed, run_all
from service.choosing import Made
from service.core.errors import Conflict
from service.core.features import Features, label_text
from service.core.learner import Learner
from service.core.synthesis import NEAR
from service.core.taught import Taught
from service.engine import Engine
from service.simulate import Pair
from service.testing import InlineWorkshop, InMemoryLog, ManualClock

POOL, BATCH, FEW, REST = 2_000, 50, 10, 2_000  # samples
ROWS = 15_000  # of a stream at most
DRAWS = 5  # random batches a seed
SEEDS, SHORT_SEEDS = 20, 4
MADE = 20  # samples
SHORT_STREAMS = ("image-segments", "phishing", "shuttle")
CLEAR = 0.01
ENOUGH = 2 / 3  # of the streams
WHOLE, TENS = "whole", "tens"  # the streams of a trial
QUIET = {"rate": 0.0, "burst": 0}  # asks nothing


class Job(NamedTuple):
    """A seed on a stream; `folder` None for one that needs no file."""

    stream: str
    folder: Path | None
    seed: int


class Found(NamedTuple):
    """Accuracies after a first batch by one call and by tens, and after the second, beside the means of random ones; and what was made."""

    first: float
    tens: float
    first_random: float
    second: float
    second_random: float
    made: int
    astray: int  # made samples that left the observed range or the boundary
    estimated: int  # rows that entered an estimate


class Verdict(NamedTuple):
    """A batch on a stream: mean accuracies, and the probability of such differences if there were none."""

    picked: float
    random: float
    p: float

    @property
    def wins(self) -> bool:
        """Whether it beats random clearly."""
        return self.picked > self.random and self.p < CLEAR


class Trial:
    """A server without its socket, and the part of a stream that it meets."""

    def __init__(self, rows: Sequence[Pair], seed: int) -> None:
        """Cut a pool and what follows out of the stream, where the seed says; of a short one three fifths are the pool."""
        size = min(POOL, 3 * len(rows) // 5)
        rest = min(REST, len(rows) - size)
        start = Random(seed).randrange(len(rows) - size - rest + 1)
        self.pool = {f"{number}": pair for number, pair in enumerate(rows[start : start + size])}
        self.rest = rows[start + size : start + size + rest]
        log = InMemoryLog()
        secret = seed.to_bytes(16)
        self.engine = Engine(log, InlineWorkshop(log), [], lambda: secret, clock=ManualClock())

    async def fill(self) -> None:
        """Take the pool in, in two streams that are alike."""
        model = "text" if is_text(list(self.pool.values())) else "logistic"
        for stream in (WHOLE, TENS):
            await self.engine.administration.put(stream, {"model": {"type": model}, "budget": QUIET})
            for sample_id, (features, _) in self.pool.items():
                await self.engine.flow.observe(stream, sample_id, features)
        vector = self.learner(WHOLE).vectoriser.vector  # which nothing moves from here on
        self.lessons = {sample_id: (vector(features), label_text(label)) for sample_id, (features, label) in self.pool.items()}
        self.tests = [(vector(features), label_text(label)) for features, label in self.rest]

    def learner(self, stream: str) -> Learner:
        """A stream's state."""
        return self.engine.streams[stream].learner

    async def batch(self, stream: str, grant: int, at_once: int | None = None) -> list[str]:
        """Raise the grant, ask about a batch and answer it as it comes; gives its samples."""
        await self.engine.administration.patch(stream, {"budget": {"burst": grant}})
        portions, picked = self.engine.portions, []
        asked = (await portions.select(stream, BATCH, at_once)).asked
        while asked:
            for sample_id in [item.event.sample_id for item in asked]:
                await self.engine.flow.label(stream, sample_id, label_text(self.pool[sample_id][1]))
                picked.append(sample_id)
            moved = self.engine.streams[stream].moved
            while portions.pending(stream) and not self.learner(stream).queries.open:
                moved.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), 0.1)
            asked = await self.engine.questions.waiting(stream, "oldest", BATCH, None)
        return picked

    async def by_tens(self) -> float:
        """The accuracy after a batch that is picked in portions, each when the one before is learned."""
        await self.batch(TENS, BATCH, FEW)
        return self.accuracy(self.learner(TENS).taught)

    def drawn(self, before: Taught, apart: Sequence[str], seed: int) -> float:
        """The mean accuracy of a model that learned random batches after what it knew `before`, without the samples `apart`."""
        left = [sample_id for sample_id in self.pool if sample_id not in set(apart)]
        return fmean(self._taught(before, Random(f"{seed} {draw}").sample(left, BATCH)) for draw in range(DRAWS))

    def _taught(self, before: Taught, sample_ids: Sequence[str]) -> float:
        taught = copy.deepcopy(before)
        for sample_id in sample_ids:
            taught.teach(*self.lessons[sample_id])
        return self.accuracy(taught)

    def accuracy(self, taught: Taught) -> float:
        """The share of what follows that a model is right about."""
        said = ((taught.predict(vector), label) for vector, label in self.tests)
        return fmean(bool(one) and max(one, key=one.__getitem__) == label for one, label in said)

    async def made(self) -> tuple[int, int]:
        """How many samples were made, and how many of them are astray."""
        try:
            found = await self.engine.choosing.synthesise(WHOLE, MADE, ask=False)
        except Conflict:  # texts
            return 0, 0
        return len(found.made), sum(not self._sound(made) for made in found.made)

    def _sound(self, made: Made) -> bool:
        features = made.synthetic.features
        within = all(_within(value, [pair[0].get(name) for pair in self.pool.values()]) for name, value in features.items())
        return within and made.synthetic.margin <= NEAR


def _within(value: Features, seen: Sequence[Features]) -> bool:
    if isinstance(value, float | int) and not isinstance(value, bool):
        numbers = [one for one in seen if isinstance(one, float | int)]
        return min(numbers) <= value <= max(numbers)
    return value in seen


def run(job: Job) -> Found:
    """Do one seed."""
    return asyncio.run(_run(job))


async def _run(job: Job) -> Found:
    trial = Trial(load(job.stream, job.folder, ROWS), job.seed)
    trial.engine.start([])
    await trial.fill()
    learner = trial.learner(WHOLE)
    blank = copy.deepcopy(learner.taught)
    first = await trial.batch(WHOLE, BATCH)
    known = copy.deepcopy(learner.taught)
    await trial.batch(WHOLE, 2 * BATCH)
    found = Found(
        trial.accuracy(known),
        await trial.by_tens(),
        trial.drawn(blank, (), job.seed),
        trial.accuracy(learner.taught),
        trial.drawn(known, first, job.seed),
        *await trial.made(),
        len(learner.evidence) + len(trial.learner(TENS).evidence),
    )
    await trial.engine.stop()
    return found


def verdict(picked: Sequence[float], random: Sequence[float]) -> Verdict:
    """Judge a batch on a stream."""
    differences = [one - other for one, other in zip(picked, random, strict=True)]
    same = max(differences) - min(differences) < 1e-12  # no spread, no test
    p = float(differences[0] == 0.0) if same else float(ttest_1samp(differences, 0.0).pvalue)
    return Verdict(fmean(picked), fmean(random), p)


def grouped(found: Mapping[Job, Found]) -> dict[str, list[Found]]:
    """What was found on each stream, by seed."""
    groups: dict[str, list[Found]] = defaultdict(list)
    for job, one in sorted(found.items(), key=lambda item: (item[0].stream, item[0].seed)):
        groups[job.stream].append(one)
    return groups


class Judged(NamedTuple):
    """The verdicts on a stream's batches."""

    first: Verdict
    tens: Verdict
    second: Verdict


def verdicts(groups: Mapping[str, Sequence[Found]]) -> dict[str, Judged]:
    """The verdicts on the batches of every stream."""
    return {
        stream: Judged(
            verdict([one.first for one in runs], [one.first_random for one in runs]),
            verdict([one.tens for one in runs], [one.first_random for one in runs]),
            verdict([one.second for one in runs], [one.second_random for one in runs]),
        )
        for stream, runs in groups.items()
    }


def table(judged: Mapping[str, Judged], groups: Mapping[str, Sequence[Found]]) -> Table:
    """Show them all, the losses as plainly as the wins."""
    columns = ("Stream", "Random", "First", "p", "Tens", "p", "Second", "p", "Made", "Astray")
    shown = Table(*columns, title=f"Accuracy after {BATCH} random labels; points more after as many that were picked")
    for stream, both in judged.items():
        runs = groups[stream]
        made, astray = (str(sum(counts)) for counts in zip(*((one.made, one.astray) for one in runs), strict=True))
        shown.add_row(stream, f"{both.first.random:.1%}", *(cell for one in both for cell in _cells(one)), made, astray)
    return shown


def _cells(one: Verdict) -> tuple[str, str]:
    gain = 100 * (one.picked - one.random)
    colour = "green" if one.wins else "bold red" if gain < 0 and one.p < CLEAR else "yellow"
    return f"[{colour}]{gain:+.2f}[/]", f"{one.p:.2g}"


def complaints(judged: Mapping[str, Judged], groups: Mapping[str, Sequence[Found]], *, short: bool) -> list[str]:
    """Say what does not hold; a short run is no test of the batches."""
    wins = sum(one.tens.wins for one in judged.values())
    told = [] if short or wins >= ENOUGH * len(judged) else [f"a first batch wins on {wins} of {len(judged)} streams only"]
    everything = [one for runs in groups.values() for one in runs]
    if any(one.astray for one in everything):
        told.append("made samples are astray")
    if any(one.estimated for one in everything):
        told.append("estimates know of questions that no coin decided")
    return told


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"three streams, {SHORT_SEEDS} seeds, no verdict on the batches")
    parser.add_argument("--streams", type=Path, metavar="DIR", help="a folder of *.csv or *.csv.gz with the label in the last column")
    parser.add_argument("--stream", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--json", type=Path, help="keep what was found in this file, and go on from it")
    options = parser.parse_args()
    pin_hash_seed()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    chosen = options.stream or (SHORT_STREAMS if options.short else names(options.streams))
    seeds = min(options.seeds, SHORT_SEEDS) if options.short else options.seeds
    jobs = [Job(stream, options.streams, seed) for stream in chosen for seed in range(seeds)]
    found = _kept(options.json)
    for job, one in run_all(run, [job for job in jobs if job not in found], "Pool", options.processes):
        found[job] = one
        if options.json is not None:
            rows = [[*map(str, job[:2]), job.seed, one] for job, one in found.items()]
            options.json.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    groups = grouped({job: found[job] for job in jobs})
    judged = verdicts(groups)
    Console(width=110).print(table(judged, groups))
    wrong = complaints(judged, groups, short=options.short)
    print("\n".join(wrong) or "A first batch from the pool beats a random one; nothing that was made is astray, and nothing is estimated.")
    return int(bool(wrong))


def _kept(path: Path | None) -> dict[Job, Found]:
    """What an earlier run found."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else []
    return {Job(stream, None if folder == "None" else Path(folder), seed): Found(*one) for stream, folder, seed, one in rows}


if __name__ == "__main__":
    sys.exit(main())
