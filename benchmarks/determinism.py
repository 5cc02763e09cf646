"""Shows that every allowed River class repeats bit for bit: `python -m benchmarks.determinism [--short] [--only NAME]`.

Each pipeline learns the same stream eight times: under two values of PYTHONHASHSEED, with and without predictions in between, with and
without a snapshot half way. All eight must end with the same probabilities and the same state (by `digest`), and one label more must
change the digest. Exits 1 if any does not.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.pipelines import Spec, jobs, numbers, words
from service.core.allowed import ALLOWED
from service.core.config import Step
from service.core.digest import canonical_probabilities, digest
from service.core.freezer import freeze, thaw
from service.core.pipeline import Parts, build

HASH_SEEDS = ("0", "4711")
SHORT, FULL = 120, 450  # labels
CHECKPOINT = 25  # labels between the probabilities that are compared


# One pipeline, in a child process


def probabilities(parts: Parts, x: dict[str, Any]) -> bytes:
    """Predict one sample, as the service would."""
    for transformer in parts.prefix:
        x = transformer.transform_one(x)
    return canonical_probabilities({str(label): float(p) for label, p in parts.model.predict_proba_one(x).items()})


def learn(parts: Parts, x: dict[str, Any], y: int) -> None:
    """Learn one label, the transformers first."""
    for transformer in parts.prefix:
        transformer.learn_one(x)
        x = transformer.transform_one(x)
    parts.model.learn_one(x, y)


def run(steps: Sequence[Step], stream: list[tuple[dict[str, Any], int]], *, predict: bool, snapshot: bool) -> tuple[str, Parts]:
    """Return a hash of the probabilities at every checkpoint, and what was learned."""
    parts, transcript = build(steps), hashlib.blake2b(digest_size=16)
    for i, (x, y) in enumerate(stream[:-1]):
        if predict:  # also before the first label, features in another order, and one that is missing
            probabilities(parts, dict(reversed(x.items())))
            probabilities(parts, dict(list(stream[-1 - i][0].items())[1:]))
        learn(parts, x, y)
        if i % CHECKPOINT == CHECKPOINT - 1:
            transcript.update(probabilities(parts, x) + probabilities(parts, stream[-1 - i // 2][0]))
        if snapshot and i == len(stream) // 2:
            parts = Parts(*thaw(freeze((parts.prefix, parts.model))))
    return transcript.hexdigest(), parts


def examine(steps: list[Spec], n: int) -> dict[str, Any]:
    """Run one pipeline in its four variants under this process's hash seed."""
    typed = msgspec.convert(steps, list[Step])
    mentions_words = any(f'"{name}"' in json.dumps(steps) for name, entry in ALLOWED.items() if entry.text)
    stream = words(n) if mentions_words else numbers(n)
    variants = [run(typed, stream, predict=p, snapshot=s) for p in (False, True) for s in (False, True)]
    parts = variants[0][1]
    before = digest(parts)
    survives = digest(thaw(freeze((parts.prefix, parts.model)))) == digest((parts.prefix, parts.model))
    learn(parts, *stream[-1])
    return {
        "probabilities": [transcript for transcript, _ in variants],
        "states": [before.hex(), *(digest(learned).hex() for _, learned in variants[1:])],
        "survives": survives,
        "moves": digest(parts) != before,
    }


def child(n: int) -> None:
    """Answer each line on standard input, a name and a pipeline, by one line."""
    for line in sys.stdin:
        name, steps = json.loads(line)
        try:
            found = examine(steps, n)
        except Exception as error:  # noqa: BLE001 - a class that raises is a finding too
            found = {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps([name, found]), flush=True)


# All of them


def answers(hash_seed: str, todo: dict[str, list[Spec]], n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Let one child process with that hash seed do all pipelines."""
    command = [sys.executable, "-m", "benchmarks.determinism", "--child", str(n)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONHASHSEED": hash_seed}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None  # noqa: S101 - for mypy
        assert process.stdout is not None  # noqa: S101 - for mypy
        for job in todo.items():
            process.stdin.write(json.dumps(job) + "\n")
        process.stdin.close()
        yield from map(json.loads, process.stdout)


def findings(todo: dict[str, list[Spec]], n: int) -> dict[str, list[dict[str, Any]]]:
    """Collect what the children found, by pipeline."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in todo}
    with Progress(console=Console(stderr=True)) as progress, ThreadPoolExecutor(len(HASH_SEEDS)) as pool:
        task = progress.add_task("Learning", total=len(todo) * len(HASH_SEEDS))

        def collect(hash_seed: str) -> None:
            for name, finding in answers(hash_seed, todo, n):
                found[name].append(finding)
                progress.advance(task)

        list(pool.map(collect, HASH_SEEDS))
    return found


def complaints(found: list[dict[str, Any]]) -> list[str]:
    """Say what is not as it has to be with one pipeline."""
    if len(found) < len(HASH_SEEDS):
        return ["a child process died"]
    errors = [finding["error"] for finding in found if "error" in finding]
    if errors:
        return errors[:1]
    first = found[0]
    checks = {
        "predictions or snapshots change probabilities": all(len(set(f["probabilities"])) == 1 for f in found),
        "the hash seed changes probabilities": all(f["probabilities"][0] == first["probabilities"][0] for f in found),
        "predictions change the state": all(f["states"][0] == f["states"][2] for f in found),
        "snapshots change the state": all(f["states"][0] == f["states"][1] and f["survives"] for f in found),
        "the hash seed changes the state": all(f["states"][0] == first["states"][0] for f in found),
        "one label more changes no digest": all(f["moves"] for f in found),
    }
    return [complaint for complaint, holds in checks.items() if not holds]


def main() -> int:
    """Try all pipelines and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT} labels instead of {FULL:,}")
    parser.add_argument("--only", default="", help="pipelines whose name contains this")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return 0
    todo = {name: steps for name, steps in jobs().items() if options.only in name}
    found = findings(todo, SHORT if options.short else FULL)
    table = Table("Pipeline", "Verdict", title=f"{len(todo)} pipelines, 8 runs each")
    wrong = {name: complaints(found[name]) for name in todo}
    for name, problems in wrong.items():
        table.add_row(name, "; ".join(problems) or "same bits")
    Console().print(table)
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
