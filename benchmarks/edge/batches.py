"""Samples in NDJSON batches against the loop that River needs for the same, in samples a second on the same core."""

import itertools
import json
import subprocess
import sys
import threading
import time
from statistics import median

import msgspec

from benchmarks.edge import workload
from benchmarks.edge.processes import used
from benchmarks.edge.targets import LABELS, SERVER_CORE, Service, Target, client, on_core
from benchmarks.edge.targets import make_stream as make_any
from benchmarks.edge.wire import Connection, RefusedError, head_of, post

LINES = 1_000
MEDIA_TYPE = "application/x-ndjson"
BULK = "bulk"
_CONNECTIONS = 2  # one batch is on its way while the server works on another

_UNSUPPORTED = 415

_serial = itertools.count()
_tails = [f'","features":{workload.encoded(features)}}}\n' for features in workload.pool()]


class Side(msgspec.Struct, frozen=True):
    """One round of one side: samples a second, and CPU seconds a sample."""

    rate: float
    cpu: float


class Found(msgspec.Struct, frozen=True):
    """Both sides, `askwhen` and `River`, round by round."""

    sides: dict[str, list[Side]]

    @property
    def ratio(self) -> float:
        """The median of the ratios of the rates, round by round."""
        return median(ours.rate / river.rate for ours, river in zip(*self.sides.values(), strict=True))

    @property
    def shares(self) -> dict[str, float]:
        """What each side had of its core."""
        return {name: median(side.rate * side.cpu for side in sides) for name, sides in self.sides.items()}


class NotTakenError(RuntimeError):
    """The server does not take NDJSON."""


def make_stream(service: Service) -> None:
    """Make a stream like the measured one, for batches alone; raises `NotTakenError` where the server answers 415 to one."""
    with client(service.target) as http:
        make_any(http, BULK, {}, LABELS, seed=6)
    connection = Connection(service.target)
    try:
        check(connection.exchange(request(service.target, 1)), 1)
    except RefusedError as error:
        if error.status != _UNSUPPORTED:
            raise
        message = f"this askwhen does not take {MEDIA_TYPE} yet (415)"
        raise NotTakenError(message) from None
    finally:
        connection.close()


def request(target: Target, lines: int) -> bytes:
    """A batch of so many samples whose ids were never there."""
    numbers = itertools.islice(_serial, lines)
    body = "".join(f'{{"id":"line-{number}{_tails[number % len(_tails)]}' for number in numbers)
    return post(head_of(target, f"/v1/streams/{BULK}/samples", MEDIA_TYPE), body.encode())


def check(body: bytes, lines: int) -> None:
    """Raise `RuntimeError` where a batch was not answered with a decision a line."""
    decisions = body.count(b'"model_version":')
    if decisions != lines or body.count(b"\n") != lines:
        message = f"{lines} lines got {decisions} decisions; an answer ends with {body[-300:]!r}"
        raise RuntimeError(message)


def measure(service: Service, rounds: int, seconds: float) -> Found:
    """Take turns with River; the stream is there already."""
    sides: dict[str, list[Side]] = {"askwhen": [], "River": []}
    for _ in range(rounds):
        sides["askwhen"].append(_batches(service.target, seconds))
        sides["River"].append(_river(seconds))
    return Found(sides)


def _batches(target: Target, seconds: float) -> Side:
    """Keep the server busy with batches."""
    stop, counts, wrong = time.perf_counter() + seconds, list[int](), list[Exception]()

    def work() -> None:
        connection = Connection(target)
        try:
            while time.perf_counter() < stop:
                check(connection.exchange(request(target, LINES)), LINES)
                counts.append(LINES)
        except Exception as error:  # noqa: BLE001 - it is raised where the benchmark looks
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(_CONNECTIONS)]
    started, before = time.perf_counter(), used(target.process)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return Side(sum(counts) / (time.perf_counter() - started), (used(target.process) - before) / sum(counts))


def _river(seconds: float) -> Side:
    """Run River's loop in a process on the server core."""
    program = [sys.executable, "-m", "benchmarks.edge.river_loop", str(seconds)]
    done = subprocess.run([*on_core(SERVER_CORE), *program], capture_output=True, check=True, text=True)
    return Side(*json.loads(done.stdout))
