"""Processes that work through jobs side by side, and stop at once when they are told to. What a job is stands elsewhere."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(workers: int, load: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """Start workers, each of which calls `load` once; whatever ends the block early ends them in the middle of their work."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), load, arguments)
    try:
        with _deaf():
            pool.submit(int)  # starts all of them; what is blocked now they never hear, for Ctrl-C is for the one that started them
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    pool.shutdown()


@contextmanager
def _deaf() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interruptible() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end what is inside as Ctrl-C does, so that no process is left behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
