"""What the flow needs from outside, as protocols with a sentence of contract each; no implementation lives here."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.core.events import Event
from service.core.records import Decision, Outcome

if TYPE_CHECKING:  # River takes a second to import, which the log's writer would take to start
    from service.core.taught import Taught


class Entry(NamedTuple):
    """An event on its way to the log. Within a stream an entry with a `slot` replaces the earlier one in that slot.

    An entry without an event drops its stream's whole log. `ticket` comes back with the result.
    """

    stream: str
    event: Event | None
    slot: str | None
    ticket: int


class Result(NamedTuple):
    """What became of an entry: its position in the log, or the error and then nothing was stored."""

    entry: Entry
    seq: int
    error: Exception | None


Deliver = Callable[[Sequence[Result], float], None]  # and the seconds that writing them took


class Log(Protocol):
    """The durable, ordered truth. Positions rise over all streams and are never used twice.

    Storing `Erased` blanks, at once and for good, what the stream's earlier events say of its samples, and removes the checkpoints
    that may hold them (`service.core.erasure`).
    """

    def start(self, deliver: Deliver) -> None:
        """Begin to write; `deliver` is called from the running loop with results in log order, each after its event is on disk."""
        ...

    def submit(self, entries: Sequence[Entry]) -> Sequence[Result]:
        """Queue entries, which is no promise of one commit; gives at once the results of those whose events cannot be written."""
        ...

    def read(self, stream: str, after: int, upto: int) -> Iterable[tuple[int, Event]]:
        """A stream's events after one position, up to and including another, in order."""
        ...

    def get(self, stream: str, positions: Sequence[int]) -> list[Event | None]:
        """The events at these positions, None where the stream has none."""
        ...

    def about(self, stream: str, sample_id: str) -> list[Event]:
        """A sample's events, in order."""
        ...

    def erased(self, stream: str) -> int:
        """The position of a stream's last erasure, 0 if there was none."""
        ...

    def scrubbed(self) -> Awaitable[None]:
        """Comes when no byte is left of what was erased or dropped so far, which may be there until somebody asks or the next start.

        Raises `Unavailable` or `StorageFull` where that cannot be done now; it is tried again at the next call or start.
        """
        ...

    def streams(self) -> list[str]:
        """The names of all streams, in order of creation."""
        ...

    async def stop(self) -> None:
        """Write what is queued, deliver it, and let go."""
        ...


class Workshop(Protocol):
    """A process of its own that folds the log, so that serving never waits for it."""

    def snapshot(self, stream: str) -> Awaitable[int]:
        """Fold what is new and keep a snapshot; gives its position."""
        ...

    def rebuild(self, stream: str, superseded: dict[int, int], through: int) -> "Awaitable[Taught]":
        """The model without what was superseded up to `through`, taught all answers up to there."""
        ...

    def forget(self, stream: str, before: int) -> Awaitable[None]:
        """Remove a stream's snapshots from before a position, those that are being written included."""
        ...

    def close(self) -> None:
        """End the process."""
        ...


class Observer(Protocol):
    """Is told what happened, after it happened; must be quick and must not raise."""

    def decided(self, stream: str, decision: Decision, seconds: float) -> None:
        """A sample was decided."""
        ...

    def chosen(self, stream: str, decision: Decision) -> None:
        """A question that somebody called for is on disk."""
        ...

    def replayed(self, stream: str) -> None:
        """A sample's stored answer was given again."""
        ...

    def labelled(self, stream: str, outcome: Outcome, delay: float | None) -> None:
        """An answer was taken in, `delay` seconds after its question."""
        ...

    def erased(self, stream: str, count: int) -> None:
        """So many samples were erased."""
        ...

    def learned(self, stream: str, seconds: float) -> None:
        """An answer that is on disk was folded, which took so long."""
        ...

    def committed(self, count: int, seconds: float, writing: float) -> None:
        """So many events became durable together, `seconds` after the first of them was submitted; writing took `writing` of these."""
        ...

    def failed(self, count: int) -> None:
        """So many events could not be stored."""
        ...

    def rebuilt(self, stream: str, seconds: float) -> None:
        """A model without superseded answers took over."""
        ...

    def snapshotted(self, stream: str, seconds: float) -> None:
        """A snapshot was written."""
        ...

    def forget(self, stream: str) -> None:
        """A stream was deleted."""
        ...


Clock = Callable[[], float]
