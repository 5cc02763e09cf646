"""A question on its way to the log: its place in the budget is reserved, it is submitted, and its sample is told what became of it.

Whether to ask was decided before; how long its sample waits is decided here.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from service.core.errors import Unavailable
from service.core.events import Asked, Origin, Withdrawn
from service.core.features import Features
from service.core.records import Decision
from service.core.stated import Probabilities
from service.journal import Committed, Journal
from service.ports import Clock
from service.streams import Live

ASK_PATIENCE = 1.0  # seconds that a sample waits for its question to be durable


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a sample gets."""

    decision: Decision
    replayed: bool


class Reserved(NamedTuple):
    """A question that has its place in the budget, and the token that gives it back."""

    event: Asked
    token: int


class Asking:
    """Asks the questions that were decided."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Submit to this journal."""
        self._journal = journal
        self._clock = clock

    def reserve(
        self,
        live: Live,
        decision: Decision,
        features: Features,
        origin: Origin,
        probabilities: Probabilities | None = None,
        parents: Sequence[str] = (),
    ) -> Reserved:
        """Make the question of a decision; the next sample must not be decided before, for it counts this one as asked."""
        event = live.learner.question(decision, features, origin, probabilities, parents)
        return Reserved(event, live.learner.budget.take())

    def ask(
        self, live: Live, reserved: Reserved, told: Callable[[Decision], Answer], let_go: Callable[[], None], *, linger: bool = False
    ) -> "asyncio.Future[Answer]":
        """What is `told` of the decision as it stands: when its question is durable, or without a question as soon as patience ends.

        A question that came in bulk may `linger` until others go with it.
        """
        loop = asyncio.get_running_loop()
        event, token = reserved
        decision, budget = event.decision, live.learner.budget
        answer: asyncio.Future[Answer] = loop.create_future()
        waiting = True

        def settle(outcome: Committed | Exception | None) -> None:
            nonlocal waiting
            waiting = False
            let_go()
            if isinstance(outcome, Exception) and not isinstance(outcome, Unavailable):
                if not answer.done():
                    answer.set_exception(outcome)
                return
            result = told(decision if isinstance(outcome, Committed) else unavailable(decision))
            if not answer.done():
                answer.set_result(result)

        def landed(outcome: Committed | Exception) -> None:
            if waiting:
                patience.cancel()
                settle(outcome)
            elif isinstance(outcome, Committed) and not live.dropped:
                self._journal.append(live.name, Withdrawn(self._clock(), decision.id))

        patience = loop.call_later(ASK_PATIENCE, settle, None)
        self._journal.submit(live.name, event, landed, settle=lambda: budget.release(token), linger=linger)
        return answer


def unavailable(decision: Decision) -> Decision:
    """The decision without its question, which the log did not take in time."""
    budget = msgspec.structs.replace(decision.query.budget, asked=decision.query.budget.asked - 1, open=decision.query.budget.open - 1)
    query = msgspec.structs.replace(decision.query, ask=False, reason="unavailable", probability=0.0, budget=budget)
    return msgspec.structs.replace(decision, query=query)
