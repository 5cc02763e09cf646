"""A person's data goes for good: out of preprocessing, the log, memory, snapshots and the log's bytes, in this order.

What becomes of an event stands in `service.core.erasure`; the rebuild of a model that was taught is the usual one.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from itertools import islice
from typing import Any

from service.checkpoints import Checkpoints
from service.core.errors import Conflict, Unavailable, UnknownStream
from service.core.events import Asked, Erased, Labelled
from service.core.features import Features
from service.core.vectoriser import Vectoriser
from service.journal import Journal
from service.ports import Clock, Log, Observer, Workshop
from service.streams import Live, Memory

PATIENCE = 60.0  # seconds that whoever erases waits
EVERYTHING = 2**62
_SHOWN = 2_000  # of the last samples, to preprocessing that begins anew


class Erasure:
    """Erases samples, and what deleted streams leave."""

    def __init__(
        self,
        journal: Journal,
        log: Log,
        workshop: Workshop,
        memory: Memory,
        checkpoints: Checkpoints,
        clock: Clock,
        observers: Sequence[Observer],
    ) -> None:
        """Take the parts."""
        self._journal = journal
        self._log = log
        self._workshop = workshop
        self._memory = memory
        self._checkpoints = checkpoints
        self._clock = clock
        self._observers = observers
        self._running: set[asyncio.Task[None]] = set()

    async def erase(self, live: Live, sample_ids: Sequence[str], *, more: bool = False) -> None:
        """Erase samples; returns when nothing of them is left. Those that were erased before are looked after again.

        Where `more` follow, snapshots and bytes are left to the last call, for the whole file is written anew for them.
        Goes on where its caller does not wait. Raises `Unavailable` or `StorageFull`; erasing again then does what is left to do.
        """
        await self._patiently(self._erase(live, sample_ids, more=more))

    async def dropped(self, stream: str) -> None:
        """Remove what a deleted stream leaves; raises as `erase` does, and the next start does what is left."""
        await self._patiently(self._clear(stream, EVERYTHING))

    async def settled(self) -> None:
        """Wait for the erasures that are under way."""
        if self._running:
            await asyncio.wait(self._running)

    async def _patiently(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # its caller may be gone
        try:
            await asyncio.wait_for(asyncio.shield(task), PATIENCE)
        except TimeoutError:
            message = "the erasure goes on; send it again to know when it is done"
            raise Unavailable(message) from None

    async def _erase(self, live: Live, sample_ids: Sequence[str], *, more: bool) -> None:
        async with AsyncExitStack() as turns:
            await turns.enter_async_context(live.choosing)  # until it ends, nobody knows what is made of these samples
            family = dict.fromkeys((*sample_ids, *live.learner.queries.children(sample_ids)))
            for sample_id in sorted(family):
                await turns.enter_async_context(live.turn(sample_id))
            held = [sample_id for sample_id in family if not is_erased(live, sample_id)]
            if held:
                await self._commit(live, held)
        if not more:
            await self._clear(live.name, self._log.erased(live.name))

    async def _commit(self, live: Live, sample_ids: list[str]) -> None:
        passed = [held.features for sample_id in sample_ids if (held := live.pool.get(sample_id)) is not None]
        samples = passed + await asyncio.to_thread(self._features_of, live.name, sample_ids)
        live.leaving.update(sample_ids)
        try:
            cleaned = None
            # Another model that took over meanwhile may have brought preprocessing that saw them.
            while live.learner.vectoriser is not cleaned:
                cleaned = await self._forget(live, samples)
                _check_there(live)
                await self._journal.append(live.name, Erased(self._clock(), sample_ids))
        finally:
            live.leaving.difference_update(sample_ids)
        for sample_id in sample_ids:
            self._memory.drop(live.name, sample_id)
        for observer in self._observers:
            observer.erased(live.name, len(sample_ids))

    async def _forget(self, live: Live, samples: list[Features]) -> Vectoriser:
        """Take samples out of preprocessing, and write it; the erasure that follows then removes every other checkpoint."""
        learner = live.learner
        async with live.erasing:
            while True:
                before = learner.vectoriser
                anew = before.forget(samples)
                if anew is not None:
                    await asyncio.to_thread(self._show, anew, live.name, _last_held(live))
                if learner.vectoriser is before:
                    break
            _check_there(live)  # its log is going: nothing of it may follow the drop
            cleaned = learner.vectoriser = anew or before
            learner.forget(sorted(live.leaving))
            written = self._checkpoints.replace(live)
        await written
        return cleaned

    def _features_of(self, stream: str, sample_ids: list[str]) -> list[Features]:
        remembered = (self._memory.get(stream, sample_id) for sample_id in sample_ids)
        events = (event for sample_id in sample_ids for event in self._log.about(stream, sample_id))
        held = [event.features for event in events if isinstance(event, Asked | Labelled)]
        return held + [answer.kept for answer in remembered if answer is not None and answer.kept]

    def _show(self, anew: Vectoriser, stream: str, positions: list[int]) -> None:
        for event in self._log.get(stream, positions):
            if isinstance(event, Asked | Labelled):
                anew.observe(event.features)

    async def _clear(self, stream: str, before: int) -> None:
        await self._workshop.forget(stream, before)
        await self._log.scrubbed()


def is_erased(live: Live, sample_id: str) -> bool:
    """Whether a sample was there and is gone for good."""
    sample = live.learner.queries.samples.get(sample_id)
    return sample is not None and sample.erased


def refuse_erased(live: Live, sample_id: str) -> None:
    """Raise `Conflict` for a sample that was erased: nothing of it may come in again."""
    if is_erased(live, sample_id):
        message = f"the sample {sample_id!r} was erased; nothing of it is taken in again"
        raise Conflict(message)


def _check_there(live: Live) -> None:
    if live.dropped:
        message = f"the stream {live.name!r} was deleted"
        raise UnknownStream(message)


def _last_held(live: Live) -> list[int]:
    """Where the features of the last samples stand that are held and stay, in log order."""
    held = (
        sample.asked_seq or sample.votes[0].seq
        for sample_id, sample in reversed(live.learner.queries.samples.items())
        if not sample.erased and sample_id not in live.leaving and (sample.asked_seq or sample.votes)
    )
    return sorted(islice(held, _SHOWN))
