"""The decision state on its way to the log: how often, how much of it, in which slot. What it is stands in `service.core.learner`."""

import asyncio
import time

from service.journal import Committed, Journal
from service.ports import Clock
from service.streams import Live

_LARGE = 65_536  # bytes of preprocessing above which it is not written every second
_RARELY = 30.0  # seconds between writes of large preprocessing


class _Written:
    """What stands in a stream's checkpoints."""

    def __init__(self) -> None:
        self.moved = (-1, -1)
        self.underway: asyncio.Future[Committed] | None = None
        self.size = 0
        self.preprocessing_at = 0.0


class Checkpoints:
    """Writes the streams' decision states."""

    def __init__(self, journal: Journal, clock: Clock, run: int) -> None:
        """Take the parts; `run` numbers this server's starts."""
        self._journal = journal
        self._clock = clock
        self._run = run
        self._written: dict[str, _Written] = {}

    def forget(self, stream: str) -> None:
        """A stream was deleted."""
        self._written.pop(stream, None)

    def write(self, live: Live, *, final: bool = False) -> None:
        """Write the decision state if it moved; without waiting. The `final` one is whole and waits for no earlier one."""
        written = self._written.setdefault(live.name, _Written())
        waiting = written.underway is not None and not written.underway.done()
        if _moved(live) == written.moved or live.dropped or (waiting and not final):
            return
        large = written.size > _LARGE
        self._append(live, written, whole=final or not large or time.monotonic() - written.preprocessing_at >= _RARELY)

    def replace(self, live: Live) -> "asyncio.Future[Committed]":
        """Write the whole decision state, although it may not have moved. Not for a dropped stream: nothing may follow its drop."""
        return self._append(live, self._written.setdefault(live.name, _Written()), whole=True)

    def _append(self, live: Live, written: _Written, *, whole: bool) -> "asyncio.Future[Committed]":
        written.moved = _moved(live)
        learner = live.learner
        state = learner.vectoriser.state() if whole else None
        if state is not None:
            written.size, written.preprocessing_at = len(state), time.monotonic()
        slot = "preprocessing" if state is not None and len(state) > _LARGE else f"checkpoint-{self._run}"
        checkpoint = learner.checkpointed(self._run, self._clock(), state)
        written.underway = self._journal.append(live.name, checkpoint, slot=slot)
        return written.underway


def _moved(live: Live) -> tuple[int, int]:
    return live.learner.budget.seen, live.learner.anchor
