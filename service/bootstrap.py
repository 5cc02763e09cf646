"""The one place that knows every concrete class. It builds and starts; it decides nothing."""

import gc
import os
import time
from collections.abc import Iterable

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from service import workshop
from service.adapters.prometheus import PrometheusObserver, StreamCollector, renderer
from service.adapters.snapshots import FileSnapshots
from service.adapters.sqlite import SqliteLog
from service.adapters.workshop import ProcessWorkshop
from service.administration import Administration, fold_into
from service.api.app import create_app
from service.api.routes import Routes
from service.core.learner import Learner
from service.flow import Flow
from service.journal import Journal
from service.settings import Settings
from service.streams import Live, Memory, Streams
from service.upkeep import Upkeep


class Service:
    """A whole server without its socket: the app, and all that stands behind it."""

    def __init__(self, settings: Settings) -> None:
        """Open the data folder; raises `FolderInUse` or `IncompatibleData`."""
        self._folder = settings.data
        self._log = SqliteLog(settings.data)
        self._streams = Streams()
        memory = Memory(settings.remembered)
        registry = CollectorRegistry()
        observers = [PrometheusObserver(registry)]
        registry.register(StreamCollector(self._learners))
        self._journal = Journal(self._log, fold_into(self._streams), observers)
        self._workshop = ProcessWorkshop(settings.data, workshop.snapshot, workshop.rebuild)
        self._upkeep = Upkeep(
            self._streams,
            self._journal,
            self._workshop,
            time.time,
            observers,
            run=self._log.run,
            snapshot_labels=settings.snapshot_labels,
            snapshot_seconds=settings.snapshot_seconds,
        )
        flow = Flow(self._streams, self._journal, self._log, memory, time.time, observers)
        administration = Administration(self._streams, self._journal, memory, time.time, lambda: os.urandom(16))
        routes = Routes(flow, self._streams, administration, renderer(registry), settings.max_body)
        self.app: FastAPI = create_app(routes, self.start, self.stop)

    async def start(self) -> None:
        """Load every stream from its snapshot and the log, then begin to take events."""
        snapshots = FileSnapshots(self._folder)
        for name in self._log.streams():
            self._streams.add(Live(name, workshop.load(self._log, snapshots, name)))
        gc.collect()
        gc.freeze()
        self._journal.start()
        self._upkeep.start()

    async def stop(self) -> None:
        """Write the last checkpoints, wait until everything is on disk, and let the folder go."""
        await self._upkeep.stop()
        await self._journal.settled()
        self._workshop.close()
        self._log.close()

    def _learners(self) -> Iterable[tuple[str, Learner]]:
        return [(name, live.learner) for name, live in self._streams.all.items()]
