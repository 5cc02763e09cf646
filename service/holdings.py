"""What is held of samples: the answers that are remembered, and the questions and labels that the log has. Nothing changes here."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from service.asking import unavailable
from service.core.errors import Conflict, UnknownSample
from service.core.events import NOWHERE, Asked, Event, Labelled, Origin
from service.core.features import Features
from service.core.open_queries import Sample
from service.core.records import Decision
from service.core.stated import Probabilities, beside
from service.erasure import refuse_erased
from service.ports import Log
from service.streams import Live, Memory, Remembered, fits


class Held(NamedTuple):
    """All that is known of a sample: its answer, what became of its question and labels where it has any, and where it came from."""

    decision: Decision | None
    sample: Sample | None
    origin: Origin
    probabilities: Probabilities | None


class Holdings:
    """Looks samples up, in memory and in the log."""

    def __init__(self, memory: Memory, log: Log) -> None:
        """Take both."""
        self._memory = memory
        self._log = log

    async def stored(self, live: Live, sample_id: str, features: Features, probabilities: Probabilities | None) -> Decision | None:
        """The answer that a sample got before; raises `Conflict` where it was erased or came with other features or probabilities."""
        refuse_erased(live, sample_id)
        remembered = self._memory.get(live.name, sample_id)
        if remembered is not None:
            return same(remembered, sample_id, content(features, probabilities))
        sample = live.learner.queries.samples.get(sample_id)
        if sample is None:
            return None
        event = await self._event_of(live, sample)
        if event is not None and (event.features != features or event.probabilities != probabilities):
            raise Conflict(_OTHER_CONTENT.format(sample_id))
        if isinstance(event, Asked):
            return unavailable(event.decision) if sample.withdrawn else event.decision
        return live.learner.known(sample_id, features, probabilities)

    async def content_of(
        self, live: Live, sample_id: str, given: Features | None, stated: Probabilities | None
    ) -> tuple[Features, Probabilities | None, bool]:
        """A sample's features, what it states, and whether they were brought along; raises `UnknownSample` and `Conflict`."""
        sample = live.learner.queries.samples.get(sample_id)
        event = None if sample is None else await self._event_of(live, sample)
        if event is None:
            if given is None:
                message = f"the sample {sample_id!r} is not held here; send its `features` along with the label"
                raise UnknownSample(message)
            return given, stated, True
        if (given is not None and given != event.features) or (stated is not None and stated != event.probabilities):
            raise Conflict(_OTHER_CONTENT.format(sample_id))
        return event.features, event.probabilities, False

    async def _event_of(self, live: Live, sample: Sample) -> Asked | Labelled | None:
        position = sample.asked_seq or (sample.votes[0].seq if sample.votes else 0)
        if not position:
            return None
        (event,) = await self._events(live.name, [position])
        return event if isinstance(event, Asked | Labelled) else None

    async def _events(self, stream: str, positions: Sequence[int]) -> list[Event | None]:
        """The events at these positions, read beside the loop."""
        return await asyncio.to_thread(self._log.get, stream, positions)

    async def about(self, live: Live, sample_id: str) -> Held:
        """What is known of a sample; raises `UnknownSample` for one that was not asked and is forgotten."""
        sample = live.learner.queries.samples.get(sample_id)
        remembered = self._memory.get(live.name, sample_id)
        decision, origin, stated = None if remembered is None else remembered.decision, NOWHERE, None
        if sample is not None and sample.asked_seq:
            (event,) = await self._events(live.name, [sample.asked_seq])
            if isinstance(event, Asked):
                decision, origin, stated = decision or event.decision, event.origin, event.probabilities
        if decision is None and sample is None:
            raise not_held(sample_id)
        return Held(decision, sample, origin, stated)


def content(features: Features, probabilities: Probabilities | None) -> Features:
    """All that tells a sample from another: its features, with what it states beside them."""
    return features if probabilities is None else beside(features, probabilities)


def same(remembered: Remembered, sample_id: str, said: Features) -> Decision:
    """The remembered answer; raises `Conflict` for other `content`."""
    if not fits(remembered.features, said):
        raise Conflict(_OTHER_CONTENT.format(sample_id))
    return remembered.decision


def not_held(sample_id: str) -> UnknownSample:
    """What is said of a sample that nothing is known of."""
    return UnknownSample(f"the sample {sample_id!r} is not held here: it was never sent, or it was not asked and is forgotten")


_OTHER_CONTENT = "the sample {!r} is held here with other features or probabilities"
