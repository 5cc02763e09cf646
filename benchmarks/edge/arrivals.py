"""Samples that arrive by a clock, whatever the server does: `python -m benchmarks.edge.arrivals URL ...`, on a core of its own.

Poisson arrivals at a constant rate, seeded. A latency counts from the moment at which a sample was due, so that waiting for a free
connection or for the generator itself counts too (no coordinated omission). One loop over `select`, whose timeouts are exact to
some 50 us; event loops of Python round theirs to milliseconds.
"""

import argparse
import contextlib
import gc
import itertools
import os
import random
import select
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from benchmarks.edge import workload
from benchmarks.edge.targets import Target
from benchmarks.edge.wire import Connection, head_of, post

CONNECTIONS = 32
_WARM = 0.5  # seconds whose arrivals do not count
_LEAD = 0.05  # seconds between the last preparation and the first arrival
_PATIENCE = 30.0  # seconds without any answer


class Spread(msgspec.Struct, frozen=True):
    """A distribution of times in seconds."""

    n: int
    p50: float
    p99: float
    p999: float
    most: float


class Arrivals(msgspec.Struct, frozen=True):
    """What a run found: latencies of samples that were not asked and of those that were, and how late the generator was itself.

    `rate` is what was due in a second; `waited` counts arrivals that found no connection free.
    """

    rate: float
    not_asked: Spread
    asked: Spread | None
    lag: Spread
    waited: int


class _Found:
    """What is noted while samples arrive."""

    def __init__(self, schedule: Sequence[float]) -> None:
        self.schedule = schedule
        self.lags: list[float] = []
        self.latencies: list[tuple[float, float, bool]] = []  # when it was due, how long it took, whether it was asked
        self.waited = 0


def schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """When samples are due, in seconds after the start."""
    rng = random.Random(seed)
    gaps = iter(lambda: rng.expovariate(rate), None)
    return list(itertools.takewhile(lambda at: at < seconds, itertools.accumulate(gaps)))


def requests(target: Target, prefix: str) -> Iterator[bytes]:
    """Endless requests with ids that were never there."""
    head = head_of(target, urlsplit(target.samples).path)
    tails = [f'","features":{workload.encoded(features)}}}'.encode() for features in workload.pool()]
    for number, tail in enumerate(itertools.cycle(tails)):
        yield post(head, f'{{"id":"{prefix}{number}'.encode() + tail)


def drive(target: Target, due: Sequence[float], prefix: str) -> _Found:
    """Send every sample when it is due, or as soon as a connection is free, and wait for all answers."""
    found, ready = _Found(due), requests(target, prefix)
    idle = deque(Connection(target) for _ in range(CONNECTIONS))
    busy: dict[Connection, float] = {}
    queue: deque[float] = deque()
    coming = deque(due)
    next(ready)  # the pool is made
    gc.disable()
    start = time.perf_counter() + _LEAD
    while coming or queue or busy:
        now = time.perf_counter() - start
        while coming and coming[0] <= now:
            found.lags.append(now - coming[0])
            queue.append(coming.popleft())
        while queue and idle:
            connection = idle.popleft()
            connection.send(next(ready))
            busy[connection] = queue.popleft()
        found.waited += bool(queue)
        _collect(found, idle, busy, start, coming[0] if coming else None)
    for connection in idle:
        connection.close()
    return found


def _collect(found: _Found, idle: deque[Connection], busy: dict[Connection, float], start: float, until: float | None) -> None:
    """Take in the answers that come before the next arrival."""
    patience = _PATIENCE if until is None else max(0.0, start + until - time.perf_counter())
    readable, _, _ = select.select(list(busy), [], [], patience)
    if not readable and until is None:
        message = f"{len(busy)} samples got no answer"
        raise RuntimeError(message)
    for connection in readable:
        body = connection.receive()
        if body is not None:
            due = busy.pop(connection)
            found.latencies.append((due, time.perf_counter() - start - due, b'"ask":true' in body))
            idle.append(connection)


def spread(values: Sequence[float]) -> Spread:
    """Describe a distribution."""
    ordered = sorted(values)
    p50, p99, p999 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99, 0.999))
    return Spread(len(ordered), p50, p99, p999, ordered[-1])


def summary(found: _Found, seconds: float) -> Arrivals:
    """What a run found, without its first moments."""
    told = [(took, asked) for due, took, asked in found.latencies if due >= _WARM]
    asked = [took for took, was_asked in told if was_asked]
    rest = [took for took, was_asked in told if not was_asked]
    return Arrivals(len(found.schedule) / seconds, spread(rest), spread(asked) if asked else None, spread(found.lags), found.waited)


def arrive(target: Target, rate: float, seconds: float, seed: int) -> Arrivals:
    """Run this program in a process of its own."""
    program = [sys.executable, "-m", "benchmarks.edge.arrivals", target.url]
    options = ["--rate", str(rate), "--seconds", str(seconds), "--seed", str(seed), "--authorization", target.authorization]
    done = subprocess.run([*program, *options], stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Arrivals)


def _go_first() -> None:
    """Come before everything else on this core, where that is allowed: a generator that is late measures itself."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def main() -> int:
    """Let samples arrive; prints what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--authorization", default="")
    parser.add_argument("--rate", type=float, required=True, help="samples a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals; ids are new each time")
    options = parser.parse_args()
    target = Target("target", options.url, 0, options.authorization)
    _go_first()
    due = schedule(options.rate, options.seconds, options.seed)
    found = drive(target, due, f"{time.time_ns():x}-")
    sys.stdout.buffer.write(msgspec.json.encode(summary(found, options.seconds)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
