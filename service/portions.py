"""A batch in portions: the next one is picked when the one before has its answers, and so knows what they taught.

What is still to come is in memory alone: a restart forgets it.
"""

import asyncio
from collections.abc import Sequence

import structlog

from service.choosing import Choosing, Selection
from service.questions import Waiting
from service.streams import Live, Streams

_log = structlog.get_logger("askwhen.portions")


class _Rest:
    """What is still to be asked of a batch."""

    def __init__(self, left: int, at_once: int) -> None:
        self.left = left
        self.at_once = at_once
        self.task: asyncio.Task[None] | None = None


class Portions:
    """Batches under way, one a stream at most."""

    def __init__(self, streams: Streams, choosing: Choosing) -> None:
        """Take the parts."""
        self._streams = streams
        self._choosing = choosing
        self._rests: dict[str, _Rest] = {}

    def pending(self, stream: str) -> int:
        """Samples of a batch that are still to be asked about."""
        rest = self._rests.get(stream)
        return 0 if rest is None else rest.left

    async def select(self, stream: str, wanted: int, at_once: int | None = None) -> Selection:
        """Ask about a batch, `at_once` questions at a time: the next are picked as soon as none of these is open.

        A portion that is not asked in full, since the budget ends or the pool is empty, is the last one. So is the one that is under
        way when somebody asks for another batch.
        """
        live = self._streams[stream]
        self.forget(stream)
        first = wanted if at_once is None else min(wanted, at_once)
        found = await self._choosing.select(stream, first)
        left = wanted - first
        if left and found.refused:
            reason = next(iter(found.refused))
            found.refused[reason] += left
        elif left and not live.dropped:
            self.forget(stream)  # of two that came at once the later one goes on
            self._rests[stream] = rest = _Rest(left, first)
            rest.task = asyncio.create_task(self._go_on(live, rest, found.asked))
        return found

    def forget(self, stream: str) -> None:
        """Ask no more of a batch that is under way."""
        rest = self._rests.pop(stream, None)
        if rest is not None and rest.task is not None:
            rest.task.cancel()

    async def stop(self) -> None:
        """End all that is under way."""
        tasks = [rest.task for rest in self._rests.values() if rest.task is not None]
        for stream in list(self._rests):
            self.forget(stream)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_on(self, live: Live, rest: _Rest, asked: Sequence[Waiting]) -> None:
        try:
            while rest.left:
                await _settled(live, asked)
                found = await self._choosing.select(live.name, min(rest.left, rest.at_once))
                asked = found.asked
                rest.left -= len(asked)
                if found.refused:
                    break
        except Exception:  # noqa: BLE001 - nobody waits for it who could be told
            _log.exception("a batch ends early", stream=live.name, left=rest.left)
        finally:
            if self._rests.get(live.name) is rest:
                del self._rests[live.name]


async def _settled(live: Live, asked: Sequence[Waiting]) -> None:
    """Wait until none of these questions is open."""
    while any(item.event.sample_id in live.learner.queries.open for item in asked):
        live.moved.clear()
        await live.moved.wait()
