"""Samples that nobody was asked about, a bounded number of them, from which a batch may be picked later. Nothing is picked here.

They are decision state that no log holds: whoever starts again starts with none. They are people's data, and leave when these are erased.
"""

import math
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any, NamedTuple

import msgspec

from service.core.config import PoolSpec
from service.core.events import NOWHERE, Origin
from service.core.features import Features
from service.core.stated import Probabilities

MOST_BYTES = 4 * 2**20  # of a pool, with what Python needs around its samples
_HEAVIEST = MOST_BYTES // 64  # bytes; a larger sample would push many out
_AROUND = 300  # bytes that Python needs around one
_HORIZON = 50  # times the size: so many samples later a sample is a third as likely to be here, or counts for a third
_FAINT = 1e-6  # smaller utilities count as this one

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[dict[str, Any], Probabilities | None]).decode


class Passed(msgspec.Struct, frozen=True, gc=False):
    """A sample that was passed over at the time `at`; what it brought is packed: one object takes less than a dozen."""

    packed: bytes
    at: float  # seconds since 1970
    priority: float
    origin: Origin

    @property
    def features(self) -> Features:
        """Its raw features."""
        return _unpack(self.packed)[0]

    @property
    def probabilities(self) -> Probabilities | None:
        """Those of the caller's own model that came with it."""
        return _unpack(self.packed)[1]


class Size(NamedTuple):
    """How full a pool is: samples, and the bytes that they take."""

    samples: int
    bytes: int


class Pool:
    """At most `size` samples of 4 MiB together.

    `reservoir` keeps every sample with the same probability, up to 50 x size samples, and then more of the recent ones: Li's algorithm L
    (Reservoir-Sampling Algorithms of Time Complexity O(n(1 + log(N/n))), 1994), which says how many samples to skip, with a floor
    under the chance to come in, so that it forgets exponentially (Aggarwal, On biased reservoir sampling, 2006).
    `useful` keeps those of the highest utility x e^(-age / 50 x size), age in samples: forward decay (Cormode and others, 2009).
    """

    def __init__(self, spec: PoolSpec, seed: int) -> None:
        """Start empty."""
        self._random = Random(seed)
        self._held: dict[str, Passed] = {}
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        self._least: list[tuple[float, str]] = []  # a heap; what was taken out may still stand in it
        self._bytes = 0
        self._seen = 0
        self._skip = 0
        self._chance = 1.0
        self.spec = spec

    def __len__(self) -> int:
        """Samples."""
        return len(self._held)

    def __contains__(self, sample_id: str) -> bool:
        """Whether a sample is here."""
        return sample_id in self._held

    def get(self, sample_id: str) -> Passed | None:
        """A sample that is here."""
        return self._held.get(sample_id)

    def items(self) -> list[tuple[str, Passed]]:
        """All of them, as they are now."""
        return list(self._held.items())

    @property
    def size(self) -> Size:
        """How full it is."""
        return Size(len(self._held), self._bytes)

    @property
    def oldest(self) -> float | None:
        """When its oldest sample was passed over, in seconds since 1970."""
        return min((passed.at for passed in self._held.values()), default=None)

    def configure(self, spec: PoolSpec) -> None:
        """Go on with another size, or keep others from now on."""
        self.spec = spec
        self._skip = 0
        self._make_room(0, 0)
        self._sort()

    def offer(
        self,
        sample_id: str,
        features: Features,
        utility: float,
        at: float,
        origin: Origin = NOWHERE,
        probabilities: Probabilities | None = None,
    ) -> None:
        """Take a sample in, or not; the most of them are skipped, which costs next to nothing."""
        if self._skip:
            self._skip -= 1
            return
        size = self.spec.size
        if size:
            self._seen += 1
            if self.spec.keep == "useful":
                priority = math.log(max(_FAINT, utility)) + self._seen / (_HORIZON * size)
                if self._has_room or not self._least or priority > self._least[0][0]:
                    self._take_useful(sample_id, Passed(_pack((features, probabilities)), at, priority, origin))
            else:
                self._take(sample_id, Passed(_pack((features, probabilities)), at, 0.0, origin))
                self._skip = 0 if self._has_room else self._next_skip()

    def discard(self, sample_ids: Iterable[str]) -> None:
        """Let samples go, where they are here."""
        for sample_id in sample_ids:
            passed = self._held.pop(sample_id, None)
            if passed is None:
                continue
            self._bytes -= _bytes(sample_id, passed)
            self._skip = 0
            place, last = self._places.pop(sample_id), self._order.pop()
            if last != sample_id:
                self._order[place] = last
                self._places[last] = place

    def older(self, than: float) -> list[str]:
        """The samples that were passed over before a time."""
        return [sample_id for sample_id, passed in self._held.items() if passed.at < than]

    @property
    def _has_room(self) -> bool:
        return len(self._held) < self.spec.size and self._bytes < 0.9 * MOST_BYTES

    def _take_useful(self, sample_id: str, passed: Passed) -> None:
        self._take(sample_id, passed)
        heappush(self._least, (passed.priority, sample_id))
        if len(self._least) > 2 * len(self._held) + 1:
            self._sort()

    def _take(self, sample_id: str, passed: Passed) -> None:
        weight = _bytes(sample_id, passed)
        if weight > _HEAVIEST:
            return
        self.discard((sample_id,))
        self._make_room(1, weight)
        self._held[sample_id] = passed
        self._places[sample_id] = len(self._order)
        self._order.append(sample_id)
        self._bytes += weight

    def _make_room(self, samples: int, weight: int) -> None:
        while self._held and (len(self._held) + samples > self.spec.size or self._bytes + weight > MOST_BYTES):
            self.discard((self._superfluous(),))

    def _superfluous(self) -> str:
        """The next one to go: any, or the least useful."""
        if self.spec.keep == "useful":
            while self._least:
                priority, sample_id = heappop(self._least)
                held = self._held.get(sample_id)
                if held is not None and held.priority == priority:
                    return sample_id
        return self._order[self._random.randrange(len(self._order))]

    def _sort(self) -> None:
        self._least = [(passed.priority, sample_id) for sample_id, passed in self._held.items()]
        heapify(self._least)

    def _next_skip(self) -> int:
        """Samples that do not come in before the next one that does."""
        draw = self._random.random
        self._chance = max(1.0 / _HORIZON, self._chance * math.exp(math.log(1.0 - draw()) / len(self._held)))
        if self._chance >= 1.0:
            return 0
        return int(math.log(1.0 - draw()) / math.log1p(-self._chance))


def _bytes(sample_id: str, passed: Passed) -> int:
    return _AROUND + len(sample_id) + len(passed.packed)
