"""Samples in NDJSON batches against the loop that River needs for the same, in samples a second on the same core."""

import itertools
import json
import subprocess
import sys
import threading
import time
from statistics import median
from typing import NamedTuple

from benchmarks.edge import workload
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


class Found(NamedTuple):
    """Samples a second: askwhen's and River's medians, and both round by round."""

    askwhen: float
    river: float
    rounds: tuple[tuple[float, float], ...]


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
    pairs = tuple((_batches(service.target, seconds), _river(seconds)) for _ in range(rounds))
    return Found(median(ours for ours, _ in pairs), median(theirs for _, theirs in pairs), pairs)


def _batches(target: Target, seconds: float) -> float:
    """Keep the server busy with batches; samples a second."""
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
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return sum(counts) / (time.perf_counter() - started)


def _river(seconds: float) -> float:
    """Run River's loop in a process on the server core; samples a second."""
    program = [sys.executable, "-m", "benchmarks.edge.river_loop", str(seconds)]
    done = subprocess.run([*on_core(SERVER_CORE), *program], capture_output=True, check=True, text=True)
    return float(json.loads(done.stdout))
