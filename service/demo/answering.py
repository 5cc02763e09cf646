"""The answering process: labels a stream's open questions from what is known by id, the most useful first."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from service.client import Client, Refused
from service.demo.interrupts import Wish
from service.demo.labelfile import Label

_PAGE = 100  # questions
_AT_ONCE = 8  # answers on their way: the server writes those that come together to disk together
_PAUSE = 1.0  # seconds until a follower looks again


class Tally:
    """What became of the answers."""

    def __init__(self) -> None:
        """Begin with none."""
        self.outcomes: Counter[str] = Counter()
        self.unknown: set[str] = set()  # open questions whose id the file does not have
        self.refusals: dict[str, str] = {}  # sample id -> why the server did not take its label

    @property
    def sent(self) -> int:
        """Answers that the server took or refused."""
        return self.outcomes.total() + len(self.refusals)


class Watcher(Protocol):
    """Sees how it goes."""

    def expect(self, answers: int) -> None:
        """So many answers are there to be given, as far as is known."""

    def sent(self, tally: Tally) -> None:
        """An answer was sent."""


class Answering:
    """Goes through the open questions until none is left that the labels answer, or for ever."""

    def __init__(
        self, client: Client, stream: str, labels: Mapping[str, Label], *, labeler: str | None = None, limit: int | None = None
    ) -> None:
        """Take what is known; `limit` bounds the answers sent."""
        self.tally = Tally()
        self._client = client
        self._stream = stream
        self._labels = labels
        self._labeler = labeler
        self._left = limit
        self._tried: set[str] = set()

    def work(self, watcher: Watcher, wish: Wish, *, follow: bool = False) -> None:
        """Answer; a follower ends only when its limit is reached, or somebody wishes it. Raises `ClientError`."""
        pool = ThreadPoolExecutor(_AT_ONCE, "answering")
        try:
            while self._left != 0:
                wish.check()
                if self._pass(pool, watcher, wish):
                    continue
                if not follow:
                    return
                time.sleep(_PAUSE)
        finally:
            pool.shutdown(cancel_futures=True)

    def _pass(self, pool: ThreadPoolExecutor, watcher: Watcher, wish: Wish) -> int:
        """Go through all that is open now; the number of answers sent."""
        sent = 0
        for waiting in self._open():
            answerable = self._pick(waiting)
            watcher.expect(self.tally.sent + len(answerable))
            for sample_id, outcome in zip(answerable, pool.map(self._answer, answerable), strict=True):
                self._count(sample_id, outcome)
                watcher.sent(self.tally)
                wish.check()
                sent += 1
        return sent

    def _open(self) -> Iterator[list[str]]:
        for page in self._client.pages(self._stream, limit=_PAGE):
            yield [waiting.sample_id for waiting in page.queries]
            if self._left == 0:
                return

    def _pick(self, waiting: list[str]) -> list[str]:
        self.tally.unknown.update(sample_id for sample_id in waiting if sample_id not in self._labels)
        fresh = [sample_id for sample_id in waiting if sample_id in self._labels and sample_id not in self._tried][: self._left]
        self._tried.update(fresh)
        if self._left is not None:
            self._left -= len(fresh)
        return fresh

    def _answer(self, sample_id: str) -> str | Refused:
        try:
            return self._client.label(self._stream, sample_id, self._labels[sample_id], labeler=self._labeler).outcome
        except Refused as refusal:
            return refusal

    def _count(self, sample_id: str, outcome: str | Refused) -> None:
        if isinstance(outcome, Refused):
            self.tally.refusals[sample_id] = str(outcome)
        else:
            self.tally.outcomes[outcome] += 1
