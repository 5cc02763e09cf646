"""What goes on by itself beside the requests: checkpoints, expiry, retention, snapshots, rebuilds. It answers nobody."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from functools import partial
from itertools import islice

import structlog

from service.appraisal import Appraisal
from service.checkpoints import Checkpoints
from service.core.errors import Unavailable
from service.core.events import Expired, Labelled, Swapped
from service.core.records import Lesson
from service.core.taught import Taught
from service.erasure import Erasure, is_erased
from service.journal import Committed, Journal
from service.ports import Clock, Observer, Workshop
from service.streams import Live, Streams

PERIOD = 1.0  # seconds between looks
COALESCE = 0.05  # seconds for which corrections are gathered before a rebuild begins
_TURN = 0.002  # seconds of learning before others get the loop
_EXPIRIES = 200  # questions of a stream that expire at one look
_ERASED = 1_000  # samples of a stream that are erased by age at one look
_LOOKS = 20  # at a stream's old samples during one retention
_SOONEST, _LATEST = 1.0, 3_600.0  # seconds between such looks

_log = structlog.get_logger("askwhen.upkeep")


class Upkeep:
    """One task that looks after all streams, and one more for each rebuild or snapshot that runs."""

    def __init__(
        self,
        streams: Streams,
        journal: Journal,
        workshop: Workshop,
        checkpoints: Checkpoints,
        erasure: Erasure,
        appraisal: Appraisal,
        clock: Clock,
        observers: Sequence[Observer],
        *,
        snapshot_labels: int,
        snapshot_seconds: float,
    ) -> None:
        """Take the parts; the figures say when a snapshot is due."""
        self._streams = streams
        self._journal = journal
        self._workshop = workshop
        self._checkpoints = checkpoints
        self._erasure = erasure
        self._appraisal = appraisal
        self._clock = clock
        self._observers = observers
        self._snapshot_labels = snapshot_labels
        self._snapshot_seconds = snapshot_seconds
        self._snapshot_at: dict[str, float] = {}
        self._retained_at: dict[str, float] = {}
        self._uncleared: set[str] = set()  # streams with erased samples whose bytes are left to the end of their retention
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
            self._checkpoints.write(live, final=True)

    def forget(self, stream: str) -> None:
        """A stream was deleted."""
        self._snapshot_at.pop(stream, None)
        self._retained_at.pop(stream, None)
        self._uncleared.discard(stream)

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
        self._checkpoints.write(live)
        self._appraisal.look(live)
        for sample_id in islice(live.expired(self._clock()), _EXPIRIES):
            expired = self._journal.append(live.name, Expired(self._clock(), sample_id))
            expired.add_done_callback(partial(_look_again, live, sample_id))
        if self._retention_due(live):
            self._begin("retention", live)
        if live.learner.rebuild_from:
            self._begin("rebuild", live)
        elif self._snapshot_due(live):
            self._begin("snapshot", live)

    def _snapshot_due(self, live: Live) -> bool:
        since = time.monotonic() - self._snapshot_at.setdefault(live.name, time.monotonic())
        return live.changes >= self._snapshot_labels or (live.changes > 0 and since >= self._snapshot_seconds)

    def _retention_due(self, live: Live) -> bool:
        seconds = live.learner.config.retention
        if seconds is None:
            return False
        return self._clock() - self._retained_at.get(live.name, -math.inf) >= min(max(seconds / _LOOKS, _SOONEST), _LATEST)

    def _begin(self, kind: str, live: Live) -> None:
        key = (kind, live.name)
        running = self._tasks.get(key)
        if running is not None and not running.done():
            return
        job = {"rebuild": self._rebuild, "snapshot": self._snapshot, "retention": self._retain}[kind]
        self._tasks[key] = asyncio.create_task(self._guarded(kind, live, job(live)))

    async def _guarded(self, kind: str, live: Live, work: Awaitable[None]) -> None:
        try:
            await work
        except Unavailable as error:
            _log.warning("log unavailable", job=kind, stream=live.name, error=str(error))
        except Exception:  # noqa: BLE001 - whatever a job did, the next one is tried
            if not live.dropped:
                _log.exception("job failed", job=kind, stream=live.name)

    async def _retain(self, live: Live) -> None:
        now = self._clock()
        before = now - (live.learner.config.retention or math.inf)
        passed = live.pool.older(before)
        live.pool.discard(passed)
        old = live.older(before, _ERASED)
        more = len(old) == _ERASED
        old += [child for child in live.learner.queries.children(passed) if not is_erased(live, child)]
        if not more:
            self._retained_at[live.name] = now
        if old:
            self._uncleared.add(live.name)
        if live.name in self._uncleared:
            await self._erasure.erase(live, old, more=more)
        if not more:
            self._uncleared.discard(live.name)

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
            if learner.unswapped > through:  # what was erased meanwhile may be in this model
                self.wake.set()
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


async def _catch_up(candidate: Taught, tail: deque[tuple[Labelled, Lesson]]) -> None:
    until = time.monotonic() + _TURN
    while tail:
        answer, lesson = tail.popleft()
        candidate.follow(answer, lesson)
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + _TURN
