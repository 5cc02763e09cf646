"""Processes that work through jobs side by side, and stop at once when they are told to. What a job is stands elsewhere."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

_ENDINGS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def processes(workers: int, load: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """Start workers, each of which calls `load` once; whatever ends the block early ends them in the middle of their work."""
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), load, arguments)
    try:
        with deaf():
            for _ in range(workers):  # starts all of them, so that an interrupt that comes meanwhile leaves none out of what is ended
                pool.submit(int)
        yield pool
    except BaseException:
        for child in multiprocessing.active_children():
            child.kill()
        pool.shutdown(cancel_futures=True)  # what watches over them ends as well: at the interpreter's end it would be met half closed
        raise
    pool.shutdown()


@contextmanager
def deaf() -> Iterator[None]:
    """Have endings wait: for what must not be broken off half way, such as the start of a thread.

    Processes that are started inside never hear of them: they are for the one that starts, who kills.
    """
    resource_tracker.ensure_running()  # its start would unblock it again
    came: list[int] = []
    # Blocking is not enough: a library's own thread may take the signal, and Python would still raise it here.
    handlers = {number: signal.signal(number, lambda taken, _: came.append(taken)) for number in _ENDINGS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for taken in came:
            signal.raise_signal(taken)


@contextmanager
def interruptible() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end what is inside as Ctrl-C does, so that no process is left behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDINGS - {signal.SIGINT}}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
