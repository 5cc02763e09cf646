"""What a stream serves with: its whole state, and the decisions by it. Nothing is folded here; time and ids come in.

Decision state (preprocessing, the rule, what was seen) moves in `decide` with every sample and is resumed from marks in the log.
"""

from collections.abc import Iterator, Sequence

from service.core import transcript
from service.core.budget import BudgetManager, Standing
from service.core.catalogue import build_companion, build_measure, build_model, build_rule
from service.core.columns import Vector
from service.core.config import StreamConfig
from service.core.errors import CorruptLog
from service.core.evaluation import Evidence, Traffic, View
from service.core.evaluation.evidence import ARMS, NO_ROW
from service.core.evaluation.view import whole as entire
from service.core.events import NOWHERE, Asked, Checkpoint, Configured, Labelled, Mark, Origin
from service.core.features import Features
from service.core.mixture import Mixture, held
from service.core.open_queries import OpenQueries
from service.core.policy import QueryPolicy
from service.core.records import Decision, Prediction, Query, Reason
from service.core.regressing import Regressing
from service.core.relaying import taught
from service.core.rules.auto import AutoRule
from service.core.stated import Probabilities
from service.core.tasks import REGRESSION
from service.core.taught import Taught
from service.core.vectoriser import Vectoriser

_EVEN = 0.5  # utility of every sample alike


class Serving:
    """The state of one stream. Begins with its `Configured` event at log position `seq`."""

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
        self.taught = fresh(seq, created.config)
        self.candidate: Taught | None = None
        self.candidate_vectoriser: Vectoriser | None = None
        self.checkpoint: Checkpoint | None = None
        self.mark: Mark | None = None
        self.budget = BudgetManager(created.config.budget)
        self._configure_policy()
        self.vectoriser = self.taught.serving_vectoriser()

    def decide(
        self, sample_id: str, features: Features, at: float, *, available: bool = True, probabilities: Probabilities | None = None
    ) -> Decision:
        """Predict, and decide whether to ask; moves the decision state only. A question is not asked until its event is folded."""
        vector = self.vectoriser.observe(features)
        if probabilities is not None:
            vector = self.taught.joined(vector, probabilities)
        return self._decided(sample_id, vector, self.taught.predict(vector), at, available)

    def decisions(
        self,
        sample_ids: Sequence[str],
        samples: Sequence[Features],
        at: float,
        *,
        available: bool = True,
        stated: Sequence[Probabilities | None] = (),
    ) -> Iterator[Decision]:
        """Decide about samples in their order, as `decide` does one by one; `stated` has the probabilities of each, or of none.

        What preprocessing learns and what the model says depends on no decision, so that comes first, for all. Each decision is made
        when it is drawn: before that, the place of a question that the one before asks must be reserved.
        """
        vectors = self.vectoriser.observe_all(samples)
        if any(stated):
            vectors = list(map(self.taught.joined, vectors, stated))
        predictions = self.taught.predict_all(vectors)
        for sample_id, vector, probabilities in zip(sample_ids, vectors, predictions, strict=True):
            yield self._decided(sample_id, vector, probabilities, at, available)

    def _decided(self, sample_id: str, vector: Vector, probabilities: dict[str, float], at: float, available: bool) -> Decision:
        taught = self.taught
        # Nearly all streams learn classes here, and every sample waits for this: they pay for two looks, not for a call.
        cold = taught.cold if self._numbers or taught.relays else len(taught.classes) < 2  # noqa: PLR2004 - as `cold` has it
        if self._informed is not None:
            utility = self._informed.observe(sample_id, vector, {} if cold else probabilities, self.taught)
        else:
            utility = 1.0 if cold or not probabilities else self._measure(probabilities)
        if cold and taught.relays:
            utility = _EVEN
        query = self.policy.decide(sample_id, utility, at, cold=cold, available=available)
        if self._numbers:
            return self._foretold(sample_id, probabilities, query)
        prediction = Prediction.of(probabilities)
        self.traffic.see(prediction.confidence, query.probability)
        return Decision(sample_id, self.version, prediction, query)

    def _foretold(self, sample_id: str, said: dict[str, float], query: Query) -> Decision:
        """The decision about a sample of a regression stream."""
        prediction, forecast = self.taught.told(said)
        decision = Decision(sample_id, self.version, prediction, query, forecast)
        self.traffic.see(decision.sureness, query.probability)
        return decision

    def known(self, sample_id: str, features: Features, probabilities: Probabilities | None = None) -> Decision:
        """The decision about a sample that was labelled without being asked: a prediction, and no question; nothing moves."""
        vector = self.taught.joined(self.vectoriser.vector(features), probabilities)
        prediction, forecast = self.taught.told(self.taught.predict(vector))
        query = Query(False, 0.0, "answered", 0.0, None, self.policy.rule_name, self.budget.view(self.budget.due, self.budget.spent, 0))
        return Decision(sample_id, self.version, prediction, query, forecast)

    def chosen(self, sample_id: str, probabilities: dict[str, float], utility: float, reason: Reason) -> Decision:
        """The decision to ask about a sample that somebody chose, for which the account must have room; nothing moves.

        No coin was thrown, so its probability says nothing about other samples.
        """
        budget = self.budget
        query = Query(True, 1.0, reason, utility, None, reason, budget.view(budget.due, budget.spent, 1))
        prediction, forecast = self.taught.told(probabilities)
        return Decision(sample_id, self.version, prediction, query, forecast)

    def question(
        self,
        decision: Decision,
        features: Features,
        origin: Origin = NOWHERE,
        probabilities: Probabilities | None = None,
        parents: Sequence[str] = (),
    ) -> Asked:
        """The event that asks a decided question; `parents` are the samples that a synthetic one was made of."""
        at = self.budget.last_at
        expires_at = at + self.config.labels.expire_after
        return Asked(at, features, decision, self.marked(), expires_at, origin, probabilities, list(parents))

    def answer(
        self,
        sample_id: str,
        label: str,
        labeler: str,
        features: Features,
        at: float,
        *,
        brought: bool,
        labeled_at: str | None,
        probabilities: Probabilities | None = None,
    ) -> Labelled:
        """The event of an answer, with the vector as it is now; features that were `brought` along teach preprocessing too."""
        own = self.vectoriser.observe(features) if brought else self.vectoriser.vector(features)
        vector = self.taught.joined(own, probabilities)
        sample = self.queries.samples.get(sample_id)
        row = NO_ROW if sample is None else sample.row
        guesses = [] if row == NO_ROW else self.evidence.guessed(row) or self.taught.guesses(vector)
        arms = 0 if row == NO_ROW else self.evidence.lesson(row, sample_id)
        epoch = self.taught.epoch
        return Labelled(
            at, sample_id, label, labeler, epoch, features, vector, labeled_at, guesses=guesses, arms=arms, probabilities=probabilities
        )

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
        """What estimators look at: enough for windows, or the `whole` history, which takes as long as there are questions."""
        view = View.of(self.budget.seen, self.traffic, self.evidence, self.queries.chosen)
        return entire(view, self.evidence) if whole else view

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

    def _configure_policy(self) -> None:
        config = self.config
        self._numbers = config.task == REGRESSION
        self._measure, self._informed = build_measure(config.query)
        word = None if self._informed is None else self._informed.reason
        rule = build_rule(config.query)
        if isinstance(rule, AutoRule):
            rule.weights = self._shares
        self._mixture: Mixture | None = None
        self._judged = (0, 0)
        self.policy = QueryPolicy(rule, config.query.rule, self.budget, config.exploration, self.secret, word)

    def mixture(self) -> Mixture | None:
        """How the candidates of the rule stand, where it mixes several; judged anew where questions came or answers changed."""
        rule, evidence = self.policy.rule, self.evidence
        if not isinstance(rule, AutoRule):
            return None
        if self._mixture is None or self._judged != (len(evidence), evidence.changes):
            self._judged = len(evidence), evidence.changes
            self._mixture = held(evidence, rule.names, rule.share, numbers=self._numbers)
        return self._mixture

    def _shares(self) -> list[float]:
        mixture = self.mixture()
        return [] if mixture is None else mixture.shares


def fresh(epoch: int, config: StreamConfig) -> Taught:
    """A model that was taught nothing, with what learns beside it."""
    built = build_model(config.model)
    if config.task == REGRESSION:
        return Regressing(epoch, built.model, built.vectoriser, build_companion(config))
    arms = [build_model(config.model).model for _ in range(ARMS)]
    return taught(epoch, built.model, built.vectoriser, build_companion(config), arms)
