"""The streams that this server holds in memory: each with its learner, whoever works on a sample right now, and recent answers.

It answers "which" and "whose turn"; what is done with a stream stands in `service.flow`.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from heapq import heapify, heappop, heappush
from itertools import islice, takewhile
from typing import Any

import msgspec

from service.core.errors import UnknownStream
from service.core.events import Asked, Checkpoint, Configured, Erased, Event, Labelled, Retracted
from service.core.features import Features
from service.core.learner import Learner
from service.core.pool import Pool
from service.core.records import Applied, Decision, Lesson
from service.desk import Desk

_TURN = 1_000  # answers that are let go of at once, which takes a fifth of a millisecond


class Live:
    """One stream in memory.

    `tail` collects what is taught while a rebuild runs beside the serving model; `changes` counts folded events since the last
    snapshot. `erasing` is held while preprocessing forgets the samples that are `leaving`, `choosing` while questions are chosen from
    what the `pool` has of unasked samples. `moved` is set at every folded event, for the one who waits for one.
    """

    def __init__(self, name: str, learner: Learner) -> None:
        """Hold a learner."""
        self.name = name
        self.learner = learner
        self.tail: deque[tuple[Labelled, Lesson]] | None = None
        self.changes = 0
        self.dropped = False
        self.erasing = asyncio.Lock()
        self.choosing = asyncio.Lock()
        self.moved = asyncio.Event()
        self.pool = Pool(learner.config.pool, int.from_bytes(learner.secret))
        self.leaving: set[str] = set()
        self._by_age: deque[str] | None = None
        queries = learner.queries
        self.desk = Desk(queries)
        self._expiries = [(queries.samples[sample_id].expires_at, sample_id) for sample_id in queries.open]
        heapify(self._expiries)
        self._turns: dict[str, asyncio.Future[None]] = {}

    def apply(self, seq: int, event: Event) -> Applied:
        """Fold one committed event."""
        samples = self.learner.queries.samples
        known = len(samples)
        applied = self.learner.apply(seq, event)
        self.changes += not isinstance(event, Checkpoint)
        if self.tail is not None and applied.taught is not None and isinstance(event, Labelled):
            self.tail.append((event, applied.taught))
        self.desk.follow(event)
        if isinstance(event, Asked | Labelled):
            self.pool.discard((event.sample_id,))
        elif isinstance(event, Erased):
            self.pool.discard(event.sample_ids)
        elif isinstance(event, Configured) and event.config.pool != self.pool.spec:
            self.pool.configure(event.config.pool)
        if isinstance(event, Asked | Retracted):
            self.watch(event.sample_id)
        if self._by_age is not None and len(samples) > known:
            self._by_age.append(next(reversed(samples)))
        self.moved.set()
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

    def older(self, than: float, most: int) -> list[str]:
        """The first samples, at most so many, that were asked before a time, or never asked and first labelled before it."""
        samples = self.learner.queries.samples
        if self._by_age is None:
            self._by_age = deque(samples)
        waiting = self._by_age
        while waiting and samples[waiting[0]].erased:
            waiting.popleft()
        aged = takewhile(lambda sample_id: samples[sample_id].asked_at < than, waiting)
        return [sample_id for sample_id in islice(aged, most) if not samples[sample_id].erased]

    @property
    def in_work(self) -> Container[str]:
        """The samples that somebody works on."""
        return self._turns

    def hold(self, sample_id: str) -> None:
        """Take the turn on a sample that nobody works on, without waiting; `let_go` ends it."""
        self._turns[sample_id] = asyncio.get_running_loop().create_future()

    def let_go(self, sample_id: str) -> None:
        """End the turn that was held."""
        self._turns.pop(sample_id).set_result(None)

    @asynccontextmanager
    async def turn(self, sample_id: str) -> AsyncIterator[None]:
        """Be the only one who works on this sample: a second request with its id waits for the first one's commit."""
        while (other := self._turns.get(sample_id)) is not None:
            await asyncio.shield(other)
        self.hold(sample_id)
        try:
            yield
        finally:
            self.let_go(sample_id)


class Remembered(msgspec.Struct, frozen=True, gc=False):
    """A sample's answer, the imprint of its features, by which the same id with other content is told, and what preprocessing kept raw.

    The answer is packed: one object instead of a dozen takes less memory and is let go faster.
    """

    features: bytes
    packed: bytes
    kept: Features | None

    @property
    def decision(self) -> Decision:
        """The answer that was given."""
        return _unpack(self.packed)


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Decision).decode
_unpack_features = msgspec.msgpack.Decoder(dict[str, Any]).decode
_SMALL = 1_024  # bytes
_NUMBERS = (float, int, bool)
_DIGEST = b"\xc1"  # no MessagePack begins with it


class Memory:
    """The last answers of a server, by stream and sample id; the oldest go first. Of what was forgotten nothing but the id stays."""

    def __init__(self, capacity: int) -> None:
        """Remember so many."""
        self._capacity = capacity
        self._streams: defaultdict[str, _Answers] = defaultdict(_Answers)
        self._order: deque[tuple[_Answers, str]] = deque()

    def put(self, stream: str, decision: Decision, features: Features, kept: Features) -> None:
        """Remember the answer to a sample of these features, of which preprocessing `kept` a part."""
        sample_id, answers, order = decision.id, self._streams[stream], self._order
        if sample_id in answers.held:
            answers.gone[sample_id] += 1
        answers.held[sample_id] = Remembered(imprint(features), _pack(decision), kept or None)
        order.append((answers, sample_id))
        if len(order) > self._capacity:
            answers, sample_id = order.popleft()
            answers.age(sample_id)

    def get(self, stream: str, sample_id: str) -> Remembered | None:
        """The answer that was given, if it is remembered."""
        answers = self._streams.get(stream)
        return None if answers is None else answers.held.get(sample_id)

    def of(self, stream: str) -> Mapping[str, Remembered]:
        """The answers of a stream that are remembered, by sample id."""
        return self._streams[stream].held

    def drop(self, stream: str, sample_id: str) -> None:
        """Forget an answer."""
        answers = self._streams.get(stream)
        if answers is not None and answers.held.pop(sample_id, None) is not None:
            answers.gone[sample_id] += 1

    def forget(self, stream: str) -> None:
        """Forget a stream's answers; many go in turns."""
        answers = self._streams.pop(stream, None)
        if answers is not None:
            answers.let_go()


class _Answers:
    """A stream's answers, and how many of an id went before their turn: so many of its places in the order mean nothing any more."""

    __slots__ = ("gone", "held")

    def __init__(self) -> None:
        self.held: dict[str, Remembered] = {}
        self.gone: Counter[str] = Counter()

    def age(self, sample_id: str) -> None:
        """The oldest place of this id in the order has come."""
        if self.gone and sample_id in self.gone:
            self.gone[sample_id] -= 1
            if not self.gone[sample_id]:
                del self.gone[sample_id]
        else:
            self.held.pop(sample_id, None)

    def let_go(self) -> None:
        """Forget all of them, a thousand now and the rest when others had the loop."""
        for _ in range(min(len(self.held), _TURN)):
            self.held.popitem()
        if self.held:
            asyncio.get_running_loop().call_soon(self.let_go)


def imprint(features: Features) -> bytes:
    """What is remembered of features, by which others are told from them: small ones as they are, of large ones a digest."""
    packed = _pack(features)
    return packed if len(packed) <= _SMALL else _digest(features)


def fits(remembered: bytes, features: Features) -> bool:
    """Whether features are those of an imprint, whatever their order, as Python compares values.

    >>> fits(imprint({"a": 1, "b": None}), {"b": None, "a": 1.0}), fits(imprint({"a": -1}), {"a": -2})
    (True, False)
    """
    if remembered.startswith(_DIGEST):
        return remembered == _digest(features)
    return remembered == _pack(features) or bool(_unpack_features(remembered) == features)


def _digest(features: Features) -> bytes:
    content = [(name, float(value) if value.__class__ in _NUMBERS else value) for name, value in sorted(features.items())]
    return _DIGEST + sha256(_pack(content)).digest()[:16]  # processors have instructions for it


class Streams:
    """The streams by name."""

    def __init__(self) -> None:
        """Hold none."""
        self._live: dict[str, Live] = {}

    def __getitem__(self, name: str) -> Live:
        """The stream of that name; raises `UnknownStream`."""
        live = self._live.get(name)
        if live is None or live.dropped:
            message = f"there is no stream {name!r}; create it with PUT /v1/streams/{name}"
            raise UnknownStream(message)
        return live

    def find(self, name: str) -> Live | None:
        """The stream of that name, or None; one that is being deleted is not found."""
        live = self._live.get(name)
        return None if live is None or live.dropped else live

    def folding(self, name: str) -> Live | None:
        """The stream of that name for its events, also while it is being deleted."""
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
        return {name: live for name, live in self._live.items() if not live.dropped}
