"""What every test may use."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from service.core import embedder
from service.core.learner import Learner
from service.core.rebuild import fold
from service.engine import Engine, Tuning
from service.ports import Log
from service.testing import InlineWorkshop, InMemoryLog, ManualClock, RecordingObserver

SECRET = b"sixteen bytes ok"


@pytest.fixture
def anyio_backend() -> str:
    """Tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(autouse=True)
def no_embedder() -> None:
    """What embeds texts is a process's own: whatever ran before in it, a test begins without."""
    embedder.offer(None)


class House:
    """An engine over fakes, with everything that a test may want to look at."""

    def __init__(self, log: Log, learners: list[tuple[str, Learner]] | None = None, **tuning: object) -> None:
        """Build it; `start` begins."""
        self.log = log
        self.clock = ManualClock()
        self.observer = RecordingObserver()
        self.workshop = InlineWorkshop(log)
        self.engine = Engine(log, self.workshop, [self.observer], lambda: SECRET, clock=self.clock, tuning=Tuning(**tuning))
        self.engine.start(learners or [])
        self.flow = self.engine.flow
        self.administration = self.engine.administration
        self.stopped = False

    def learner(self, stream: str = "s") -> Learner:
        """A stream's state."""
        return self.engine.streams[stream].learner

    def replayed(self, stream: str = "s") -> Learner:
        """The state that the log alone gives."""
        return fold(lambda after, upto: self.log.read(stream, after, upto))

    async def stop(self) -> None:
        """End as a server does, once."""
        if isinstance(self.log, InMemoryLog):
            self.log.full = False
            self.log.let_go()
        if not self.stopped:
            self.stopped = True
            await self.engine.stop()

    async def settled(self) -> None:
        """Wait until every event is folded and no rebuild is due."""
        await self.engine.journal.settled()
        await self.until(lambda: not any(live.learner.rebuild_from or live.learner.candidate for live in self.engine.streams.all.values()))
        await self.engine.journal.settled()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Have upkeep look until the condition holds."""
        while not condition():
            self.engine.upkeep.wake.set()
            await asyncio.sleep(0.005)


@pytest.fixture
async def build() -> AsyncIterator[Callable[..., House]]:
    """A function that builds houses, which are stopped in the end."""
    houses: list[House] = []

    def one(log: Log | None = None, learners: list[tuple[str, Learner]] | None = None, **tuning: object) -> House:
        houses.append(House(log or InMemoryLog(), learners, **tuning))
        return houses[-1]

    yield one
    for house in houses:
        await house.stop()


@pytest.fixture
async def house(build: Callable[..., House]) -> House:
    """An engine over fakes with a stream named `s` that asks about everything."""
    made = build()
    await made.administration.put("s", {"budget": {"rate": 1.0, "burst": 100}})
    return made
