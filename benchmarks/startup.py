"""How long a server with many labels takes from its start to its first `/readyz`, with its snapshot and without, and where the time goes.

The folder is made by the service's own flow in this process: every sample is asked and every question answered. Starts are those of a
user: a new process, measured from outside until it answers.
"""

import argparse
import asyncio
import gc
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.progress import track

from loadtest.server import Server

STREAM = "shop"
FEATURES = 9
TOGETHER = 500  # samples that are under way at once, so that they share commits
BAR = 5.0  # seconds from the start to ready, with a snapshot
PATIENCE = 300.0  # seconds
LOOK = 0.005  # seconds between looks
LOAD = "load: all of it, with the log's tail"


async def make(folder: Path, labels: int) -> None:
    """Have the real flow ask and learn so many labels, and keep a snapshot."""
    from service import workshop
    from service.adapters.sqlite import SqliteLog
    from service.adapters.workshop import ProcessWorkshop
    from service.engine import Engine, Tuning

    log = SqliteLog(folder)
    tuning = Tuning(snapshot_labels=10 * labels, snapshot_seconds=PATIENCE)
    engine = Engine(log, ProcessWorkshop(folder, workshop.snapshot, workshop.rebuild), [], lambda: os.urandom(16), tuning=tuning)
    engine.start([])
    budget = {"rate": 1.0, "burst": labels}
    everything = {"model": {"type": "logistic"}, "classes": [True, False], "query": {"rule": "random"}, "budget": budget}
    await engine.administration.put(STREAM, everything)
    rng = random.Random(1)

    async def learn(number: int) -> None:
        features = {f"x{index}": rng.gauss() for index in range(FEATURES)}
        await engine.flow.observe(STREAM, f"order-{number}", features)
        label = str(features["x0"] > features["x1"]).lower()
        await engine.flow.label(STREAM, f"order-{number}", label, "anna", features)

    chunks = [range(first, min(first + TOGETHER, labels)) for first in range(0, labels, TOGETHER)]
    for chunk in track(chunks, f"{labels:,} labels", console=Console(stderr=True)):
        await asyncio.gather(*map(learn, chunk))
    taught = engine.streams[STREAM].learner.labels
    await engine.stop()
    workshop.snapshot(str(folder), STREAM)
    if taught != labels:
        message = f"{taught} labels were learned, not {labels}"
        raise RuntimeError(message)


class Start(NamedTuple):
    """Seconds from the start of a process until it was ready, and of its own work until then."""

    wall: float
    work: float


def start(folder: Path) -> Start:
    """Start a server over the folder, wait until it is ready, stop it."""
    started = time.perf_counter()
    server = Server(folder)
    try:
        while not _is_ready(server):
            if server.process.poll() is not None or time.perf_counter() - started > PATIENCE:
                message = "the server did not become ready"
                raise RuntimeError(message)
            time.sleep(LOOK)
        return Start(time.perf_counter() - started, worked(server.process.pid))
    finally:
        server.stop()


def worked(pid: int) -> float:
    """Seconds that a process has spent on a processor, in user and kernel mode."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _is_ready(server: Server) -> bool:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def stages(folder: Path) -> dict[str, float]:
    """Seconds of this process's own work in each step of a start; it must not have imported the service before."""
    gc.disable()  # as `askwhen serve` does
    taken: dict[str, float] = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        before = time.process_time()
        yield
        taken[name] = time.process_time() - before

    with step("imports: command line and settings"):
        import_module("service.cli")
    with step("imports: server, edge and core"):
        import_module("service.server")
    from service import workshop
    from service.adapters.snapshots import FileSnapshots
    from service.adapters.sqlite import SqliteReader, database_of
    from service.core.freezer import thaw
    from service.core.learner import Learner
    from service.streams import Live

    reader = SqliteReader(database_of(folder))
    snapshots = FileSnapshots(folder)
    kept = snapshots.paths(STREAM)
    if kept:
        with step("snapshot: thaw"):
            learned = thaw(kept[-1].read_bytes().partition(b"\n")[2])
        with step("snapshot: learner from it"):
            Learner.of(learned)
    with step(LOAD):
        learner = workshop.load(reader, snapshots, STREAM)
    with step("live stream"):
        Live(STREAM, learner)
    reader.close()
    return taken


def staged(folder: Path) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.startup", "--stages", str(folder)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def show(title: str, starts: list[Start], steps: dict[str, float]) -> None:
    """Print a kind of start."""
    walls = ", ".join(f"{taken.wall:.2f}" for taken in starts)
    print(f"{title}: ready after {median(taken.wall for taken in starts):.2f} s (median of {len(starts)}: {walls})")
    print(f"  {'work of the process until then':42} {median(taken.work for taken in starts):7.3f} s, of which")
    for name, taken in steps.items():
        print(f"  {name:42} {taken:7.3f} s")


def main() -> int:
    """Make the folder, start over it; 0 if the bar is held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=100_000)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="10,000 labels and 3 starts")
    parser.add_argument("--keep", type=Path, help="folder to make and keep, or to use again")
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stages is not None:
        print(json.dumps(stages(arguments.stages)))
        return 0
    labels, starts = (10_000, 3) if arguments.short else (arguments.labels, arguments.starts)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary) / "data"
        if not folder.exists():
            asyncio.run(make(folder, labels))
        return measure(folder, Path(temporary) / "bare", labels, starts)


def measure(folder: Path, bare: Path, labels: int, starts: int) -> int:
    """Start with the snapshot, and over a copy `bare` of the log without; 0 if the bar is held."""
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("snapshots"))
    print(f"a log of {labels:,} labels and as many questions, logistic, {FEATURES} features")
    times = [start(folder) for _ in range(starts)]
    show("with the snapshot", times, staged(folder))
    steps = staged(bare)
    show("without", [start(bare)], steps)
    print(f"the fold: {labels / steps[LOAD]:,.0f} labels/s of work")
    held = median(taken.wall for taken in times) < BAR
    print(f"bar {BAR:g} s: {'held' if held else 'MISSED'}")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
