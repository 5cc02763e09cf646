"""The past again under another configuration: the service's own core over those of the log's questions that it would have asked.

A question stands in the log because its coin lay below its propensity p. Given that, the coin is uniform below p, so one thrown there
decides as the real one would have: a configuration that asks with p' keeps the question with probability p'/p, and where p' never exceeds
p what it keeps is what it would have asked. Samples that were not asked are not in the log, yet rules move with them: their utilities are
drawn from the recent questions', each of which stands for (1 - p)/p of them, and their coins lie above p.

Where p' does exceed p, as it does for samples that a model of fewer labels is unsure of and the serving one was not, questions are
missing. Three stand-ins choose among those that are there, each in a way that is worse than choosing among all samples: `Replay` asks the
model that learns anew, `AsLogged` takes the utilities as they stand in the log, and `Behind` learns the questions in their order, so many
as the others bought up to the same moment.
"""

import random
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from math import inf

import msgspec

from service.core.columns import Vector
from service.core.events import Asked, Configured, Event, Labelled
from service.core.learner import Learner
from service.core.measures import Plain
from service.core.policy import Coin
from service.core.records import Decision, Prediction
from service.whatif.past import Answer, Question

RECENT = 100  # questions whose utilities stand for those of the samples between them

_SEED = 7  # of what the samples between questions looked like, where the stream's own coins decide


class Told(Learner):
    """A stream that is told its past. This one asks all that was asked, for another model to learn the same labels."""

    def __init__(self, seq: int, created: Configured, *, anew: bool) -> None:
        """Begin as the stream began; `anew` where vectors must be made again, by preprocessing that sees questions and answers alone."""
        super().__init__(seq, created)
        self._anew = anew
        self.kept = 0  # questions that it asked

    def meet(self, question: Question) -> Prediction:
        """Meet a question of the log; returns what the model says of it before it may learn the answer."""
        event = question.event
        vector = self._joined(self.vectoriser.observe(event.features), event) if self._anew else question.vector
        said = {} if vector is None else self.taught.predict(vector)
        self._consider(event, vector, said)
        return Prediction.of(said)

    def hear(self, answer: Answer) -> None:
        """Learn an answer, if the question was asked or the label came by itself."""
        event = answer.event
        if not answer.asked or event.sample_id in self.queries.samples:
            vector = self._joined(self.vectoriser.vector(event.features), event) if self._anew else event.vector
            self.fold(msgspec.structs.replace(event, epoch=self.taught.epoch, vector=vector))

    def fold(self, event: Event) -> None:
        """Fold an event at the next position."""
        self.apply(self.seq + 1, event)

    def _joined(self, vector: Vector, event: Asked | Labelled) -> Vector:
        return self.taught.joined(vector, event.probabilities)

    def _consider(self, event: Asked, vector: Vector | None, said: dict[str, float]) -> None:
        del vector, said
        self._ask(event)

    def _ask(self, event: Asked) -> None:
        self.kept += 1
        self.fold(event)

    @property
    def _cold(self) -> bool:
        return self.taught.cold


class Behind(Told):
    """Learns the questions in their order, as many as `pace` allows by the time of each."""

    def __init__(self, seq: int, created: Configured, *, anew: bool, pace: Sequence[int]) -> None:
        """Begin; `pace` has a number a question."""
        super().__init__(seq, created, anew=anew)
        self._pace = iter(pace)
        self._waiting: deque[Asked] = deque()
        self._early: dict[str, Answer] = {}  # answers to questions that wait

    def hear(self, answer: Answer) -> None:
        """Learn an answer, or keep it until its question is asked."""
        super().hear(answer)
        if answer.asked and answer.event.sample_id not in self.queries.samples:
            self._early[answer.event.sample_id] = answer

    def _consider(self, event: Asked, vector: Vector | None, said: dict[str, float]) -> None:
        del vector, said
        self._waiting.append(event)
        allowed = next(self._pace)
        while self._waiting and self.kept < allowed:
            earliest = self._waiting.popleft()
            self._ask(earliest)
            if earliest.sample_id in self._early:
                self.hear(self._early.pop(earliest.sample_id))


class Replay(Told):
    """Asks what its own rule, account and model say.

    `chance` throws the coins; None takes the stream's own for the questions, so that the same coins decide as did.
    """

    def __init__(self, seq: int, created: Configured, *, anew: bool, chance: random.Random | None) -> None:
        """Begin."""
        self._known = _Known()
        super().__init__(seq, created, anew=anew)
        self._own = None if chance else Coin(self.secret)
        self._chance = chance or random.Random(_SEED)
        self._recent: deque[tuple[float, float, bool]] = deque(maxlen=RECENT)  # utility, propensity, whether the model was cold
        self._wanted = self._given = 0.0
        self.pace: list[int] = []  # questions asked by the time of each question of the log

    @property
    def support(self) -> float:
        """The share of the questions that it would have asked, over all traffic, that the log can give."""
        return self._given / self._wanted if self._wanted else 1.0

    def _consider(self, event: Asked, vector: Vector | None, said: dict[str, float]) -> None:
        self._pass_by(event.mark.seen - 1)
        p = event.decision.query.probability
        self._known.at = self._own.throw(event.sample_id) if self._own else self._chance.random() * p
        decision = self._judge(event, vector, said)
        query = decision.query
        self._wanted += query.probability / p
        self._given += min(1.0, query.probability / p)
        self._recent.append((query.utility, p, self._cold))
        if query.ask:
            self._ask(msgspec.structs.replace(event, decision=decision))
        self.pace.append(self.kept)

    def _judge(self, event: Asked, vector: Vector | None, said: dict[str, float]) -> Decision:
        if vector is not None:
            return self._decided(event.sample_id, vector, said, event.at, True)
        return self._at_utility(event, event.decision.query.utility)  # nobody answered, so that no vector stands in the log

    def _at_utility(self, event: Asked, utility: float) -> Decision:
        query = self.policy.decide(event.sample_id, utility, event.at, cold=self._cold)
        return msgspec.structs.replace(event.decision, query=query)

    def _pass_by(self, upto: int) -> None:
        """Let the samples that were not asked go by until so many are seen."""
        costs = list(accumulate((1.0 - p) / p for _, p, _ in self._recent))
        for _ in range(upto - self.budget.seen):
            utility, p, cold = self._drawn(costs)
            self._known.at = p + (1.0 - p) * self._chance.random()
            self.policy.decide("", utility, self.budget.last_at, cold=cold)

    def _drawn(self, costs: list[float]) -> tuple[float, float, bool]:
        if not costs:
            return 1.0, 0.0, True
        return self._chance.choices(self._recent, cum_weights=costs)[0] if costs[-1] else self._chance.choice(self._recent)

    def _configure_policy(self) -> None:
        super()._configure_policy()
        self.policy.coin = self._known


class AsLogged(Replay):
    """Takes the utilities that the log has: a rule that asks less finds all of its questions there.

    A `measure` of probabilities that is not the stream's own makes them of the predictions that the log has.
    """

    def __init__(self, seq: int, created: Configured, *, anew: bool, chance: random.Random | None, measure: Plain | None) -> None:
        """Begin."""
        super().__init__(seq, created, anew=anew, chance=chance)
        self._of = measure

    def _judge(self, event: Asked, vector: Vector | None, said: dict[str, float]) -> Decision:
        del vector, said
        probabilities, utility = event.decision.prediction.probabilities, event.decision.query.utility
        return self._at_utility(event, self._of(probabilities) if self._of is not None and probabilities else utility)


class _Known(Coin):
    """A coin that lies where it is put."""

    def __init__(self) -> None:
        self.at = inf

    def throw(self, sample_id: str) -> float:  # noqa: ARG002 - a coin's signature
        """Return where it lies."""
        return self.at
