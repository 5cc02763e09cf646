"""The one place that knows every concrete class. It builds and starts; it decides nothing."""

import gc
import os
import time
from collections.abc import Iterator

from service import workshop
from service.adapters import embedder
from service.adapters.keys import SqliteKeys
from service.adapters.prometheus import metrics
from service.adapters.snapshots import FileSnapshots
from service.adapters.sqlite import SqliteLog
from service.adapters.workshop import ProcessWorkshop
from service.api.app import create_app
from service.api.edge import Edge
from service.api.intake import Limits
from service.core.evaluation import Errors, Estimate
from service.core.learner import Learner
from service.core.pool import Size
from service.doorkeeper import Doorkeeper
from service.engine import Engine, Tuning
from service.guard import Guard
from service.settings import Settings

_YOUNG = 1_000  # objects made before the garbage collector looks at them, for which it takes a quarter of a millisecond


class Service:
    """A whole server without its socket: the app, and all that stands behind it."""

    def __init__(self, settings: Settings) -> None:
        """Open the data folder; raises `FolderInUse`, `IncompatibleData` or `Unavailable`."""
        self._folder = settings.data
        self._log = SqliteLog(settings.data)
        self._workshop = ProcessWorkshop(settings.data, workshop.snapshot, workshop.rebuild)
        observer, render_metrics = metrics(
            self._learners, self._claimed, lambda: self._engine.journal.waiting, self._estimates, self._pools
        )
        tuning = Tuning(settings.remembered, self._log.run, settings.snapshot_labels, settings.snapshot_seconds)
        self._engine = Engine(self._log, self._workshop, [observer], lambda: os.urandom(16), tuning=tuning)
        self.guard = Guard(settings.key_rate)
        self._doorkeeper = Doorkeeper(SqliteKeys(settings.data), self.guard, time.time)
        limits = Limits(settings.max_body, settings.max_batch, settings.max_objects, settings.max_requests)
        self.app: Edge = create_app(
            self._engine, self.guard, render_metrics, start=self.start, stop=self.stop, limits=limits, refused=observer.refused
        )

    async def start(self) -> None:
        """Load every stream from its snapshot and the log, then begin to take events.

        What is loaded stays, so the garbage collector, which would look at all of it again and again, has waited until now.
        """
        embedder.offer()
        snapshots = FileSnapshots(self._folder)
        names = self._log.streams()
        snapshots.tidy({name: self._log.erased(name) for name in names})
        learners = [(name, workshop.load(self._log, snapshots, name)) for name in names]
        embedder.prepare(name for name, learner in learners if learner.config.model.params.get("embed"))
        self._engine.start(learners)
        self._doorkeeper.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, 3, 3_000)
        gc.enable()

    async def stop(self) -> None:
        """Drain, and let the folder go."""
        try:
            await self._doorkeeper.stop()
        finally:
            await self._engine.stop()

    def _learners(self) -> list[tuple[str, Learner]]:
        return self._engine.learners()

    def _estimates(self) -> Iterator[tuple[str, Estimate | Errors]]:
        return self._engine.appraisal.estimates()

    def _claimed(self) -> list[tuple[str, int]]:
        return self._engine.claimed()

    def _pools(self) -> list[tuple[str, Size]]:
        return self._engine.pools()
