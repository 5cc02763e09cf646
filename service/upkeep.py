"""What goes on by itself beside the requests: checkpoints, expiry, snapshots, rebuilds. It answers nobody."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from functools import partial
from itertools import islice

import structlog

from service.core.errors import Unavailable
from service.core.events import Expired, Labelled, Swapped
from service.core.taught import Taught
from service.journal import Committed, Journal
from service.ports import Clock, Observer, Workshop
from service.streams import Live, Streams

PERIOD = 1.0  # seconds between looks
COALESCE = 0.05  # seconds for which corrections are gathered before a rebuild begins
_TURN = 0.002  # seconds of learning before others get the loop
_LARGE = 65_536  # bytes of preprocessing above which it is not written every second
_EXPIRIES = 200  # questions of a stream that expire at one look
_RARELY = 30.0  # seconds between writes of large preprocessing

_log = structlog.get_logger("askwhen.upkeep")


class _Written:
    """What stands in a stream's checkpoints."""

    def __init__(self) -> None:
        self.moved = (-1, -1)
        self.underway: asyncio.Future[Committed] | None = None
        self.size = 0
        self.preprocessing_at = 0.0


class Upkeep:
    """One task that looks after all streams, and one more for each rebuild or snapshot that runs."""

    def __init__(
        self,
        streams: Streams,
        journal: Journal,
        workshop: Workshop,
        clock: Clock,
        observers: Sequence[Observer],
        *,
        run: int,
        snapshot_labels: int,
        snapshot_seconds: float,
    ) -> None:
        """Take the parts; `run` numbers this server's starts, the rest says when a snapshot is due."""
        self._streams = streams
        self._journal = journal
        self._workshop = workshop
        self._clock = clock
        self._observers = observers
        self._run = run
        self._snapshot_labels = snapshot_labels
        self._snapshot_seconds = snapshot_seconds
        self._written: dict[str, _Written] = {}
        self._snapshot_at: dict[str, float] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._main: asyncio.Task[None] | None = None
        self.wake = asyncio.Event()

    def start(self) -> None:
        """Begin."""
        self._main = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        """End; then write the last checkpoints, large preprocessing included."""
        tasks = [task for task in (self._main, *self._tasks.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for live in list(self._streams.all.values()):
            self.checkpoint(live, final=True)

    def forget(self, stream: str) -> None:
        """A stream was deleted."""
        self._written.pop(stream, None)
        self._snapshot_at.pop(stream, None)

    def checkpoint(self, live: Live, *, final: bool = False) -> None:
        """Write the decision state if it moved; without waiting."""
        learner = live.learner
        written = self._written.setdefault(live.name, _Written())
        moved = (learner.budget.seen, learner.anchor)
        waiting = written.underway is not None and not written.underway.done()
        if moved == written.moved or live.dropped or (waiting and not final):
            return
        written.moved = moved
        now = time.monotonic()
        large = written.size > _LARGE
        due = final or not large or now - written.preprocessing_at >= _RARELY
        state = learner.vectoriser.state() if due else None
        if state is not None:
            written.size, written.preprocessing_at = len(state), now
        slot = "preprocessing" if state is not None and len(state) > _LARGE else f"checkpoint-{self._run}"
        written.underway = self._journal.append(live.name, learner.checkpointed(self._run, self._clock(), state), slot=slot)

    async def _forever(self) -> None:
        while True:
            for live in list(self._streams.all.values()):
                try:
                    self._look_after(live)
                except Exception:  # noqa: BLE001 - one stream's trouble must not end the upkeep of the others
                    _log.exception("upkeep failed", stream=live.name)
                await asyncio.sleep(0)
            self.wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), PERIOD)
                await asyncio.sleep(COALESCE)

    def _look_after(self, live: Live) -> None:
        if live.dropped:
            return
        self.checkpoint(live)
        for sample_id in islice(live.expired(self._clock()), _EXPIRIES):
            expired = self._journal.append(live.name, Expired(self._clock(), sample_id))
            expired.add_done_callback(partial(_look_again, live, sample_id))
        if live.learner.rebuild_from:
            self._begin("rebuild", live)
        elif self._snapshot_due(live):
            self._begin("snapshot", live)

    def _snapshot_due(self, live: Live) -> bool:
        since = time.monotonic() - self._snapshot_at.setdefault(live.name, time.monotonic())
        return live.changes >= self._snapshot_labels or (live.changes > 0 and since >= self._snapshot_seconds)

    def _begin(self, kind: str, live: Live) -> None:
        key = (kind, live.name)
        running = self._tasks.get(key)
        if running is not None and not running.done():
            return
        work = self._rebuild(live) if kind == "rebuild" else self._snapshot(live)
        self._tasks[key] = asyncio.create_task(self._guarded(kind, live, work))

    async def _guarded(self, kind: str, live: Live, work: Awaitable[None]) -> None:
        try:
            await work
        except Unavailable as error:
            _log.warning("log unavailable", job=kind, stream=live.name, error=str(error))
        except Exception:  # noqa: BLE001 - whatever a job did, the next one is tried
            if not live.dropped:
                _log.exception("job failed", job=kind, stream=live.name)

    async def _snapshot(self, live: Live) -> None:
        started = time.monotonic()
        self._snapshot_at[live.name], live.changes = started, 0
        await self._workshop.snapshot(live.name)
        for observer in self._observers:
            observer.snapshotted(live.name, time.monotonic() - started)

    async def _rebuild(self, live: Live) -> None:
        started = time.monotonic()
        learner = live.learner
        through = learner.anchor
        tail = live.tail = deque()
        try:
            candidate = await self._workshop.rebuild(live.name, dict(learner.superseded), through)
            await _catch_up(candidate, tail)
            serving = await asyncio.to_thread(candidate.serving_vectoriser) if candidate.epoch != learner.taught.epoch else None
            await _catch_up(candidate, tail)
            if live.dropped:
                return
            learner.candidate, learner.candidate_vectoriser = candidate, serving
        finally:
            live.tail = None
        try:
            await self._journal.append(live.name, Swapped(self._clock(), through))
        except Unavailable:
            learner.candidate = None
            raise
        for observer in self._observers:
            observer.rebuilt(live.name, time.monotonic() - started)
        if learner.rebuild_from:
            self.wake.set()


def _look_again(live: Live, sample_id: str, expired: "asyncio.Future[Committed]") -> None:
    if not expired.cancelled() and expired.exception() is not None:
        live.watch(sample_id)


async def _catch_up(candidate: Taught, tail: deque[tuple[Labelled, str]]) -> None:
    until = time.monotonic() + _TURN
    while tail:
        answer, label = tail.popleft()
        candidate.follow(answer, label)
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + _TURN
