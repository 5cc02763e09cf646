"""A stream's whole state, and the only writer of it: decide about samples, fold events. Synchronous; time and ids come in.

Two kinds of state live here. Learned state moves in `apply` alone, with committed events in log order, and a log rebuilds it bit
for bit. Decision state (preprocessing, the rule, what was seen) moves in `decide` with every sample and is resumed from marks.
"""

from collections.abc import Iterator, Sequence
from sys import intern
from typing import Any

import msgspec

from service.core import events, transcript
from service.core.budget import BudgetManager, Standing
from service.core.catalogue import build_companion, build_measure, build_model, build_rule
from service.core.columns import Vector
from service.core.config import StreamConfig
from service.core.digest import digest
from service.core.errors import CorruptLog
from service.core.evaluation import Evidence, Traffic, View
from service.core.evaluation.evidence import ARMS, NO_ROW
from service.core.events import (
    NOWHERE,
    Asked,
    Checkpoint,
    Configured,
    Erased,
    Event,
    Expired,
    Labelled,
    Mark,
    Origin,
    Retracted,
    Skipped,
    Swapped,
    Withdrawn,
)
from service.core.features import Features
from service.core.open_queries import Effect, OpenQueries, Sample, Vote
from service.core.policy import QueryPolicy
from service.core.records import Applied, Decision, Lesson, Outcome, Prediction, Query
from service.core.taught import Taught
from service.core.vectoriser import Vectoriser

_LEAST = 0.1  # probability by which a label's weight is divided: a weight of 1,000 would undo what a linear model knows


class Learner:
    """One stream. Begins with its `Configured` event at log position `seq`."""

    def __init__(self, seq: int, created: Configured) -> None:
        """Start the stream as its first event says."""
        if created.secret is None:
            message = "a stream's first event has no secret"
            raise CorruptLog(message)
        self.seq = self.anchor = self.created_seq = self.ruled = seq
        self.created_at = created.at
        self.secret = created.secret
        self.config = created.config
        self.version = 0
        self.transcript = transcript.START
        self.queries = OpenQueries(created.config.labels.per_sample)
        self.superseded: dict[int, int] = {}  # position of a superseded event -> position of the event that did it
        self.rebuild_from = 0  # position of the last event that calls for a rebuild, 0 if none is due
        self.unswapped = 0  # position of the last erasure of what had taught, until a swap knows of it
        self.labels = 0
        self.traffic = Traffic()
        self.evidence = Evidence(created.config.slices)
        self.taught = _fresh(seq, created.config)
        self.candidate: Taught | None = None
        self.candidate_vectoriser: Vectoriser | None = None
        self.checkpoint: Checkpoint | None = None
        self.mark: Mark | None = None
        self.budget = BudgetManager(created.config.budget)
        self._configure_policy()
        self.vectoriser = self.taught.serving_vectoriser()

    # --- decisions -----------------------------------------------------------------------------------------------------------

    def decide(self, sample_id: str, features: Features, at: float, *, available: bool = True) -> Decision:
        """Predict, and decide whether to ask; moves the decision state only. A question is not asked until its event is folded."""
        vector = self.vectoriser.observe(features)
        return self._decided(sample_id, vector, self.taught.predict(vector), at, available)

    def decisions(self, sample_ids: Sequence[str], samples: Sequence[Features], at: float, *, available: bool = True) -> Iterator[Decision]:
        """Decide about samples in their order, as `decide` does one by one.

        What preprocessing learns and what the model says depends on no decision, so that comes first, for all. Each decision is made
        when it is drawn: before that, the place of a question that the one before asks must be reserved.
        """
        vectors = self.vectoriser.observe_all(samples)
        predictions = self.taught.predict_all(vectors)
        for sample_id, vector, probabilities in zip(sample_ids, vectors, predictions, strict=True):
            yield self._decided(sample_id, vector, probabilities, at, available)

    def _decided(self, sample_id: str, vector: Vector, probabilities: dict[str, float], at: float, available: bool) -> Decision:
        cold = len(self.taught.classes) < 2  # noqa: PLR2004 - nothing can be unsure of one class
        if self._informed is not None:
            utility = self._informed.observe(sample_id, vector, {} if cold else probabilities, self.taught)
        else:
            utility = 1.0 if cold or not probabilities else self._measure(probabilities)
        query = self.policy.decide(sample_id, utility, at, cold=cold, available=available)
        prediction = Prediction.of(probabilities)
        self.traffic.see(prediction.confidence, query.probability)
        return Decision(sample_id, self.version, prediction, query)

    def known(self, sample_id: str, features: Features) -> Decision:
        """The decision about a sample that was labelled without being asked: a prediction, and no question; nothing moves."""
        prediction = Prediction.of(self.taught.predict(self.vectoriser.vector(features)))
        query = Query(False, 0.0, "answered", 0.0, None, self.policy.rule_name, self.budget.view(self.budget.due, self.budget.spent, 0))
        return Decision(sample_id, self.version, prediction, query)

    def question(self, decision: Decision, features: Features, origin: Origin = NOWHERE) -> Asked:
        """The event that asks a decided question."""
        at = self.budget.last_at
        return Asked(at, features, decision, self.marked(), at + self.config.labels.expire_after, origin)

    def answer(
        self, sample_id: str, label: str, labeler: str, features: Features, at: float, *, brought: bool, labeled_at: str | None
    ) -> Labelled:
        """The event of an answer, with the vector as it is now; features that were `brought` along teach preprocessing too."""
        vector = self.vectoriser.observe(features) if brought else self.vectoriser.vector(features)
        sample = self.queries.samples.get(sample_id)
        row = NO_ROW if sample is None else sample.row
        guesses = [] if row == NO_ROW else self.taught.guesses(vector)
        arms = 0 if row == NO_ROW else self.evidence.lesson(row, sample_id)
        return Labelled(at, sample_id, label, labeler, self.taught.epoch, features, vector, labeled_at, guesses=guesses, arms=arms)

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Take samples out of what the measure keeps of recent ones."""
        if self._informed is not None:
            self._informed.forget(sample_ids)

    def marked(self) -> Mark:
        """The small part of the decision state as it is now."""
        rule = self.policy.rule
        return Mark(*self.budget.standing(), rule.state() if rule.compact else [], self.ruled, *self.traffic.state())

    def checkpointed(self, run: int, at: float, preprocessing: bytes | None) -> Checkpoint:
        """The decision state as it is now, with what the transcript says of the learned state."""
        rule, measure = self.policy.rule.state(), b"" if self._informed is None else self._informed.state()
        return Checkpoint(at, run, self.anchor, self.transcript, self.taught.epoch, self.marked(), rule, preprocessing, measure)

    def view(self, *, whole: bool = False) -> View:
        """What estimators look at: enough for windows, or the `whole` history."""
        return View.of(self.budget.seen, self.traffic, self.evidence, whole=whole)

    def resume(self) -> None:
        """Continue the decision state from the last marks that were folded; what was seen since then is forgotten."""
        self._configure_policy()
        self.vectoriser = self.taught.serving_vectoriser()
        if self.mark is not None:
            mark = self.mark
            self.budget.resume(Standing(mark.seen, mark.since, mark.earned, mark.rate, mark.at))
            self.traffic.restore(mark.traffic, mark.cost)
        saved, rule = self.checkpoint, self.policy.rule
        if saved is not None and saved.preprocessing is not None and saved.epoch == self.taught.epoch:
            self.vectoriser.restore(saved.preprocessing)
        if saved is not None and saved.measure and saved.mark.ruled == self.ruled and saved.epoch == self.taught.epoch and self._informed:
            self._informed.restore(saved.measure)
        latest = self.mark if rule.compact else None if saved is None else saved.mark
        if latest is None or latest.ruled != self.ruled:
            return
        state = latest.rule if rule.compact or saved is None else saved.rule
        if state:
            rule.restore(state)

    # --- the fold ------------------------------------------------------------------------------------------------------------

    def apply(self, seq: int, event: Event) -> Applied:
        """Fold one committed event. Total: an event that changes nothing is folded as well."""
        if seq <= self.seq:
            message = f"event {seq} comes after event {self.seq}"
            raise CorruptLog(message)
        self.seq = seq
        if isinstance(event, Checkpoint):
            self._keep(event)
            return Applied(None, self.version)
        self.anchor = seq
        applied, probabilities = self._fold(seq, event)
        chained = transcript.link(self.transcript, seq, applied, probabilities)
        self.transcript = transcript.SUSPENDED if self.unswapped else chained
        return applied

    def _fold(self, seq: int, event: Event) -> tuple[Applied, dict[str, float]]:
        if isinstance(event, Labelled):
            return self._labelled(seq, event)
        rebuild = False
        outcome: Outcome | None = None
        if isinstance(event, Asked):
            self._asked(seq, event)
        elif isinstance(event, Expired | Withdrawn):
            self._closed(event)
        elif isinstance(event, Retracted | Skipped):
            take = self.queries.skip if isinstance(event, Skipped) else self.queries.retract
            effect = take(event.sample_id, event.labeler)
            outcome, rebuild = effect.outcome, effect.rebuild
            self._note(seq, effect)
            self._settle(event.sample_id)
        elif isinstance(event, Swapped):
            self._swapped(event)
        elif isinstance(event, Erased):
            rebuild = self._erased(seq, event)
        elif isinstance(event, Configured):
            rebuild = self._configured(seq, event)
        self.budget.open = len(self.queries.open)
        return Applied(outcome, self.version, rebuild), {}

    def _asked(self, seq: int, event: Asked) -> None:
        self.mark = event.mark
        query = event.decision.query
        self.budget.commit(event.at)
        sample = Sample(seq, event.at, event.expires_at, query.utility, probability=query.probability, ordinal=self.budget.asked)
        if self.queries.ask(event.sample_id, sample):
            sample.row = self.evidence.ask(event)
        else:
            self.budget.given_back += 1

    def _closed(self, event: Expired | Withdrawn) -> None:
        if isinstance(event, Withdrawn):
            self.budget.given_back += self.queries.withdraw(event.sample_id)
        elif self.queries.expire(event.sample_id) and self.config.labels.give_back:
            self.budget.given_back += 1

    def _labelled(self, seq: int, event: Labelled) -> tuple[Applied, dict[str, float]]:
        effect = self.queries.label(event.sample_id, Vote(intern(event.labeler), intern(event.label), seq), event.at)
        self._note(seq, effect)
        self._settle(event.sample_id, event.guesses)
        outcome: Outcome = effect.outcome
        if outcome == "learned":
            self.budget.hear(self.queries.samples[event.sample_id].ordinal)
        probabilities: dict[str, float] = {}
        lesson = None if effect.teach is None else Lesson(effect.teach, self._weight_of(event.sample_id))
        if lesson is not None:
            self.version += 1
            self.labels += 1
        if lesson is not None and not event.erased:
            vector = self.taught.vector_of(event)
            probabilities = self.taught.witnessed(vector)
            learned = self.taught.learn(event, vector, lesson)
            outcome = outcome if learned else "unlearnable"
            if self.candidate is not None:
                self.candidate.follow(event, lesson)
        self.budget.open = len(self.queries.open)
        return Applied(outcome, self.version, effect.rebuild, lesson), probabilities

    def _weight_of(self, sample_id: str) -> float:
        """The weight of a sample's label: 1, or the inverse of the probability with which it was asked, within bounds."""
        return 1.0 / max(_LEAST, self.queries.samples[sample_id].probability) if self.config.query.weighted else 1.0

    def _settle(self, sample_id: str, guesses: Sequence[str | None] = ()) -> None:
        """Have the evidence follow the label that stands for a question."""
        sample = self.queries.samples.get(sample_id)
        if sample is not None and sample.row != NO_ROW:
            self.evidence.guess(sample.row, guesses)
            self.evidence.settle(sample.row, sample.taught)

    def _note(self, seq: int, effect: Effect) -> None:
        if effect.superseded:
            self.superseded[effect.superseded] = seq
        if effect.outcome == "duplicate":
            # Delivered twice at once: without the first one it must not teach in a rebuild either.
            self.superseded[seq] = seq
        if effect.rebuild:
            self.rebuild_from = seq

    def _erased(self, seq: int, event: Erased) -> bool:
        taught = [self.queries.erase(sample_id) for sample_id in event.sample_ids]
        for sample_id in event.sample_ids:
            row = self.queries.samples[sample_id].row
            if row != NO_ROW:
                self.evidence.forget(row)
        if any(taught):
            self.rebuild_from = self.unswapped = seq
        return any(taught)

    def is_void(self, event: Swapped) -> bool:
        """Whether a swap comes to nothing: its model may hold what was erased while it was made."""
        return event.through < self.unswapped

    def _swapped(self, event: Swapped) -> None:
        if self.is_void(event):
            self.candidate = self.candidate_vectoriser = None
            return
        if self.candidate is None:
            message = "a swap came without its rebuilt model"
            raise CorruptLog(message)
        renewed = self.candidate.epoch != self.taught.epoch
        self.taught, self.candidate = self.candidate, None
        if build_companion(self.config) is None:
            self.taught.companion = None  # it was wanted when the rebuild began
        self.version += 1
        if self.unswapped:
            self.unswapped, self.transcript = 0, transcript.START
        if self.rebuild_from <= event.through:
            self.rebuild_from = 0
        if renewed:
            self.checkpoint = None
            self.vectoriser = self.candidate_vectoriser or self.taught.serving_vectoriser()
            self._measure, self._informed = build_measure(self.config.query)  # other vectors than those it has seen
        self.candidate_vectoriser = None

    def _configured(self, seq: int, event: Configured) -> bool:
        before, self.config = self.config, event.config
        if not self.queries.voted:
            # A label that was on its way when this changed was settled under the old number, and so are all.
            self.queries.per_sample = event.config.labels.per_sample
        self.budget.configure(event.config.budget)
        self.policy.configure(event.config.exploration)
        self.evidence.divide(event.config.slices)
        if before.query != event.config.query:
            self.ruled = seq
            self._configure_policy()
        anew = before.model != event.config.model
        old, new = before.query, event.config.query
        if (old.measure, old.measure_params) != (new.measure, new.measure_params):
            self.taught.companion = build_companion(event.config)
            anew = anew or self.taught.companion is not None
        anew = anew or old.weighted != new.weighted
        if anew:
            self.rebuild_from = seq
        return anew

    def _configure_policy(self) -> None:
        config = self.config
        self._measure, self._informed = build_measure(config.query)
        word = None if self._informed is None else self._informed.reason
        self.policy = QueryPolicy(build_rule(config.query), config.query.rule, self.budget, config.exploration, self.secret, word)

    def _keep(self, event: Checkpoint) -> None:
        before = self.checkpoint
        self.mark = event.mark
        if event.preprocessing is None and before is not None and before.epoch == event.epoch:
            event = msgspec.structs.replace(event, preprocessing=before.preprocessing)
        self.checkpoint = event

    # --- snapshots -----------------------------------------------------------------------------------------------------------

    _PARTS = (
        "seq",
        "anchor",
        "created_seq",
        "ruled",
        "created_at",
        "secret",
        "version",
        "transcript",
        "superseded",
        "rebuild_from",
        "unswapped",
        "labels",
        "taught",
        "mark",
    )

    def learned(self) -> dict[str, Any]:
        """All that the log rebuilds, and the last marks of the decision state."""
        parts = {name: getattr(self, name) for name in self._PARTS}
        return parts | {
            "samples": self.queries.samples,
            "open": self.queries.open,
            "taken_back": self.queries.taken_back,
            "budget": self.budget.learned(),
            "evidence": self.evidence.learned(),
            "config": msgspec.msgpack.encode(self.config),
            "checkpoint": None if self.checkpoint is None else events.encode(self.checkpoint),
        }

    def fingerprint(self) -> bytes:
        """A canonical hash of all that the log rebuilds; checkpoints, which come and go, are no part of it."""
        return digest({name: part for name, part in self.learned().items() if name not in {"seq", "mark", "checkpoint"}})

    @classmethod
    def of(cls, learned: dict[str, Any]) -> "Learner":
        """Continue what `learned` gave, and resume the decision state."""
        config = msgspec.msgpack.decode(learned["config"], type=StreamConfig)
        learner = cls(learned["created_seq"], Configured(learned["created_at"], config, learned["secret"]))
        for name in cls._PARTS:
            setattr(learner, name, learned[name])
        # Checkpoints behind the anchor may be of another history; those of this one are read again.
        learner.seq = learner.anchor
        learner.queries.restore(learned["samples"], learned["open"], learned["taken_back"])
        learner.budget.restore(learned["budget"])
        learner.evidence = Evidence.of(learned["evidence"])
        saved = learned["checkpoint"]
        checkpoint = None if saved is None else events.decode(saved)
        learner.checkpoint = checkpoint if isinstance(checkpoint, Checkpoint) else None
        learner.resume()
        return learner


def _fresh(epoch: int, config: StreamConfig) -> Taught:
    built = build_model(config.model)
    arms = [build_model(config.model).model for _ in range(ARMS)]
    return Taught(epoch, built.model, built.vectoriser, build_companion(config), arms)
