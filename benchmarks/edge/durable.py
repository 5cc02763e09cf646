"""How long this disk takes to make a small append durable, and what the service adds to a sample whose question has to be."""

import os
import time
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.edge.arrivals import spread

_APPEND = b"\0" * 4_096  # a page of the log
_TIMES = 200


class Fsync(msgspec.Struct, frozen=True):
    """Seconds of an append and its fsync: median and 99th percentile."""

    p50: float
    p99: float


def fsync(folder: Path) -> Fsync:
    """Append and fsync many times, on the file system of a folder."""
    path, took = folder / "fsync.probe", list[float]()
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(_TIMES):
            started = time.perf_counter()
            os.write(descriptor, _APPEND)
            os.fsync(descriptor)
            took.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    found = spread(took)
    return Fsync(found.p50, found.p99)


def middle(rounds: list[Fsync]) -> Fsync:
    """The medians over rounds."""
    return Fsync(median(one.p50 for one in rounds), median(one.p99 for one in rounds))
