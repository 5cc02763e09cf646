"""A stream's whole state, and the only writer of it: decide about samples (`serving`), fold events. Synchronous; time comes in.

Learned state moves in `apply` alone, with committed events in log order, and a log rebuilds it bit for bit.
"""

from collections.abc import Sequence
from sys import intern
from typing import Any

import msgspec

from service.core import events, transcript
from service.core.catalogue import build_companion, build_measure
from service.core.config import StreamConfig
from service.core.digest import digest
from service.core.errors import CorruptLog
from service.core.evaluation import Evidence
from service.core.evaluation.evidence import NO_ROW
from service.core.events import (
    Asked,
    Checkpoint,
    Configured,
    Erased,
    Event,
    Expired,
    Labelled,
    Retracted,
    Skipped,
    Swapped,
    Withdrawn,
)
from service.core.open_queries import Effect, Sample, Vote
from service.core.records import CHOSEN, Applied, Lesson, Outcome
from service.core.serving import Serving

_LEAST = 0.1  # probability by which a label's weight is divided: a weight of 1,000 would undo what a linear model knows


class Learner(Serving):
    """One stream: decides, and folds its events."""

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
        sample.chosen, sample.parents = query.reason in CHOSEN, tuple(event.parents)
        if self.queries.ask(event.sample_id, sample):
            sample.row = NO_ROW if sample.chosen else self.evidence.ask(event)
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
        lesson = None if effect.teach is None else self._lesson(event.sample_id, effect.teach)
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

    def _lesson(self, sample_id: str, label: str) -> Lesson:
        """A label with its weight, 1 or the inverse of the probability with which it was asked, within bounds, and the coin's chance."""
        sample = self.queries.samples[sample_id]
        weight = 1.0 / max(_LEAST, sample.probability) if self.config.query.weighted else 1.0
        tossed = sample.asked_seq and not sample.chosen
        return Lesson(label, weight, sample.probability if tossed else 0.0)

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
