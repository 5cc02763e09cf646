"""How many samples a second each target takes from wrk, in interleaved rounds. Ratios are made elsewhere."""

import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from benchmarks.edge.processes import used
from benchmarks.edge.targets import Target
from benchmarks.edge.workload import write_pool

CONNECTIONS = 16
SCRIPT = Path(__file__).with_name("sample.lua")
_WARM = 1  # seconds before the first round of each target


class Round(NamedTuple):
    """One run of wrk: requests a second, latencies and CPU time a request in seconds."""

    rate: float
    p50: float
    p99: float
    cpu: float


class Throughput(msgspec.Struct, frozen=True):
    """A target's medians over its rounds, and the rates of each; `share` is what it had of its core."""

    rate: float
    p50: float
    p99: float
    cpu: float
    share: float
    rates: tuple[float, ...]


def wrk(target: Target, pool: Path, seconds: int, prefix: str) -> Round:
    """Load a target for so many seconds; ids begin with `prefix`. Raises `RuntimeError` where it answers anything but 200."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT), target.samples, "--", str(pool), prefix]
    before = used(target.process)
    done = subprocess.run([*command, target.authorization], capture_output=True, check=True, text=True)
    cpu = used(target.process) - before
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if found["refused"] or found["failed"]:
        message = f"{target.name}: {found['refused']} requests were refused, {found['failed']} failed"
        raise RuntimeError(message)
    return Round(found["requests"] / found["seconds"], found["p50"], found["p99"], cpu / found["requests"])


def measure(targets: Sequence[Target], rounds: int, seconds: int) -> dict[str, Throughput]:
    """Load all targets in turn, round by round."""
    found: dict[str, list[Round]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        pool = write_pool(Path(folder) / "pool.jsonl")
        for target in targets:
            wrk(target, pool, _WARM, "warm-")
        for number in range(rounds):
            for target in targets:
                found[target.name].append(wrk(target, pool, seconds, f"round-{number}-"))
    return {name: _summary(several) for name, several in found.items()}


def _summary(rounds: Sequence[Round]) -> Throughput:
    rates = tuple(one.rate for one in rounds)
    p50, p99, cpu = (median(values) for values in ((one.p50 for one in rounds), (one.p99 for one in rounds), (one.cpu for one in rounds)))
    return Throughput(median(rates), p50, p99, cpu, median(one.rate * one.cpu for one in rounds), rates)
