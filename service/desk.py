"""A stream's open questions as people meet them: in order, and who holds which until when. Memory only; the time comes in.

What was asked and answered stands in `service.core.open_queries`; a lease is a courtesy between people and no part of the log.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from sortedcontainers import SortedList  # type: ignore[import-untyped]

from service.core.errors import Conflict, UnknownSample
from service.core.events import Erased, Event, Labelled, Skipped, sample_of
from service.core.open_queries import OpenQueries, Sample

ORDERS = ("utility", "oldest")

_LAST = chr(0x10FFFF)  # behind every id


class Lease(NamedTuple):
    """Who is working on a question, and until when (seconds since 1970) nobody else is handed it."""

    labeler: str
    until: float


class _Entry(NamedTuple):
    rank: float
    seq: int
    sample_id: str


class Desk:
    """Follows the open questions of a stream. A lease ends with its time, its question, or its holder's answer, skip or release."""

    def __init__(self, queries: OpenQueries) -> None:
        """Begin with the questions that are open, held by nobody."""
        self._queries = queries
        self._entries = {sample_id: self._entries_of(sample_id) for sample_id in queries.open}
        columns = zip(*self._entries.values(), strict=True) if self._entries else [()] * len(ORDERS)
        self._orders: tuple[Any, ...] = tuple(SortedList(column) for column in columns)  # of entries
        self._leases: dict[str, Lease] = {}
        self._held: dict[str, dict[str, None]] = {}  # by labeler: the questions of their leases

    def follow(self, event: Event) -> None:
        """Keep up with an event that was folded."""
        if isinstance(event, Erased):
            for erased in event.sample_ids:
                self._close(erased)
            return
        sample_id = sample_of(event)
        if sample_id is None:
            return
        if isinstance(event, Labelled | Skipped):
            self.release(sample_id, event.labeler)
        if sample_id not in self._queries.open:
            self._close(sample_id)
        elif sample_id not in self._entries:
            self._entries[sample_id] = self._entries_of(sample_id)
            for order, entry in zip(self._orders, self._entries[sample_id], strict=True):
                order.add(entry)

    def page(self, order: str, limit: int, after: tuple[float, int] | None) -> list[str]:
        """At most `limit` open questions in order of `utility` or `oldest` first, behind the place `after` (see `place`)."""
        entries = self._orders[ORDERS.index(order)]
        start = 0 if after is None else entries.bisect_right((*after, _LAST))
        return [entry.sample_id for entry in entries.islice(start, start + limit)]

    def claim(self, labeler: str, limit: int, now: float, seconds: float) -> list[str]:
        """Lease at most `limit` questions: first those that the labeler holds, then the most useful that are free to them."""
        held = sorted(self._entries[sample_id][0] for sample_id in self._held.get(labeler, ()) if self.lease(sample_id, now) is not None)
        chosen = [entry.sample_id for entry in islice(chain(held, self._free(labeler, now)), limit)]
        for sample_id in chosen:
            self._end(sample_id)
            self._leases[sample_id] = Lease(labeler, now + seconds)
            self._held.setdefault(labeler, {})[sample_id] = None
        return chosen

    def lease(self, sample_id: str, now: float) -> Lease | None:
        """The lease on a question, if there is one."""
        lease = self._leases.get(sample_id)
        return lease if lease is not None and lease.until > now else None

    def release(self, sample_id: str, labeler: str) -> None:
        """End the labeler's lease on a question, if there is one."""
        lease = self._leases.get(sample_id)
        if lease is not None and lease.labeler == labeler:
            self._end(sample_id)

    def claimed(self, now: float) -> int:
        """How many questions are held."""
        return sum(lease.until > now for lease in self._leases.values())

    def check(self, sample_id: str, labeler: str, now: float) -> None:
        """Raise `UnknownSample` for one that is not held here, `Conflict` for one that is not open or that somebody else holds."""
        sample = self._queries.samples.get(sample_id)
        if sample is None:
            message = f"the sample {sample_id!r} is not held here: it was never asked nor labelled"
            raise UnknownSample(message)
        if sample_id not in self._queries.open:
            message = f"the question about {sample_id!r} is not open: it is {sample.state}"
            raise Conflict(message)
        lease = self.lease(sample_id, now)
        if lease is not None and lease.labeler != labeler:
            message = f"the question about {sample_id!r} is held by {lease.labeler!r}"
            raise Conflict(message)

    def _free(self, labeler: str, now: float) -> Iterator[_Entry]:
        for entry in self._orders[0]:
            if self.lease(entry.sample_id, now) is None:
                sample = self._queries.samples[entry.sample_id]
                if labeler not in sample.skipped and sample.vote_of(labeler) is None:
                    yield entry

    def _entries_of(self, sample_id: str) -> tuple[_Entry, ...]:
        sample = self._queries.samples[sample_id]
        return tuple(_Entry(*place(sample, order), sample_id) for order in ORDERS)

    def _close(self, sample_id: str) -> None:
        self._end(sample_id)
        for order, entry in zip(self._orders, self._entries.pop(sample_id, ()), strict=False):
            order.remove(entry)

    def _end(self, sample_id: str) -> None:
        lease = self._leases.pop(sample_id, None)
        if lease is not None:
            held = self._held[lease.labeler]
            del held[sample_id]
            if not held:
                del self._held[lease.labeler]


def place(sample: Sample, order: str) -> tuple[float, int]:
    """Where a question stands in a list: by age, or by utility and then age."""
    return (-sample.utility if order == "utility" else 0.0, sample.asked_seq)
