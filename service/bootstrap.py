"""The one place that knows every concrete class. It builds and starts; it decides nothing."""

import gc
import os

from fastapi import FastAPI

from service import workshop
from service.adapters.prometheus import metrics
from service.adapters.snapshots import FileSnapshots
from service.adapters.sqlite import SqliteLog
from service.adapters.workshop import ProcessWorkshop
from service.api.app import create_app
from service.api.routes import Routes
from service.core.learner import Learner
from service.engine import Engine, Tuning
from service.settings import Settings


class Service:
    """A whole server without its socket: the app, and all that stands behind it."""

    def __init__(self, settings: Settings) -> None:
        """Open the data folder; raises `FolderInUse` or `IncompatibleData`."""
        self._folder = settings.data
        self._log = SqliteLog(settings.data)
        self._workshop = ProcessWorkshop(settings.data, workshop.snapshot, workshop.rebuild)
        observer, render_metrics = metrics(self._learners)
        tuning = Tuning(settings.remembered, self._log.run, settings.snapshot_labels, settings.snapshot_seconds)
        self._engine = Engine(self._log, self._workshop, [observer], lambda: os.urandom(16), tuning=tuning)
        routes = Routes(self._engine.flow, self._engine.streams, self._engine.administration, render_metrics, settings.max_body)
        self.app: FastAPI = create_app(routes, self.start, self.stop)

    async def start(self) -> None:
        """Load every stream from its snapshot and the log, then begin to take events."""
        snapshots = FileSnapshots(self._folder)
        names = self._log.streams()
        snapshots.tidy({name: self._log.erased(name) for name in names})
        self._engine.start([(name, workshop.load(self._log, snapshots, name)) for name in names])
        gc.collect()
        gc.freeze()

    async def stop(self) -> None:
        """Drain, and let the folder go."""
        await self._engine.stop()

    def _learners(self) -> list[tuple[str, Learner]]:
        return self._engine.learners()
