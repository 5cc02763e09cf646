"""What embeddings cost and bring: `python -m benchmarks.embeddings [--short] [--streams DIR] [--only PART]`.

Cost: a server takes samples of 384 numbers, as an array and as base64, and of nine scalars in turn, in NDJSON batches and one by one over
a keep-alive connection. What counts is its CPU time a sample, which says how many a core takes. Batches are told and not judged: there
the text of 384 numbers costs more than all that is done with nine. Worth: the model `text` with and without `embed` under the
default rule, on `clinc_emerging` of the folder or, without one, on sentences made of synonyms. Exits 1 where a bar is missed.
"""

import argparse
import base64
import itertools
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.edge import workload
from benchmarks.edge.targets import Target, client
from benchmarks.edge.wire import Connection, head_of, post
from benchmarks.parallel import pin_hash_seed, run_all
from loadtest.server import serving
from service.adapters import embedder
from service.simulate import Pair, queried
from service.simulate.datasets import read_csv

LENGTH = 384
BAR = 0.5  # of the throughput of nine scalars
LINES = 500  # samples a batch
POOL = 1_000  # different samples
TAUGHT = 300  # labels before anything is measured
RATE = 0.05

MODELS = {"words": {"type": "text"}, "words and embedding": {"type": "text", "params": {"embed": True}}}


class Extent(NamedTuple):
    """How much is done: rounds, samples a round in batches and one by one, seeds and samples of the text."""

    rounds: int
    batched: int
    single: int
    seeds: int
    texts: int


FULL = Extent(5, 10_000, 3_000, 5, 1_000_000)
SHORT = Extent(3, 2_000, 600, 1, 2_000)


# --- cost --------------------------------------------------------------------------------------------------------------------


def scalars() -> Iterator[tuple[object, str]]:
    """Nine numbers a sample."""
    return workload.samples()


def vectors() -> Iterator[tuple[dict[str, list[float]], str]]:
    """384 numbers a sample, as a model of single precision prints them."""
    rng = np.random.default_rng(1)
    middles = rng.normal(0.0, 0.05, (2, LENGTH))
    while True:
        side = int(rng.integers(2))
        numbers = (middles[side] + rng.normal(0.0, 0.1, LENGTH)).astype(np.float32)
        yield {"vec": [float(str(number)) for number in numbers]}, ("ok", "fraud")[side]


def texts() -> Iterator[tuple[object, str]]:
    """The same as base64."""
    for features, label in vectors():
        yield {"vec": base64.b64encode(np.array(features["vec"], "<f4").tobytes()).decode()}, label


_DECLARED = {"embeddings": {"vec": LENGTH}}
STREAMS = {"nine": (scalars, {}), "array": (vectors, _DECLARED), "base64": (texts, _DECLARED)}
JUDGED = "one by one"


class Sender:
    """Sends samples of one stream; every id is new."""

    def __init__(self, target: Target, stream: str) -> None:
        """Make the stream and teach it."""
        make, config = STREAMS[stream]
        samples = list(itertools.islice(make(), POOL))
        self._target, self._path = target, f"/v1/streams/{stream}/samples"
        self._tails = [f'","features":{workload.encoded(features)}}}' for features, _ in samples]
        self._serial = itertools.count()
        with client(target) as http:
            http.put(f"/v1/streams/{stream}", json={"budget": {"rate": RATE, "max_open": 1_000_000}, **config}).raise_for_status()
            for number, (features, label) in enumerate(samples[:TAUGHT]):
                taught = {"sample_id": f"taught-{number}", "label": label, "features": features}
                http.post(f"/v1/streams/{stream}/labels", json=taught).raise_for_status()

    def _bodies(self, count: int) -> list[str]:
        return [f'{{"id":"s{number}{self._tails[number % POOL]}' for number in itertools.islice(self._serial, count)]

    def batches(self, count: int) -> float:
        """The server's CPU microseconds a sample, in batches."""
        head = head_of(self._target, self._path, "application/x-ndjson")
        return self._spent([post(head, "\n".join(self._bodies(LINES)).encode()) for _ in range(count // LINES)], count)

    def singles(self, count: int) -> float:
        """The same, one by one."""
        head = head_of(self._target, self._path)
        return self._spent([post(head, body.encode()) for body in self._bodies(count)], count)

    def _spent(self, requests: Sequence[bytes], count: int) -> float:
        connection, before = Connection(self._target), on_cpu(self._target.process)
        answered = sum(connection.exchange(request).count(b'"model_version":') for request in requests)
        spent = on_cpu(self._target.process) - before
        connection.close()
        if answered != count:
            message = f"{count} samples got {answered} decisions"
            raise RuntimeError(message)
        return 1e6 * spent / count


def cost(extent: Extent, console: Console) -> bool:
    """Measure both ways in; whether a bar was missed."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data") as server:
        senders = {name: Sender(Target(name, server.url, server.process.pid), name) for name in STREAMS}
        found: dict[tuple[str, str], list[float]] = {}
        for _ in range(extent.rounds):
            for name, sender in senders.items():
                found.setdefault(("in batches", name), []).append(sender.batches(extent.batched))
                found.setdefault(("one by one", name), []).append(sender.singles(extent.single))
    table = Table("way", f"{LENGTH} numbers as", "nine scalars, µs", f"{LENGTH} numbers, µs", "throughput", "bar")
    missed = False
    for way, kind in itertools.product(("in batches", "one by one"), ("array", "base64")):
        nine, embedded = found[way, "nine"], found[way, kind]
        ratio = median(one / other for one, other in zip(nine, embedded, strict=True))
        judged = way == JUDGED
        missed |= judged and ratio < BAR
        table.add_row(way, kind, f"{median(nine):.0f}", f"{median(embedded):.0f}", f"{ratio:.2f}", f"{BAR}" if judged else "")
    console.print(table, "µs of the server's CPU a sample; medians of rounds, throughput is the ratio", sep="\n")
    return missed


def on_cpu(process: int) -> float:
    """CPU seconds of a process's threads, from Linux' /proc."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in Path(f"/proc/{process}/task").iterdir()) / 1e9


# --- worth -------------------------------------------------------------------------------------------------------------------

_SYNONYMS = {
    "money": "bank account credit loan payment balance transfer cash deposit interest mortgage cheque debit currency fee invoice salary",
    "travel": "flight hotel luggage airport train ticket visa passport journey tourist booking cruise departure taxi vacation map border",
    "food": "recipe dinner restaurant cook meal calories ingredient soup bread chicken oven lunch vegetable flavour dessert menu spice",
    "weather": "rain temperature forecast storm sunny humidity wind snow cloud degrees thunder fog climate freezing heat umbrella hail",
}
_FILLERS = ["please", "tell", "me", "what", "the", "is", "my", "about", "can", "you", "how", "do", "i", "a", "for"]


class Job(NamedTuple):
    """A run; `path` None for made sentences."""

    path: Path | None
    model: str
    seed: int
    length: int


def sentences() -> Iterator[Pair]:
    """Requests of four kinds: three words of the kind among five that say nothing."""
    rng = random.Random(1)
    words = {kind: text.split() for kind, text in _SYNONYMS.items()}
    while True:
        kind = rng.choice(list(words))
        chosen = rng.sample(words[kind], 3) + rng.sample(_FILLERS, 5)
        rng.shuffle(chosen)
        yield {"text": " ".join(chosen)}, kind


def accuracy(job: Job) -> tuple[float, int, float]:
    """Accuracy over all samples, labels, and microseconds a decision."""
    embedder.offer()
    pairs = sentences() if job.path is None else read_csv(job.path)
    run = queried(list(itertools.islice(pairs, job.length)), {"model": MODELS[job.model], "budget": {"rate": RATE}}, seed=job.seed)
    return run.accuracy, run.labels, run.microseconds_per_decision


def worth(extent: Extent, streams: Path | None, console: Console) -> bool:
    """Compare words with words and embedding; whether the bar was missed."""
    if not embedder.offer():
        console.print("the extra `embed` is not installed: nothing to compare")
        return False
    path = None if streams is None else streams / "clinc_emerging.csv.gz"
    length = min(extent.texts, 4_000) if path is None else extent.texts
    jobs = [Job(path, model, seed, length) for model in MODELS for seed in range(extent.seeds)]
    found: dict[str, list[tuple[float, int, float]]] = {}
    for job, result in run_all(accuracy, jobs, "texts", 1):
        found.setdefault(job.model, []).append(result)
    table = Table("what the model sees", "accuracy", "lowest to highest", "labels", "µs a decision")
    for model, results in found.items():
        right, labels, micros = zip(*results, strict=True)
        table.add_row(
            model, f"{fmean(right):.1%}", f"{min(right):.1%} to {max(right):.1%}", f"{fmean(labels):.0f}", f"{median(micros):.0f}"
        )
    console.print(f"{'sentences made of synonyms' if path is None else path.name}, a budget of {RATE:.0%}", table, sep="\n")
    words, both = ([right for right, _, _ in found[model]] for model in MODELS)
    return fmean(both) <= fmean(words)


PARTS = ("cost", "worth")


def main() -> int:
    """Measure; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="little of everything, for CI")
    parser.add_argument("--streams", type=Path, help="folder with clinc_emerging.csv.gz")
    parser.add_argument("--only", choices=PARTS, help="one part")
    options = parser.parse_args()
    extent, console = SHORT if options.short else FULL, Console(width=120)
    missed = [cost(extent, console)] if options.only != "worth" else []
    missed += [worth(extent, options.streams, console)] if options.only != "cost" else []
    return int(any(missed))


if __name__ == "__main__":
    pin_hash_seed()
    sys.exit(main())
