"""Questions that somebody calls for: a batch picked from the pool, or samples made near the decision boundary.

The same budget, the same events and the same durability hold as for what comes along; no coin is thrown, so nothing is estimated from
the answers. Which samples are worth asking about, and how one is made, stands in the core.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Generator, Iterable, Sequence
from functools import partial
from itertools import islice, starmap
from typing import NamedTuple, TypeVar

from service.asking import Answer, Asking
from service.core.batch import Rows, Table, pick
from service.core.errors import Conflict
from service.core.events import NOWHERE, Asked, Origin
from service.core.features import Features
from service.core.noticing import Noticing
from service.core.pool import Passed
from service.core.records import Decision, Prediction, Reason
from service.core.stated import EXTERNAL, Probabilities
from service.core.synthesis import Candidate, Synthetic, integral, margin_of, pairs, reads_text, walk
from service.core.tasks import REGRESSION
from service.erasure import is_erased
from service.journal import Journal
from service.ports import Clock, Log, Observer
from service.questions import Waiting
from service.streams import Live, Memory, Streams

_TURN = 0.001  # seconds of work before others get the loop
_RECENT = 500  # questions whose samples may be walked between
_SPARE = 3  # times the wanted number of samples that are walked from

T = TypeVar("T")
_Brought = tuple[Features, Probabilities | None]  # what a sample came with


class Selection(NamedTuple):
    """The questions that were asked, and how many more were not, by reason."""

    asked: list[Waiting]
    refused: dict[str, int]


class Made(NamedTuple):
    """A sample that never was; it has an id where it became a question."""

    sample_id: str | None
    synthetic: Synthetic


class Synthesis(NamedTuple):
    """The samples that were made, and how many more were not, by reason."""

    made: list[Made]
    refused: dict[str, int]


class _Wanted(NamedTuple):
    """A sample to be asked about."""

    sample_id: str
    features: Features
    origin: Origin
    probabilities: dict[str, float]  # that the model gives it, or its forecast
    stated: Probabilities | None = None
    parents: tuple[str, ...] = ()


class Choosing:
    """Picks and makes; one call a stream at a time."""

    def __init__(self, streams: Streams, journal: Journal, log: Log, memory: Memory, clock: Clock, observers: Sequence[Observer]) -> None:
        """Take the parts."""
        self._streams = streams
        self._asking = Asking(journal, clock)
        self._log = log
        self._memory = memory
        self._clock = clock
        self._observers = observers

    async def select(self, stream: str, wanted: int) -> Selection:
        """Ask about useful samples of the pool that differ from one another, as many as the budget allows."""
        live = self._streams[stream]
        async with live.choosing:
            passed = _teaching(live)
            room, obstacle = self._room(live)
            refused: dict[str, int] = {}
            count = _within(_within(wanted, room, obstacle, refused), len(passed), "pool", refused)
            if not count:
                return Selection([], refused)
            rows, said = await _looked_at(live, ((one.features, one.probabilities) for _, one in passed))
            utilities = [_utility(live, one) for one in said]
            places = await asyncio.to_thread(pick, rows, utilities, count, live.learner.budget.seen)
            chosen = [_from_pool(*passed[place], said[place]) for place in places]
            return Selection(await self._ask(live, "pool", chosen, refused), refused)

    async def synthesise(self, stream: str, wanted: int, *, ask: bool) -> Synthesis:
        """Make samples within 0.1 of the decision boundary between real ones, and `ask` about as many as the budget allows.

        Raises `Conflict` for a stream of texts or of numbers, where the model is the caller's own, and while it knows fewer than two
        classes.
        """
        live = self._streams[stream]
        _check_walkable(live)
        async with live.choosing:
            refused: dict[str, int] = {}
            count = _within(wanted, *self._room(live), refused) if ask else wanted
            found = await self._made(live, count) if count else []
            _within(count, len(found), "boundary", refused)
            if not ask:
                return Synthesis([Made(None, one) for one in found], refused)
            named = {f"synthetic-{uuid.uuid4().hex}": one for one in found}
            asked = await self._ask(live, "synthetic", list(starmap(_from_walk, named.items())), refused)
            return Synthesis([Made(item.event.sample_id, named[item.event.sample_id]) for item in asked], refused)

    # --- asking --------------------------------------------------------------------------------------------------------------

    def _room(self, live: Live) -> tuple[int, Reason]:
        """How many questions the account allows now, and what stands in the way of more; what exploration needs is left to it."""
        learner = live.learner
        explores = learner.config.exploration * learner.config.budget.rate > 0.0
        return learner.budget.allowance(self._clock(), learner.budget.reserve if explores else 0.0)

    async def _ask(self, live: Live, reason: Reason, wanted: Sequence[_Wanted], refused: dict[str, int]) -> list[Waiting]:
        """Ask about samples in their order, together, and wait until they are on disk; notes why others were not asked."""
        under_way: list[tuple[Asked, Awaitable[Answer]]] = []
        for one in wanted:
            obstacle = self._obstacle(live, reason, one)
            if obstacle is None:
                under_way.append(self._submitted(live, reason, one))
            else:
                refused[obstacle] = refused.get(obstacle, 0) + 1
        asked = []
        for event, answer in under_way:
            if (await answer).decision.query.ask:
                asked.append(Waiting(live.learner.queries.samples[event.sample_id], event, None))
            else:
                refused["unavailable"] = refused.get("unavailable", 0) + 1
        return asked

    def _obstacle(self, live: Live, reason: Reason, one: _Wanted) -> str | None:
        """What came in between while the samples were looked at: somebody asked, erased, labelled, or sent the sample again."""
        room, obstacle = self._room(live)
        gone = one.sample_id not in live.pool if reason == "pool" else any(is_erased(live, parent) for parent in one.parents)
        if gone or live.dropped or one.sample_id in live.in_work:
            return "pool"
        return None if room else obstacle

    def _submitted(self, live: Live, reason: Reason, one: _Wanted) -> tuple[Asked, Awaitable[Answer]]:
        learner = live.learner
        utility = _utility(live, one.probabilities)
        decision = learner.chosen(one.sample_id, one.probabilities, utility, reason)
        reserved = self._asking.reserve(live, decision, one.features, one.origin, one.stated, one.parents)
        live.hold(one.sample_id)
        answer = self._asking.ask(live, reserved, partial(self._told, live), partial(live.let_go, one.sample_id), linger=True)
        return reserved.event, answer

    def _told(self, live: Live, decision: Decision) -> Answer:
        if decision.query.ask:
            self._memory.drop(live.name, decision.id)  # from now on its answer is that of the question
            for observer in self._observers:
                observer.chosen(live.name, decision)
        return Answer(decision, replayed=False)

    # --- making --------------------------------------------------------------------------------------------------------------

    async def _made(self, live: Live, wanted: int) -> list[Synthetic]:
        real = await asyncio.to_thread(_unpacked, live.pool.items()) | await self._asked_before(live)
        rows, said = await _looked_at(live, ((features, None) for features in real.values()))
        candidates = [
            Candidate(sample_id, features, Prediction.of(probabilities))
            for (sample_id, features), probabilities in zip(real.items(), said, strict=True)
        ]
        if len({candidate.prediction.label for candidate in candidates}) < 2:  # noqa: PLR2004 - there is no boundary between
            return []
        utilities = [1.0 - margin_of(probabilities) for probabilities in said]
        ways = await asyncio.to_thread(_ways, candidates, rows, utilities, _SPARE * wanted, live.learner.budget.seen)
        whole = await asyncio.to_thread(integral, real.values())
        found: list[Synthetic] = []
        for one, other in ways:
            made = await _in_turns(walk(one, other, whole, partial(_predict, live)))
            if made is not None and all(made.features != before.features for before in found):
                found.append(made)
            if len(found) == wanted:
                break
        return found

    async def _asked_before(self, live: Live) -> dict[str, Features]:
        """The samples of the last questions that are real and were not erased."""
        samples = live.learner.queries.samples
        recent = [*islice(reversed(samples.values()), _RECENT)][::-1]
        last = [sample.asked_seq for sample in recent if sample.asked_seq and not (sample.erased or sample.parents)]
        events = await asyncio.to_thread(self._log.get, live.name, last)
        return {event.sample_id: event.features for event in events if isinstance(event, Asked) and not is_erased(live, event.sample_id)}


def _teaching(live: Live) -> list[tuple[str, Passed]]:
    """The samples of the pool whose labels the model could learn: where it is the caller's own, those that say what it said."""
    stated = live.learner.config.model.type == EXTERNAL
    return [(sample_id, one) for sample_id, one in live.pool.items() if one.probabilities is not None or not stated]


def _check_walkable(live: Live) -> None:
    learner = live.learner
    if learner.config.task == REGRESSION:
        raise Conflict("numbers have no decision boundary to make samples at; use pool/select")
    if learner.taught.relays:
        raise Conflict("samples cannot be made here: only your own model can say where its boundary is; use pool/select")
    if reads_text(learner.config.model) or (isinstance(learner.vectoriser, Noticing) and learner.vectoriser.texts):
        raise Conflict("samples of texts cannot be made: there is nothing between two sentences; use pool/select")
    if len(learner.taught.classes) < 2:  # noqa: PLR2004 - there is no boundary yet
        raise Conflict("the model knows fewer than two classes, so there is no boundary to walk to; answer some questions first")


def _within(wanted: int, bound: int, reason: str, refused: dict[str, int]) -> int:
    """As many as are wanted within a bound; the others are noted under the reason for it."""
    if wanted > bound:
        refused[reason] = wanted - bound
    return min(wanted, bound)


def _unpacked(passed: Sequence[tuple[str, Passed]]) -> dict[str, Features]:
    return {sample_id: one.features for sample_id, one in passed}


def _from_pool(sample_id: str, passed: Passed, probabilities: dict[str, float]) -> _Wanted:
    return _Wanted(sample_id, passed.features, passed.origin, probabilities, passed.probabilities)


def _from_walk(sample_id: str, made: Synthetic) -> _Wanted:
    return _Wanted(sample_id, made.features, NOWHERE, made.probabilities, parents=made.parents)


def _ways(
    candidates: Sequence[Candidate], rows: Rows, utilities: Sequence[float], anchors: int, seed: int
) -> list[tuple[Candidate, Candidate]]:
    return list(pairs(candidates, rows, pick(rows, utilities, min(anchors, len(candidates)), seed)))


def _utility(live: Live, said: dict[str, float]) -> float:
    """How unsure the model is of a sample; where it tells no classes, every sample is as useful, and differences alone choose."""
    return 1.0 if live.learner.config.task == REGRESSION or not said else 1.0 - margin_of(said)


def _predict(live: Live, features: Features) -> dict[str, float]:
    taught = live.learner.taught
    return taught.predict(taught.joined(live.learner.vectoriser.vector(features), None))


async def _looked_at(live: Live, samples: Iterable[_Brought]) -> tuple[Rows, list[dict[str, float]]]:
    """The vectors of samples as rows, and what the model says of each; all of one model, whatever takes over meanwhile."""
    held = await asyncio.to_thread(list, samples)  # unpacks up to 4 MiB
    while True:
        epoch = live.learner.taught.epoch
        table = Table()
        said = await _in_turns(_look(live, table, held))
        if live.learner.taught.epoch == epoch:
            return await asyncio.to_thread(table.rows), said


def _look(live: Live, table: Table, samples: Iterable[_Brought]) -> Generator[None, None, list[dict[str, float]]]:
    said = []
    for features, stated in samples:
        vector = live.learner.vectoriser.vector(features)
        table.add(vector)
        said.append(live.learner.taught.predict(live.learner.taught.joined(vector, stated)))
        yield
    return said


async def _in_turns(work: Generator[None, None, T]) -> T:
    """Do work in turns of a millisecond."""
    until = time.monotonic() + _TURN
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + _TURN
