"""Runs a benchmark's jobs in processes of their own, under a pinned hash seed, with a progress bar. What a job is stands elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PROCESSES = 2

Job = TypeVar("Job")
Found = TypeVar("Found")


def pin_hash_seed() -> None:
    """Start this program anew with PYTHONHASHSEED=0 unless it has it: some of River's models follow the hash order of strings."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        module = sys.modules["__main__"].__spec__
        name = module.name if module is not None else ""
        os.execve(sys.executable, [sys.executable, "-m", name, *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606


def run_all(work: Callable[[Job], Found], jobs: Sequence[Job], title: str, processes: int = PROCESSES) -> Iterator[tuple[Job, Found]]:
    """Yield every job with what came of it, as they end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress, ProcessPoolExecutor(processes) as pool:
        task = progress.add_task(title, total=len(jobs))
        for future in as_completed(waiting := {pool.submit(work, job): job for job in jobs}):
            progress.advance(task)
            yield waiting[future], future.result()
