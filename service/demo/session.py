"""A run in two threads: one sends every sample in stream order, the other brings the answers, each when so many samples have passed.

What happens is written into the ledger; what it looks like is decided elsewhere.
"""

import heapq
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from service.client import Client
from service.demo.ledger import Ledger
from service.demo.plan import Delivery, Plan
from service.simulate import Pair
from service.simulate.pool import deaf


class _Due(NamedTuple):
    at: int  # samples sent by then
    number: int  # of the question
    step: int  # of the question's answers
    sample_id: str
    delivery: Delivery


class Desk:
    """People who answer questions by the sample's id, late. One answer is on its way at a time, so that none overtakes its correction."""

    def __init__(self, client: Client, stream: str, plan: Plan, ledger: Ledger) -> None:
        """Start with nothing to do."""
        self._client = client
        self._stream = stream
        self._plan = plan
        self._ledger = ledger
        self._due: list[_Due] = []
        self._passed = 0
        self._ended = self._dropped = False
        self._moved = threading.Condition()

    def passed(self, sample_id: str, truth: str, *, asked: bool) -> None:
        """Another sample has passed; if it was asked about, its answers are planned."""
        with self._moved:
            self._passed += 1
            for step, delivery in enumerate(self._plan.deliveries(self._ledger.questions[sample_id], truth) if asked else ()):
                heapq.heappush(self._due, _Due(self._passed + delivery.delay, self._ledger.questions[sample_id], step, sample_id, delivery))
            self._moved.notify()

    def end(self, *, drop: bool = False) -> None:
        """The stream is over: what is still on its way arrives now, or is dropped."""
        with self._moved:
            self._ended, self._dropped = True, drop
            self._moved.notify()

    def work(self) -> None:
        """Deliver until the stream is over and nothing is left. Raises `ClientError`."""
        while (due := self._next()) is not None:
            taken = self._client.label(self._stream, due.sample_id, due.delivery.label, labeler=due.delivery.labeler)
            self._ledger.delivered(due.sample_id, taken.outcome)

    def _next(self) -> _Due | None:
        with self._moved:
            self._moved.wait_for(lambda: self._ended or (self._due and self._due[0].at <= self._passed))
            return heapq.heappop(self._due) if self._due and not self._dropped else None


def play(client: Client, stream: str, pairs: Sequence[Pair], plan: Plan, ledger: Ledger) -> None:
    """Send the stream and all answers to what it asks. Raises `ClientError`."""
    desk = Desk(client, stream, plan, ledger)
    with ThreadPoolExecutor(1, "desk") as pool:
        complete = False
        # From before the desk begins: an interrupt that leaves it waiting would make the pool wait for it.
        try:
            with deaf():  # an interrupt while a thread starts would break the lock that it waits for
                working = pool.submit(desk.work)
            complete = _send(client, stream, pairs, ledger, desk, working)
        finally:
            desk.end(drop=not complete)
    working.result()


def _send(client: Client, stream: str, pairs: Sequence[Pair], ledger: Ledger, desk: Desk, working: Future[None]) -> bool:
    """Send all samples; False where the answers failed meanwhile."""
    for place, (features, label) in enumerate(pairs):
        if working.done():
            return False
        truth = str(label)
        answer = client.sample(stream, features, sample_id=sample_id(stream, place))
        ledger.observed(answer, truth)
        desk.passed(answer.id, truth, asked=answer.query.ask)
    return True


def sample_id(stream: str, place: int) -> str:
    """The id of the sample at that place of the stream.

    >>> sample_id("phishing", 123)
    'phishing-000123'
    """
    return f"{stream}-{place:06}"
