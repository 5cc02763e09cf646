"""What a stream's log tells of its past: every question and answer in order, and what estimates rest on. Nothing is replayed here."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from service.core.catalogue import build_model
from service.core.columns import Vector
from service.core.config import StreamConfig
from service.core.digest import digest
from service.core.errors import CorruptLog
from service.core.evaluation import Evidence, Traffic, View
from service.core.evaluation.evidence import NO_ROW
from service.core.evaluation.view import whole
from service.core.events import Asked, Checkpoint, Configured, Event, Expired, Labelled, Mark
from service.core.records import CHOSEN
from service.export.data import standing

Located = tuple[int, Event]
Read = Callable[[], Iterable[Located]]  # the log from its start, as often as it is called


class Question(NamedTuple):
    """A question as it was asked. `vector` is the one that its answer was learned by, None where none stands; `row` its evidence."""

    event: Asked
    vector: Vector | None
    row: int


class Answer(NamedTuple):
    """The answer that settled a sample's label, with the label that stands; `asked` is whether anybody was asked about it."""

    event: Labelled
    asked: bool


Moment = Question | Answer | Expired | Configured


class Past:
    """A stream's log as a replay needs it; answers that were corrected or retracted are gone, and questions that nobody was shown.

    Held in memory: some four kilobytes a question.
    """

    def __init__(self, read: Read) -> None:
        """Read the log twice: who said what in the end, then everything in order."""
        self.created: tuple[int, Configured] = _first(read())
        self.moments: list[Moment] = []  # after its creation
        self.evidence = Evidence(())
        self._mark: Mark | None = None
        self._configs: list[StreamConfig] = []
        self._queries = standing(read())
        self._vectors: dict[str, Vector] = {}
        for seq, event in read():
            self._take(seq, event)
        self._settle()

    @property
    def config(self) -> StreamConfig:
        """The configuration that the stream has now."""
        return self._configs[-1]

    def must_vectorise(self, config: StreamConfig) -> bool:
        """Whether the vectors in the log are of other preprocessing than a configuration's model has."""
        wanted = digest(build_model(config.model).vectoriser)
        return any(digest(build_model(model).vectoriser) != wanted for model in (one.model for one in self._configs))

    @property
    def states(self) -> bool:
        """Whether every sample with an answer brought the probabilities of a model of the caller's own."""
        return all(one.event.probabilities is not None for one in self.moments if isinstance(one, Question) and one.vector is not None)

    @property
    def view(self) -> View:
        """What estimators look at."""
        traffic = Traffic()
        if self._mark is None:
            return View.of(0, traffic, self.evidence)
        traffic.restore(self._mark.traffic, self._mark.cost)
        return whole(View.of(self._mark.seen, traffic, self.evidence), self.evidence)

    def _take(self, seq: int, event: Event) -> None:
        if isinstance(event, Asked | Checkpoint):
            self._mark = event.mark
        if isinstance(event, Asked):
            self._ask(seq, event)
        elif isinstance(event, Labelled):
            self._answer(seq, event)
        elif isinstance(event, Configured):
            self._configs.append(event.config)
            self.moments += [event] if event.secret is None else []
        elif isinstance(event, Expired):
            self.moments.append(event)

    def _ask(self, seq: int, event: Asked) -> None:
        sample = self._queries.samples[event.sample_id]
        # What was chosen without a coin is no part of what a coin would have asked: its label teaches like one that came along.
        if sample.asked_seq == seq and event.decision.query.reason not in CHOSEN:
            sample.row = self.evidence.ask(event)
            if not sample.withdrawn:
                self.moments.append(Question(event, None, sample.row))

    def _answer(self, seq: int, event: Labelled) -> None:
        sample = self._queries.samples[event.sample_id]
        if sample.taught_seq == seq and not event.erased:
            lesson = msgspec.structs.replace(event, label=sample.taught, guesses=[], arms=0)
            self.moments.append(Answer(lesson, sample.row != NO_ROW))
            self._vectors[event.sample_id] = event.vector

    def _settle(self) -> None:
        for sample in self._queries.samples.values():
            if sample.row != NO_ROW and sample.erased:
                self.evidence.forget(sample.row)
            elif sample.row != NO_ROW:
                self.evidence.settle(sample.row, sample.taught)
        self.moments = [
            moment._replace(vector=self._vectors.get(moment.event.sample_id)) if isinstance(moment, Question) else moment
            for moment in self.moments
        ]
        del self._vectors


def _first(log: Iterable[Located]) -> tuple[int, Configured]:
    for seq, event in log:
        if isinstance(event, Configured):
            return seq, event
    raise CorruptLog("the log of the stream does not begin with its configuration")
