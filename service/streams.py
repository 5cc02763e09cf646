"""The streams that this server holds in memory: each with its learner, whoever works on a sample right now, and recent answers.

It answers "which" and "whose turn"; what is done with a stream stands in `service.flow`.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from service.core.errors import UnknownStream
from service.core.events import Asked, Event, Labelled, Retracted
from service.core.features import Features
from service.core.learner import Applied, Learner
from service.core.records import Decision


class Live:
    """One stream in memory.

    `tail` collects what is taught while a rebuild runs beside the serving model; `changes` counts folded events since the last
    snapshot.
    """

    def __init__(self, name: str, learner: Learner) -> None:
        """Hold a learner."""
        self.name = name
        self.learner = learner
        self.tail: deque[tuple[Labelled, str]] | None = None
        self.changes = 0
        self.dropped = False
        queries = learner.queries
        self._expiries = [(queries.samples[sample_id].expires_at, sample_id) for sample_id in queries.open]
        heapify(self._expiries)
        self._turns: dict[str, asyncio.Lock] = {}

    def apply(self, seq: int, event: Event) -> Applied:
        """Fold one committed event."""
        applied = self.learner.apply(seq, event)
        self.changes += 1
        if self.tail is not None and applied.taught is not None and isinstance(event, Labelled):
            self.tail.append((event, applied.taught))
        if isinstance(event, Asked | Retracted):
            self.watch(event.sample_id)
        return applied

    def watch(self, sample_id: str) -> None:
        """Have a question looked at when it expires."""
        if sample_id in self.learner.queries.open:
            heappush(self._expiries, (self.learner.queries.samples[sample_id].expires_at, sample_id))

    def expired(self, now: float) -> Iterator[str]:
        """The questions that nobody answered in time, each once."""
        while self._expiries and self._expiries[0][0] <= now:
            _, sample_id = heappop(self._expiries)
            if sample_id in self.learner.queries.open:
                yield sample_id

    @asynccontextmanager
    async def turn(self, sample_id: str) -> AsyncIterator[None]:
        """Be the only one who works on this sample: a second request with its id waits for the first one's commit."""
        lock = self._turns.setdefault(sample_id, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and self._turns.get(sample_id) is lock:
                del self._turns[sample_id]


class Remembered(NamedTuple):
    """A sample's answer, and the hash of its features, by which the same id with other content is told."""

    features: int
    decision: Decision


class Memory:
    """The last answers of a server, by stream and sample id; the oldest go first."""

    def __init__(self, capacity: int) -> None:
        """Remember so many."""
        self._capacity = capacity
        self._answers: OrderedDict[tuple[str, str], Remembered] = OrderedDict()

    def put(self, stream: str, sample_id: str, remembered: Remembered) -> None:
        """Remember an answer."""
        self._answers[stream, sample_id] = remembered
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)

    def get(self, stream: str, sample_id: str) -> Remembered | None:
        """The answer that was given, if it is remembered."""
        return self._answers.get((stream, sample_id))

    def forget(self, stream: str) -> None:
        """Forget a stream's answers."""
        for key in [key for key in self._answers if key[0] == stream]:
            del self._answers[key]


def fingerprint(features: Features) -> int:
    """A hash of features, whatever their order; equal content has an equal hash.

    >>> fingerprint({"a": 1, "b": None}) == fingerprint({"b": None, "a": 1.0})
    True
    """
    return hash(frozenset(features.items()))


class Streams:
    """The streams by name."""

    def __init__(self) -> None:
        """Hold none."""
        self._live: dict[str, Live] = {}

    def __getitem__(self, name: str) -> Live:
        """The stream of that name; raises `UnknownStream`."""
        live = self._live.get(name)
        if live is None:
            message = f"there is no stream {name!r}; create it with PUT /v1/streams/{name}"
            raise UnknownStream(message)
        return live

    def find(self, name: str) -> Live | None:
        """The stream of that name, or None."""
        return self._live.get(name)

    def add(self, live: Live) -> None:
        """Hold a stream."""
        self._live[live.name] = live

    def drop(self, name: str) -> None:
        """Let a stream go."""
        self._live.pop(name, None)

    @property
    def all(self) -> Mapping[str, Live]:
        """All of them, in order of creation."""
        return self._live
