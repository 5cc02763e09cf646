"""Fakes that are shipped: each stands for a port, keeps its contract under the same tests as the real adapter, and does no I/O."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import Any

from service.core.embeddings import single
from service.core.erasure import blanked, superfluous
from service.core.errors import StorageFull
from service.core.events import Checkpoint, Erased, Event, decode, encode, sample_of
from service.core.rebuild import rebuild_of
from service.core.records import Decision, Outcome
from service.core.taught import Taught
from service.ports import Deliver, Entry, Log, Result


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        """Stand at `now`, in seconds since 1970."""
        self.now = now

    def __call__(self) -> float:
        """The time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


class InMemoryLog:
    """A log whose disk can be held up (`hold`, `let_go`), be full (`full`), or refuse to erase (`fail_drops`, `fail_scrubs`)."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: dict[int, tuple[str, str | None, bytes]] = {}
        self._last = 0
        self._queue: deque[Entry | asyncio.Future[None]] = deque()
        self._deliver: Deliver | None = None
        self._held = False
        self.full = self.fail_drops = self.fail_scrubs = False
        self.run = 1

    def hold(self) -> None:
        """Let nothing be committed."""
        self._held = True

    def let_go(self) -> None:
        """Commit again."""
        self._held = False
        self._write()

    def start(self, deliver: Deliver) -> None:
        """Begin to write."""
        self._deliver = deliver
        self._write()

    def submit(self, entries: Sequence[Entry]) -> list[Result]:
        """Queue entries; gives the results of those whose events cannot be written."""
        refused: list[Result] = []
        for entry in entries:
            try:
                _ = entry.event is None or encode(entry.event)
            except OverflowError as error:
                refused.append(Result(entry, 0, ValueError(str(error))))
            else:
                self._add(entry)
        return refused

    def read(self, stream: str, after: int, upto: int) -> Iterator[tuple[int, Event]]:
        """A stream's events after one position, up to and including another, in order."""
        for seq, (name, _, body) in sorted(self._rows.items()):
            if name == stream and after < seq <= upto:
                yield seq, decode(body)

    def get(self, stream: str, positions: Sequence[int]) -> list[Event | None]:
        """The events at these positions, None where the stream has none."""
        rows = [self._rows.get(seq) for seq in positions]
        return [decode(row[2]) if row is not None and row[0] == stream else None for row in rows]

    def about(self, stream: str, sample_id: str) -> list[Event]:
        """A sample's events, in order."""
        return [event for _, event in self.read(stream, 0, self._last) if sample_of(event) == sample_id]

    def erased(self, stream: str) -> int:
        """The position of a stream's last erasure, 0 if there was none."""
        return max((seq for seq, event in self.read(stream, 0, self._last) if isinstance(event, Erased)), default=0)

    def scrubbed(self) -> "asyncio.Future[None]":
        """Comes after what was submitted; there are no bytes but the rows."""
        request: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._add(request)
        return request

    def streams(self) -> list[str]:
        """The names of all streams, in order of creation."""
        return list(dict.fromkeys(name for _, (name, _, _) in sorted(self._rows.items())))

    async def stop(self) -> None:
        """Write what is queued, deliver it, and let go."""
        self.let_go()

    def _add(self, queued: "Entry | asyncio.Future[None]") -> None:
        self._queue.append(queued)
        asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        while self._queue and self._deliver is not None and not self._held:
            entry = self._queue.popleft()
            if isinstance(entry, Entry):
                self._deliver([self._commit(entry)], 0.0)
            elif self.fail_scrubs:
                entry.set_exception(StorageFull("the disk is full"))
            else:
                entry.set_result(None)

    def _commit(self, entry: Entry) -> Result:
        if self.full or (self.fail_drops and entry.event is None):
            return Result(entry, 0, StorageFull("the disk is full"))
        self._last += 1
        if entry.event is None or entry.slot is not None:
            self._replace(entry)
        if isinstance(entry.event, Erased):
            self._erase(entry.stream, entry.event)
        if entry.event is not None:
            self._rows[self._last] = (entry.stream, entry.slot, encode(entry.event))
        return Result(entry, self._last, None)

    def _replace(self, entry: Entry) -> None:
        """Remove what stood in an entry's slot, or all of its stream where that goes."""
        kept = self._rows.items()
        self._rows = {seq: row for seq, row in kept if row[0] != entry.stream or (entry.event is not None and row[1] != entry.slot)}

    def _erase(self, stream: str, erased: Erased) -> None:
        events = list(self.read(stream, 0, self._last))
        for sample_id in erased.sample_ids:
            own = [(seq, event) for seq, event in events if sample_of(event) == sample_id]
            for (seq, _), event in zip(own, blanked(event for _, event in own), strict=True):
                self._rows[seq] = (*self._rows[seq][:2], encode(event))
        for seq in superfluous([(seq, event) for seq, event in events if isinstance(event, Checkpoint)]):
            del self._rows[seq]


class InlineWorkshop:
    """Rebuilds where it stands, over any log; keeps no snapshots."""

    def __init__(self, log: Log) -> None:
        """Read this log."""
        self._log = log
        self.snapshots: list[str] = []
        self.forgotten: list[tuple[str, int]] = []

    async def snapshot(self, stream: str) -> int:
        """Note that a snapshot was wanted."""
        self.snapshots.append(stream)
        return 0

    async def rebuild(self, stream: str, superseded: dict[int, int], through: int) -> Taught:
        """The model without what was superseded up to `through`, taught all answers up to there."""
        return rebuild_of(superseded, lambda after, upto: self._log.read(stream, after, upto), through, through)

    async def forget(self, stream: str, before: int) -> None:
        """Note that snapshots were to go."""
        self.forgotten.append((stream, before))

    def close(self) -> None:
        """There is nothing to end."""


class RecordingObserver:
    """Remembers what it was told, as tuples that begin with the method's name."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.told: list[tuple[Any, ...]] = []

    def decided(self, stream: str, decision: Decision, seconds: float) -> None:
        """A sample was decided."""
        self.told.append(("decided", stream, decision, seconds))

    def chosen(self, stream: str, decision: Decision) -> None:
        """A question that somebody called for is on disk."""
        self.told.append(("chosen", stream, decision))

    def replayed(self, stream: str) -> None:
        """A sample's stored answer was given again."""
        self.told.append(("replayed", stream))

    def labelled(self, stream: str, outcome: Outcome, delay: float | None) -> None:
        """An answer was taken in."""
        self.told.append(("labelled", stream, outcome, delay))

    def erased(self, stream: str, count: int) -> None:
        """So many samples were erased."""
        self.told.append(("erased", stream, count))

    def learned(self, stream: str, seconds: float) -> None:
        """An answer that is on disk was folded."""
        self.told.append(("learned", stream, seconds))

    def committed(self, count: int, seconds: float, writing: float) -> None:
        """So many events became durable together."""
        self.told.append(("committed", count, seconds, writing))

    def failed(self, count: int) -> None:
        """So many events could not be stored."""
        self.told.append(("failed", count))

    def rebuilt(self, stream: str, seconds: float) -> None:
        """A model without superseded answers took over."""
        self.told.append(("rebuilt", stream, seconds))

    def snapshotted(self, stream: str, seconds: float) -> None:
        """A snapshot was written."""
        self.told.append(("snapshotted", stream, seconds))

    def forget(self, stream: str) -> None:
        """A stream was deleted."""
        self.told.append(("forget", stream))


def letters(text: str) -> bytes | None:
    """Embed a text as how often it has each letter from a to z, 26 numbers; None where it has none."""
    counts = [float(text.lower().count(letter)) for letter in ascii_lowercase]
    return single(counts) if any(counts) else None
