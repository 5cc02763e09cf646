"""What waits for a person: listed, handed out, skipped, handed back. What an answer does stands in `service.flow`."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from service.core.events import Asked, Skipped
from service.core.open_queries import Sample
from service.desk import Lease
from service.journal import Journal, folded
from service.ports import Clock, Log, Observer
from service.streams import Live, Streams


class Waiting(NamedTuple):
    """An open question, and who holds it."""

    sample: Sample
    event: Asked
    lease: Lease | None


class Questions:
    """Everything that labelling people and their tools do with open questions before they answer."""

    def __init__(self, streams: Streams, journal: Journal, log: Log, clock: Clock, observers: Sequence[Observer]) -> None:
        """Take the parts."""
        self._streams = streams
        self._journal = journal
        self._log = log
        self._clock = clock
        self._observers = observers

    async def waiting(self, stream: str, order: str, limit: int, after: tuple[float, int] | None) -> list[Waiting]:
        """Open questions in order of `utility` or `oldest` first, at most `limit`, behind the place `after`."""
        live = self._streams[stream]
        return await self._read(live, live.desk.page(order, limit, after))

    async def claim(self, stream: str, labeler: str, limit: int, seconds: float) -> list[Waiting]:
        """Hand out at most `limit` questions for so many seconds: what the labeler holds, then the most useful that nobody holds.

        Asked again it hands out the same ones and renews their leases. Never one that the labeler has answered or skipped.
        """
        live = self._streams[stream]
        found = await self._read(live, live.desk.claim(labeler, limit, self._clock(), seconds))
        return [item for item in found if item.lease is not None and item.lease.labeler == labeler]

    async def skip(self, stream: str, sample_id: str, labeler: str, reason: str | None) -> int:
        """Never hand this question to the labeler again; it stays open for others. Returns the model's version after it is durable.

        Raises `UnknownSample`, and `Conflict` where the question is not open or somebody else holds it. Skipped again, nothing happens.
        """
        async with self._streams[stream].turn(sample_id):
            live = self._streams[stream]
            learner = live.learner
            sample = learner.queries.samples.get(sample_id)
            if sample is None or labeler not in sample.skipped:
                now = self._clock()
                live.desk.check(sample_id, labeler, now)
                await folded(self._journal.append(stream, Skipped(now, sample_id, labeler, reason)), _SILENT)
        for observer in self._observers:
            observer.labelled(stream, "skipped", None)
        return learner.version

    def release(self, stream: str, sample_id: str, labeler: str) -> int:
        """Let others have a question; gives the model's version. Raises as `skip` does; to release what nobody holds is no error."""
        live = self._streams[stream]
        live.desk.check(sample_id, labeler, self._clock())
        live.desk.release(sample_id, labeler)
        return live.learner.version

    async def _read(self, live: Live, chosen: Sequence[str]) -> list[Waiting]:
        samples = [live.learner.queries.samples[sample_id] for sample_id in chosen]
        events = await asyncio.to_thread(self._log.get, live.name, [sample.asked_seq for sample in samples])
        now = self._clock()
        return [
            Waiting(sample, event, live.desk.lease(sample_id, now))
            for sample_id, sample, event in zip(chosen, samples, events, strict=True)
            if isinstance(event, Asked)
        ]


_SILENT = "the log does not answer; skip the question again, it counts once"
