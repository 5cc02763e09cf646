"""All that stands between the edge and the ports, put together once, over any log and workshop. It decides nothing."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from service.administration import Administration, fold_into
from service.appraisal import Appraisal
from service.checkpoints import Checkpoints
from service.choosing import Choosing
from service.core.learner import Learner
from service.core.pool import Size
from service.erasure import Erasure
from service.flow import Flow
from service.journal import Journal
from service.portions import Portions
from service.ports import Clock, Log, Observer, Workshop
from service.questions import Questions
from service.streams import Live, Memory, Streams
from service.upkeep import Upkeep


class Tuning(NamedTuple):
    """Figures of an engine: answers remembered, the number of this start, when a snapshot is due (events, seconds), and streams at most."""

    remembered: int = 100_000
    run: int = 1
    snapshot_labels: int = 1_000
    snapshot_seconds: float = 60.0
    streams: int = 1_000


class Engine:
    """The flow and the administration of streams, their journal, and what goes on by itself."""

    def __init__(
        self,
        log: Log,
        workshop: Workshop,
        observers: Sequence[Observer],
        new_secret: Callable[[], bytes],
        *,
        clock: Clock = time.time,
        tuning: Tuning | None = None,
    ) -> None:
        """Take the outside; `new_secret` gives 16 random bytes."""
        figures = tuning or Tuning()
        self._log = log
        self._clock = clock
        self._workshop = workshop
        memory = Memory(figures.remembered)
        self.streams = Streams()
        self.journal = Journal(log, fold_into(self.streams), observers)
        self.checkpoints = Checkpoints(self.journal, clock, figures.run)
        self.erasure = Erasure(self.journal, log, workshop, memory, self.checkpoints, clock, observers)
        self.flow = Flow(self.streams, self.journal, log, memory, self.erasure, clock, observers)
        self.appraisal = Appraisal(self.streams)
        self.questions = Questions(self.streams, self.journal, log, clock, observers)
        self.choosing = Choosing(self.streams, self.journal, log, memory, clock, observers)
        self.portions = Portions(self.streams, self.choosing)
        self.upkeep = Upkeep(
            self.streams,
            self.journal,
            workshop,
            self.checkpoints,
            self.erasure,
            self.appraisal,
            clock,
            observers,
            snapshot_labels=figures.snapshot_labels,
            snapshot_seconds=figures.snapshot_seconds,
        )
        forget = [
            memory.forget,
            self.checkpoints.forget,
            self.appraisal.forget,
            self.portions.forget,
            self.upkeep.forget,
            *(observer.forget for observer in observers),
        ]
        self.administration = Administration(self.streams, self.journal, self.erasure, clock, new_secret, forget, most=figures.streams)

    def start(self, learners: Iterable[tuple[str, Learner]]) -> None:
        """Serve these streams, and begin to take events."""
        for name, learner in learners:
            self.streams.add(Live(name, learner))
        self.journal.start()
        self.upkeep.start()

    async def stop(self) -> None:
        """Write the last checkpoints, wait until everything is on disk, and let the outside go."""
        await self.portions.stop()
        await self.upkeep.stop()
        await self.erasure.settled()
        await self.journal.settled()
        self._workshop.close()
        await self._log.stop()

    def learners(self) -> list[tuple[str, Learner]]:
        """Every stream's name and state."""
        return [(name, live.learner) for name, live in self.streams.all.items()]

    def pools(self) -> list[tuple[str, Size]]:
        """Every stream's name and how full its pool is."""
        return [(name, live.pool.size) for name, live in self.streams.all.items()]

    def claimed(self) -> list[tuple[str, int]]:
        """Every stream's name and how many of its questions somebody holds."""
        now = self._clock()
        return [(name, live.desk.claimed(now)) for name, live in self.streams.all.items()]
