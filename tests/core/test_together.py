"""Features where they meet: random configurations and histories, after which every way to the state leads to the same one."""

import random

import pytest

from service.core import events
from service.core.catalogue import effective
from service.core.digest import digest
from service.core.embeddings import single
from service.core.erasure import blanked
from service.core.errors import Invalid
from service.core.events import Asked, Checkpoint, Configured, Erased, Expired, Retracted, Swapped, sample_of
from service.core.freezer import freeze, thaw
from service.core.learner import Learner
from service.core.measures import MEASURES, NUMERIC
from service.core.rebuild import EVERYTHING, fold, rebuild_of, swift
from service.core.records import CHOSEN

MODELS = {
    "classification": ("auto", "logistic", "external", "naive-bayes", "text"),
    "regression": ("linear", "hoeffding-tree-regressor", "knn-regressor"),
}
MEASURED = {"classification": tuple(MEASURES), "regression": tuple(NUMERIC)}
BURST = 30


def configuration(chance, task, votes):
    """A random configuration of a task that is none of those that are refused."""
    while True:
        query = {"rule": chance.choice(["auto", "auto", "logit", "quantile"]), "measure": chance.choice(MEASURED[task])}
        raw = {"task": task, "model": {"type": chance.choice(MODELS[task])}, "query": query | {"weighted": chance.random() < 0.3}}
        raw |= {"labels": {"per_sample": votes}, "budget": {"rate": chance.choice([0.1, 0.4, 1.0]), "burst": BURST}}
        raw |= {"slices": chance.choice([[], ["kind"]]), "embeddings": {} if task == "regression" else chance.choice([{}, {"vec": 4}])}
        try:
            return effective(raw)
        except Invalid:
            continue


class Story:
    """A stream, its log and a rebuild, driven by chance."""

    def __init__(self, seed):
        """Create the stream."""
        self.chance = random.Random(seed)
        self.task = self.chance.choice(["classification", "classification", "classification", "regression"])
        self.votes = 1 if self.task == "regression" else self.chance.choice([1, 2])
        self.log, self.last, self.half, self.allowed = {}, 0, None, float(BURST)
        self.samples, self.gone = {}, set()
        first = Configured(0.0, configuration(self.chance, self.task, self.votes), b"k" * 16)
        self.log[1], self.last, self.learner = first, 1, Learner(1, first)

    def read(self, after, upto):
        """The log between two positions."""
        return [(seq, event) for seq, event in sorted(self.log.items()) if after < seq <= upto]

    def append(self, event):
        """Commit and fold an event; an erasure blanks the log, and snapshots before it are gone."""
        self.last += 1
        if isinstance(event, Erased):
            self.half = None
            for sample_id in event.sample_ids:
                own = {seq: one for seq, one in self.read(0, EVERYTHING) if sample_of(one) == sample_id}
                self.log |= dict(zip(own, blanked(own.values()), strict=True))
        self.log[self.last] = event = events.decode(events.encode(event))
        self.learner.apply(self.last, event)

    def sampled(self):
        """A new sample: its id, its features and what it states."""
        chance, number = self.chance, len(self.samples)
        features = {"x": chance.gauss(0.0, 1.0), "kind": chance.choice("abc")}
        if chance.random() < 0.4:
            features["text"] = " ".join(chance.choices(["good", "bad", "day", "night"], k=5))
        if "vec" in self.learner.config.embeddings:
            features["vec"] = single([chance.gauss(features["x"], 1.0) for _ in range(4)])
        p = chance.random()
        states = self.task == "classification" and (number % 3 == 0 or self.learner.config.model.type == "external")
        self.samples[f"s{number}"] = features, {"pos": p, "neg": 1.0 - p} if states else None
        return f"s{number}", features, self.samples[f"s{number}"][1]

    def commit(self, decision, features, stated):
        """Commit a question; the promise holds after each."""
        budget = self.learner.budget
        token = budget.take()
        question = self.learner.question(decision, features, probabilities=stated)
        budget.release(token)
        self.append(question)
        assert budget.asked - budget.given_back <= self.allowed + 1e-6

    def ask(self):
        """Samples that come along; what is asked is answered at once."""
        for _ in range(4):
            sample_id, features, stated = self.sampled()
            self.allowed += self.learner.config.budget.rate
            (decision,) = self.learner.decisions([sample_id], [features], 0.0, stated=[stated])
            assert 0.0 <= decision.query.probability <= 1.0
            if decision.query.ask:
                self.commit(decision, features, stated)
                self.label(sample_id)

    def choose(self):
        """A question without a coin, and its answer: no evidence, arm, contest or residual moves."""
        if self.learner.budget.allowance(0.0, 0.0)[0]:
            sample_id, features, stated = self.sampled()
            vector = self.learner.taught.joined(self.learner.vectoriser.vector(features), stated)
            before = self.judged()
            reason = self.chance.choice(sorted(CHOSEN))
            self.commit(self.learner.chosen(sample_id, self.learner.taught.predict(vector), 1.0, reason), features, stated)
            self.label(sample_id)
            assert self.judged() == before

    def judged(self):
        """A hash of all that speaks for the traffic."""
        taught = self.learner.taught
        apart = [getattr(taught, "residuals", None), getattr(taught.model, "contest", None), [arm.model for arm in taught.arms]]
        return digest([self.learner.evidence.learned(), *apart])

    def label(self, sample_id):
        """An answer, a repeated or a corrected one."""
        features, stated = self.samples[sample_id]
        truth = features["x"] + self.chance.gauss(0.0, 0.3)
        label = repr(truth) if self.task == "regression" else "pos" if truth > 0.0 else "neg"
        labeler = self.chance.choice(["", "", "u1"])
        brought = sample_id not in self.learner.queries.samples
        if sample_id not in self.gone:
            answer = self.learner.answer(sample_id, label, labeler, features, 0.0, brought=brought, labeled_at=None, probabilities=stated)
            self.append(answer)

    def again(self):
        """Something becomes of a sample: another answer, none, or the end."""
        sample_id = self.chance.choice([*self.samples, "s0"])
        what = self.chance.choice(["label", "retract", "expire", "erase"])
        if what == "label" and sample_id in self.samples:
            self.label(sample_id)
        elif what == "retract":
            self.append(Retracted(0.0, sample_id, ""))
        elif what == "expire":
            self.append(Expired(0.0, sample_id))
        elif what == "erase" and self.chance.random() < 0.3 and sample_id in self.learner.queries.samples:
            self.gone.add(sample_id)
            self.append(Erased(0.0, [sample_id]))

    def change(self):
        """Another configuration, or a snapshot half-way."""
        if self.chance.random() < 0.3:
            self.append(Configured(0.0, configuration(self.chance, self.task, self.votes)))
        else:
            self.half = freeze(self.learner.learned())

    def settle(self):
        """Rebuild and swap, where anything calls for it."""
        while self.learner.rebuild_from:
            through = self.learner.anchor
            self.learner.candidate = rebuild_of(dict(self.learner.superseded), self.read, through, through)
            self.append(Swapped(0.0, through))

    def without(self):
        """What the log teaches without erased samples, superseded answers and swaps."""
        kept = [item for item in self.read(0, EVERYTHING) if not isinstance(item[1], Swapped | Erased | Checkpoint)]
        kept = [item for item in kept if sample_of(item[1]) not in self.gone]

        def read(after, upto):
            return [item for item in kept if after < item[0] <= upto]

        return rebuild_of(fold(read).superseded, read, EVERYTHING)


def knowledge(taught):
    """A hash of all that was learned."""
    arms = [(arm.model, arm.classes) for arm in taught.arms]
    return digest([taught.model, taught.classes, taught.base, taught.companion, taught.trust, getattr(taught, "residuals", None), arms])


@pytest.mark.parametrize("seed", range(25))
def test_every_way_to_the_state_leads_to_the_same_one(seed):
    """Serving, a fold, a swift one and a snapshot with the rest agree; a rebuild is the log without what was taken back or erased."""
    story = Story(seed)
    for step in story.chance.choices([story.ask, story.choose, story.again, story.change, story.settle], [6, 2, 4, 1, 1], k=60):
        step()
    story.settle()
    served = story.learner
    others = [fold(story.read), swift(story.read)]
    others += [] if story.half is None else [fold(story.read, Learner.of(thaw(story.half)))]

    assert all(other.fingerprint() == served.fingerprint() for other in others)
    assert all(other.transcript == served.transcript and other.mixture() == served.mixture() for other in others)
    assert knowledge(served.taught) == knowledge(story.without())


@pytest.mark.parametrize("seed", range(100, 110))
def test_wishes_stand_beside_the_questions_that_a_coin_decided(seed):
    """Row by row, whatever was chosen in between, and whatever rule there was."""
    story = Story(seed)
    for step in story.chance.choices([story.ask, story.choose, story.change], [6, 3, 1], k=60):
        step()
    evidence = story.learner.evidence
    asked = [event.decision.query for event in story.log.values() if isinstance(event, Asked)]
    tossed = [query for query in asked if query.reason not in CHOSEN]

    assert len(tossed) == len(evidence)
    for query, row in zip(tossed[evidence.wishes.first :], evidence.wishes.last(len(tossed)).tolist(), strict=bool(evidence.wishes.names)):
        assert (row == list(query.wished.values())) if query.wished else all(cell != cell for cell in row)  # noqa: PLR0124 - NaN
