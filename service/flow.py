"""The story, in reading order: a sample is observed, a question asked, an answer learned, taken back, looked up.

Steps and their order only. What is durable is in the journal, what is decided in the core, what is HTTP in `service.api`.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from service.admission import Incoming, check_class, check_stated, check_there, objection
from service.asking import Answer, Asking, Reserved
from service.core.errors import Conflict, UnknownSample
from service.core.events import NOWHERE, Event, Labelled, Origin, Retracted
from service.core.features import Features
from service.core.records import Decision, Outcome
from service.core.stated import EXTERNAL, Probabilities
from service.core.tasks import text_of
from service.erasure import Erasure, refuse_erased
from service.holdings import Held, Holdings, not_held, same
from service.journal import Committed, Journal, folded
from service.ports import Clock, Log, Observer
from service.streams import Live, Memory, Streams

Answered = Answer | Awaitable[Answer] | Exception


class Learned(NamedTuple):
    """What a label gets."""

    outcome: Outcome
    model_version: int
    rebuilding: bool


class Flow:
    """Everything that upstream services and labelling tools do to a stream."""

    def __init__(
        self,
        streams: Streams,
        journal: Journal,
        log: Log,
        memory: Memory,
        erasure: Erasure,
        clock: Clock,
        observers: Sequence[Observer],
    ) -> None:
        """Take the parts."""
        self._streams = streams
        self._journal = journal
        self._asking = Asking(journal, clock)
        self._holdings = Holdings(memory, log)
        self._memory = memory
        self._erasure = erasure
        self._clock = clock
        self._observers = observers

    def embeddings(self, stream: str) -> Mapping[str, int]:
        """The embeddings that a stream declares, with their lengths; none where there is no such stream."""
        live = self._streams.find(stream)
        return {} if live is None else live.learner.config.embeddings

    # --- samples -------------------------------------------------------------------------------------------------------------

    async def observe(
        self, stream: str, sample_id: str | None, features: Features, origin: Origin = NOWHERE, probabilities: Probabilities | None = None
    ) -> Answer:
        """Predict and decide; an answer that asks comes only after its question is durable."""
        answer = self.answer_to(stream, Incoming(sample_id, features, origin, probabilities))
        return answer if isinstance(answer, Answer) else await answer

    def answer_to(self, stream: str, sample: Incoming) -> Answer | Awaitable[Answer]:
        """The answer itself where nothing has to be waited for, which is nearly always; else what will give it.

        Raises `Invalid` where the stream cannot take what the sample states, or that it states nothing.
        """
        live = self._streams[stream]
        if sample.probabilities is not None or live.learner.config.model.type == EXTERNAL:
            check_stated(live, sample.probabilities)
        return self._answer(live, sample)

    def answers_to(self, stream: str, samples: Sequence[Incoming]) -> list[Answered]:
        """What samples get, as if `answer_to` had met them one by one; an error stands in its place.

        Those that were never here go on together, up to one that was: its answer depends on what came before it. Raises `UnknownStream`.
        """
        live = self._streams[stream]
        answers: list[Answered] = []
        fresh: dict[str, Incoming] = {}
        remembered, held, in_work = self._memory.of(stream), live.learner.queries.samples, live.in_work
        external = live.learner.config.model.type == EXTERNAL
        for sample in samples:
            sample_id = sample.id
            if (sample.probabilities is not None or external) and (wrong := objection(live, sample)) is not None:
                answers += self._decided(live, fresh)
                fresh = {}
                answers.append(wrong)
                continue
            if sample_id is None:
                fresh[uuid.uuid4().hex] = sample
                continue
            if sample_id in fresh or sample_id in remembered or sample_id in held or sample_id in in_work:
                answers += self._decided(live, fresh)
                fresh = {}
                answers.append(self._answer_or_error(live, sample))
            else:
                fresh[sample_id] = sample
        answers += self._decided(live, fresh)
        return answers

    def _answer_or_error(self, live: Live, sample: Incoming) -> Answered:
        try:
            return self._answer(live, sample)
        except Conflict as error:
            return error

    def _answer(self, live: Live, sample: Incoming) -> Answer | Awaitable[Answer]:
        sample_id = sample.id
        if sample_id is None:
            sample_id = uuid.uuid4().hex
        elif sample_id in live.in_work:
            return self._in_turn(live, sample_id, sample)
        else:
            remembered = self._memory.get(live.name, sample_id)
            if remembered is not None:
                return self._again(live.name, same(remembered, sample_id, sample.content))
            if sample_id in live.learner.queries.samples:
                return self._in_turn(live, sample_id, sample)
        decision, seconds = self._decide(live, sample_id, sample)
        if not decision.query.ask:
            return self._answered(live, decision, sample, seconds)
        reserved = self._reserve(live, decision, sample)
        live.hold(sample_id)
        return self._asked(live, reserved, sample, seconds, partial(live.let_go, sample_id))

    async def _in_turn(self, live: Live, sample_id: str, sample: Incoming) -> Answer:
        async with live.turn(sample_id):
            stored = await self._holdings.stored(live, sample_id, sample.features, sample.probabilities)
            if stored is not None:
                return self._again(live.name, stored)
            decision, seconds = self._decide(live, sample_id, sample)
            if not decision.query.ask:
                return self._answered(live, decision, sample, seconds)
            check_there(live)
            reserved = self._reserve(live, decision, sample)
            return await asyncio.shield(self._asked(live, reserved, sample, seconds, _nothing))

    def _reserve(self, live: Live, decision: Decision, sample: Incoming) -> Reserved:
        return self._asking.reserve(live, decision, sample.features, sample.origin, sample.probabilities)

    def _asked(
        self, live: Live, reserved: Reserved, sample: Incoming, seconds: float, let_go: Callable[[], None], *, linger: bool = False
    ) -> "asyncio.Future[Answer]":
        return self._asking.ask(live, reserved, partial(self._answered, live, sample=sample, seconds=seconds), let_go, linger=linger)

    def _decide(self, live: Live, sample_id: str, sample: Incoming) -> tuple[Decision, float]:
        started = time.perf_counter()
        available = not self._journal.stalled
        decision = live.learner.decide(sample_id, sample.features, self._clock(), available=available, probabilities=sample.probabilities)
        return decision, time.perf_counter() - started

    def _decided(self, live: Live, fresh: dict[str, Incoming]) -> Iterator[Answered]:
        if not fresh:
            return
        decided, seconds = self._decide_all(live, fresh)
        for (sample_id, sample), (decision, reserved) in zip(fresh.items(), decided, strict=True):
            if reserved is None:
                yield self._answered(live, decision, sample, seconds)
            else:
                live.hold(sample_id)
                yield self._asked(live, reserved, sample, seconds, partial(live.let_go, sample_id), linger=True)

    def _decide_all(self, live: Live, samples: dict[str, Incoming]) -> tuple[list[tuple[Decision, Reserved | None]], float]:
        """Decide about samples in their order, reserving what they ask; with the seconds that one took."""
        started = time.perf_counter()
        features = [sample.features for sample in samples.values()]
        stated = [sample.probabilities for sample in samples.values()]
        available = not self._journal.stalled
        decisions = live.learner.decisions(list(samples), features, self._clock(), available=available, stated=stated)
        decided = [
            (decision, self._reserve(live, decision, sample) if decision.query.ask else None)
            for decision, sample in zip(decisions, samples.values(), strict=True)
        ]
        return decided, (time.perf_counter() - started) / len(samples)

    def _answered(self, live: Live, decision: Decision, sample: Incoming, seconds: float) -> Answer:
        if sample.id is not None and not live.dropped:
            features = sample.features
            said = features if sample.probabilities is None else sample.content
            self._memory.put(live.name, decision, said, live.learner.vectoriser.kept(features))
        query = decision.query
        if not query.ask and query.reason != "unavailable":  # that question may be in the log all the same
            now = live.learner.budget.last_at
            live.pool.offer(decision.id, sample.features, query.utility, now, sample.origin, sample.probabilities)
        for observer in self._observers:
            observer.decided(live.name, decision, seconds)
        return Answer(decision, replayed=False)

    def _again(self, stream: str, decision: Decision) -> Answer:
        for observer in self._observers:
            observer.replayed(stream)
        return Answer(decision, replayed=True)

    def _append(self, live: Live, event: Event) -> "asyncio.Future[Committed]":
        check_there(live)
        return self._journal.append(live.name, event)

    # --- labels --------------------------------------------------------------------------------------------------------------

    def label_text(self, stream: str, value: Any) -> str:
        """The text that is a label's identity in a stream; raises `UnknownStream`, and `Invalid` for what its task does not take."""
        return text_of(self._streams[stream].learner.config.task, value)

    async def label(
        self,
        stream: str,
        sample_id: str,
        label: str,
        labeler: str = "",
        features: Features | None = None,
        labeled_at: str | None = None,
        probabilities: Probabilities | None = None,
    ) -> Learned:
        """Take an answer in; returns after it is durable and learned. Delivered again it is a `duplicate`."""
        live = self._streams[stream]
        async with live.turn(sample_id):
            refuse_erased(live, sample_id)
            known = live.learner.queries.foresee(sample_id, label, labeler)
            if known is not None:
                return self._told(live, sample_id, Learned(known, live.learner.version, rebuilding=bool(live.learner.rebuild_from)))
            check_class(live, label)
            raw, stated, brought = await self._holdings.content_of(live, sample_id, features, probabilities)
            if brought:
                check_stated(live, stated)
            event = live.learner.answer(
                sample_id, label, labeler, raw, self._clock(), brought=brought, labeled_at=labeled_at, probabilities=stated
            )
            return await self._learn(live, sample_id, event)

    async def retract(self, stream: str, sample_id: str, labeler: str = "") -> Learned:
        """Take an answer back; the model is rebuilt without it. Raises `UnknownSample` where there is none."""
        live = self._streams[stream]
        async with live.turn(sample_id):
            refuse_erased(live, sample_id)
            sample = live.learner.queries.samples.get(sample_id)
            if sample is None or sample.vote_of(labeler) is None:
                message = f"there is no label of {labeler!r} for the sample {sample_id!r}"
                raise UnknownSample(message)
            return await self._learn(live, sample_id, Retracted(self._clock(), sample_id, labeler))

    async def _learn(self, live: Live, sample_id: str, event: Labelled | Retracted) -> Learned:
        applied = await folded(self._append(live, event), "the log does not answer; send the label again, it is learned once")
        return self._told(live, sample_id, Learned(applied.outcome or "unknown", applied.model_version, applied.rebuild))

    def _told(self, live: Live, sample_id: str, learned: Learned) -> Learned:
        sample = live.learner.queries.samples.get(sample_id)
        delay = self._clock() - sample.asked_at if sample is not None and sample.asked_seq else None
        for observer in self._observers:
            observer.labelled(live.name, learned.outcome, delay)
        return learned

    # --- erasing -------------------------------------------------------------------------------------------------------------

    async def erase(self, stream: str, sample_id: str) -> Learned:
        """Erase a sample for good; what it taught is undone. Raises `UnknownSample` for one that is neither held nor remembered."""
        live = self._streams[stream]
        async with live.turn(sample_id):  # whoever is at work on it decides whether it is known
            known = sample_id in live.learner.queries.samples or self._memory.get(stream, sample_id) is not None or sample_id in live.pool
            known = known or bool(live.learner.queries.children([sample_id]))
        if not known:
            raise not_held(sample_id)
        await self._erasure.erase(live, [sample_id])
        return Learned("erased", live.learner.version, rebuilding=bool(live.learner.rebuild_from))

    # --- looking -------------------------------------------------------------------------------------------------------------

    async def held(self, stream: str, sample_id: str) -> Held:
        """What is known of a sample; raises `UnknownSample` for one that was not asked and is forgotten."""
        return await self._holdings.about(self._streams[stream], sample_id)


def _nothing() -> None:
    pass
