"""The other process as a pool of one, spawned when it is first needed; what it sends back is loaded in a thread, frame by frame.

It knows the jobs only as functions that it was given.
"""

import asyncio
import io
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from service.adapters.background import settle_in
from service.adapters.snapshots import FileSnapshots
from service.core.freezer import thaw_from
from service.core.taught import Taught

Result = TypeVar("Result")
SnapshotJob = Callable[[str, str], int]
RebuildJob = Callable[[str, str, dict[int, int], int], bytes]


class ProcessWorkshop:
    """Runs snapshot and rebuild jobs over one data folder, one at a time."""

    def __init__(self, folder: Path, snapshot: SnapshotJob, rebuild: RebuildJob) -> None:
        """Take the folder and the two jobs, which must be functions of a module."""
        self._folder = str(folder)
        self._snapshot = snapshot
        self._rebuild = rebuild
        self._pool: ProcessPoolExecutor | None = None
        self._snapshots: dict[str, asyncio.Task[int]] = {}  # the last one of each stream, running or done

    async def snapshot(self, stream: str) -> int:
        """Fold what is new and keep a snapshot; gives its position."""
        work = self._snapshots[stream] = asyncio.create_task(self._do(self._snapshot, self._folder, stream))
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # its caller may be gone
        return await asyncio.shield(work)

    async def rebuild(self, stream: str, superseded: dict[int, int], through: int) -> Taught:
        """The model without what was superseded up to `through`, taught all answers up to there."""
        frozen = await self._do(self._rebuild, self._folder, stream, superseded, through)
        taught = await asyncio.to_thread(lambda: thaw_from(_Yielding(frozen)))
        if not isinstance(taught, Taught):
            message = f"the workshop sent {type(taught).__name__}"
            raise TypeError(message)
        return taught

    async def forget(self, stream: str, before: int) -> None:
        """Remove a stream's snapshots from before a position, after the one that is being written."""
        running = self._snapshots.get(stream)
        if running is not None:
            await asyncio.wait({running})
        await asyncio.to_thread(FileSnapshots(Path(self._folder)).drop, stream, before)

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            # The pool has no other way to end a running job, and forgets its processes when it shuts down.
            running = list((self._pool._processes or {}).values())  # noqa: SLF001
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.terminate()

    async def _do(self, job: Callable[..., Result], *args: object) -> Result:
        pool = self._started()
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, job, *args)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            raise

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), settle_in)
        return self._pool


class _Yielding(io.RawIOBase):
    """Bytes for an unpickler that lets other threads run between its frames: it would hold the interpreter for a whole forest."""

    def __init__(self, data: bytes) -> None:
        self._bytes = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        time.sleep(0)
        return self._bytes.read(size)

    def readline(self, size: int | None = -1) -> bytes:
        return self._bytes.readline(size)
