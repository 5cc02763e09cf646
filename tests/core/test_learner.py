"""The fold and the decisions: the log rebuilds everything, and marks continue what moves with every sample."""

import itertools
import math
import random

import msgspec
import numpy as np
import pytest

from service.core import events
from service.core.catalogue import effective
from service.core.digest import digest
from service.core.errors import CorruptLog
from service.core.events import Asked, Checkpoint, Configured, Expired, Labelled, Swapped
from service.core.freezer import freeze, thaw
from service.core.learner import Learner
from service.core.measures import INFORMED, MEASURES
from service.core.models import MODELS
from service.core.rebuild import fold, rebuild_of
from service.core.rules import RULES

LINEAR = {"model": {"type": "logistic"}}


class Book:
    """A stream and its log, in memory, as a server would keep them."""

    def __init__(self, raw=None):
        """Create the stream."""
        self.log = []
        self.learner = None
        self.append(Configured(0.0, effective(raw or {}), b"k" * 16))

    def append(self, event):
        """Commit and fold an event, by way of its bytes."""
        seq = len(self.log) + 1
        event = events.decode(events.encode(event))
        self.log.append((seq, event))
        if self.learner is None:
            self.learner = Learner(seq, event)
            return None
        return self.learner.apply(seq, event)

    def read(self, after, upto):
        """The log between two positions."""
        return [item for item in self.log if after < item[0] <= upto]

    def sample(self, sample_id, features, at=0.0):
        """Decide about a sample, and commit its question."""
        decision = self.learner.decide(sample_id, features, at)
        if decision.query.ask:
            token = self.learner.budget.take()
            question = self.learner.question(decision, features)
            self.learner.budget.release(token)
            self.append(question)
        return decision

    def label(self, sample_id, label, features, at=0.0, *, brought=False):
        """Commit an answer."""
        return self.append(self.learner.answer(sample_id, label, "", features, at, brought=brought, labeled_at=None))

    def checkpoint(self):
        """Commit the decision state."""
        self.append(self.learner.checkpointed(1, 0.0, self.learner.vectoriser.state()))


def drive(book, rng, count, prefix=""):
    """A stream of samples; questions are answered at once."""
    decisions = []
    for number in range(count):
        x = rng.gauss(0, 1)
        features = {"x": x, "y": rng.random(), "kind": rng.choice("abc"), "text": rng.choice(["good day", "bad night", "day night"])}
        decision = book.sample(f"{prefix}{number}", features, float(number))
        if decision.query.ask:
            book.label(decision.id, "pos" if x > 0 else "neg", features, float(number))
        decisions.append(decision)
    return decisions


@pytest.mark.parametrize("model", MODELS)
def test_the_log_rebuilds_the_learned_state_to_the_bit(model):
    """A fold of the log's bytes has the same canonical hash and transcript as the state that served."""
    book = Book({"model": {"type": model}})
    drive(book, random.Random(1), 300)
    again = fold(book.read)

    assert again.fingerprint() == book.learner.fingerprint()
    assert again.transcript == book.learner.transcript


def test_one_label_more_is_another_state():
    """The hash tells states apart that differ by one label."""
    book = Book()
    drive(book, random.Random(1), 100)
    before = book.learner.fingerprint()
    book.label("extra", "pos", {"x": 1.0}, brought=True)

    assert book.learner.fingerprint() != before


@pytest.mark.parametrize("rule", RULES)
def test_a_twin_from_the_log_decides_the_same(rule):
    """A state that is resumed from the log decides as the one that served, when both see the same samples from the checkpoint on."""
    book = Book({"query": {"rule": rule}, "budget": {"rate": 0.2}})
    drive(book, random.Random(2), 200)
    book.checkpoint()
    twin = Book()
    twin.log, twin.learner = list(book.log), fold(book.read)
    twin.learner.resume()

    assert drive(twin, random.Random(3), 200, "later-") == drive(book, random.Random(3), 200, "later-")
    assert twin.learner.fingerprint() == book.learner.fingerprint()


def test_a_crash_forgets_unasked_samples_only():
    """Without a checkpoint the account goes on from the last question: what was seen since is lost, on the side of fewer asks."""
    book = Book()
    drive(book, random.Random(4), 500)
    twin = fold(book.read)
    twin.resume()
    last = [event for _, event in book.log if isinstance(event, Asked)][-1]

    assert twin.budget.seen == last.mark.seen <= book.learner.budget.seen
    assert twin.budget.asked == book.learner.budget.asked
    assert twin.budget.left <= book.learner.budget.left


@pytest.mark.parametrize("model", MODELS)
def test_a_snapshot_half_way_changes_nothing(model):
    """A state that was frozen, thawed and fed the rest of the log equals the one that served throughout."""
    book = Book({"model": {"type": model}})
    drive(book, random.Random(5), 150)
    book.checkpoint()
    half = Learner.of(thaw(freeze(book.learner.learned())))
    drive(book, random.Random(6), 150, "later-")
    rest = fold(book.read, half)

    assert rest.fingerprint() == book.learner.fingerprint()
    assert rest.transcript == book.learner.transcript


def test_predictions_change_nothing():
    """A state that predicted a thousand times more learned the same."""
    quiet, asked = Book(), Book()
    for number in range(60):
        features = {"x": math.sin(number), "kind": "ab"[number % 2]}
        for _ in range(20):
            asked.learner.known("probe", features)
        quiet.label(str(number), "ab"[number % 2], features, brought=True)
        asked.label(str(number), "ab"[number % 2], features, brought=True)

    assert asked.learner.fingerprint() == quiet.learner.fingerprint()


def test_a_question_that_is_asked_twice_in_the_log_counts_once():
    """The fold takes an id once and gives the second place back."""
    book = Book()
    decision = book.learner.decide("a", {"x": 1}, 0.0)
    question = book.learner.question(decision, {"x": 1})
    book.append(question)
    book.append(question)

    assert (book.learner.budget.asked, book.learner.budget.given_back, book.learner.budget.open) == (2, 1, 1)


def test_a_skip_is_learned_state_and_teaches_nothing():
    """It is in the hash, in a snapshot and in what a replay gives; neither the model nor the account moves, and twice is once."""
    book = Book({"budget": {"rate": 1.0}})
    drive(book, random.Random(7), 30)
    book.sample("open", {"x": 1.0})
    before, version, left = book.learner.fingerprint(), book.learner.version, book.learner.budget.left
    outcomes = [book.append(events.Skipped(1.0, name, "u1", "unclear")).outcome for name in ("open", "open", "ghost")]
    thawed = Learner.of(thaw(freeze(book.learner.learned())))

    assert outcomes == ["skipped", "skipped", "unknown"]
    assert book.learner.queries.samples["open"].skipped == ("u1",)
    assert (book.learner.version, book.learner.budget.left) == (version, left)
    assert thawed.fingerprint() == fold(book.read).fingerprint() == book.learner.fingerprint() != before


def test_events_about_unknown_samples_are_folded_as_nothing():
    """The fold is total: what does not fit changes nothing and stops nothing."""
    book = Book()
    book.append(Expired(0.0, "ghost"))
    outcome = book.append(events.Retracted(0.0, "ghost", ""))
    book.append(events.Withdrawn(0.0, "ghost"))

    assert outcome.outcome == "unknown"
    assert (book.learner.budget.open, book.learner.budget.given_back) == (0, 0)


def test_an_event_out_of_order_is_refused():
    """A fold never goes back."""
    book = Book()
    with pytest.raises(CorruptLog):
        book.learner.apply(1, Expired(0.0, "a"))


def test_a_log_that_does_not_begin_with_its_stream_is_refused():
    """The first event creates the stream."""
    with pytest.raises(CorruptLog):
        fold(lambda after, upto: [(1, Expired(0.0, "a"))])
    with pytest.raises(CorruptLog, match="empty"):
        fold(lambda after, upto: [])


def test_the_transcript_is_of_the_serving_state():
    """A model that was tampered with leaves another transcript than the log gives."""
    book = Book()
    drive(book, random.Random(8), 100)
    book.learner.taught.teach({"x": 5.0}, "pos")
    drive(book, random.Random(9), 100, "later-")
    book.checkpoint()
    checkpoint = next(event for _, event in reversed(book.log) if isinstance(event, Checkpoint))

    assert checkpoint.transcript != fold(book.read).transcript


def test_a_poisoned_sample_is_survived():
    """After one sample of 1e99 and its label, and 500 normal ones, accuracy is within two points of what it was."""

    def accuracy(book, seed):
        rng, right = random.Random(seed), 0
        for number in range(500):
            x, y = rng.gauss(0, 1), rng.gauss(0, 1)
            decision = book.sample(f"{seed}-{number}", {"x": x, "y": y})
            truth = "pos" if x + y > 0 else "neg"
            right += decision.prediction.label == truth
            if decision.query.ask:
                book.label(decision.id, truth, {"x": x, "y": y})
        return right / 500

    clean, poisoned = Book({"budget": {"rate": 0.2}}), Book({"budget": {"rate": 0.2}})
    for book in (clean, poisoned):
        accuracy(book, 1)
    poisoned.sample("wild", {"x": 1e99, "y": -1e99})
    poisoned.label("wild", "neg", {"x": 1e99, "y": -1e99}, brought=True)
    for book in (clean, poisoned):
        accuracy(book, 2)

    assert accuracy(poisoned, 3) > accuracy(clean, 3) - 0.02


def test_a_broken_model_is_asked_about_and_never_stops_the_service():
    """Probabilities that are NaN, negative, empty or an error count as knowing nothing."""

    class Broken:
        answers = iter([{0: math.nan, 1: math.nan}, {0: -1.0, 1: math.inf}, {}, None])

        def predict_proba_one(self, x):
            return next(self.answers)

        def learn_one(self, x, y):
            pass

    book = Book()
    for name, label in (("a", "pos"), ("b", "neg")):
        book.label(name, label, {"x": 1.0}, brought=True)
    book.learner.taught.model = Broken()
    decisions = [book.sample(f"s{number}", {"x": 1.0}) for number in range(4)]

    assert [decision.prediction.probabilities for decision in decisions] == [{}] * 4
    assert [decision.query.utility for decision in decisions] == [1.0] * 4


def test_probabilities_that_do_not_sum_to_one_are_normalised():
    """What a model gives beside its classes is left out, and the rest is a distribution."""

    class Generous:
        def predict_proba_one(self, x):
            return {0: 3.0, 1: 1.0, 7: 9.0}

        def learn_one(self, x, y):
            pass

    book = Book()
    for name, label in (("a", "pos"), ("b", "neg")):
        book.label(name, label, {"x": 1.0}, brought=True)
    book.learner.taught.model = Generous()

    assert book.sample("s", {"x": 1.0}).prediction.probabilities == {"pos": 0.75, "neg": 0.25}


def test_a_third_class_is_learned_late():
    """Logistic regression goes on with what it knows when another class appears."""
    book = Book()
    rng = random.Random(1)
    for number in range(300):
        kind = rng.choice("ab" if number < 150 else "abc")
        book.label(str(number), kind, {"a": float(kind == "a"), "b": float(kind == "b")}, brought=True)
    predicted = [book.learner.known("p", {"a": float(kind == "a"), "b": float(kind == "b")}).prediction for kind in "abc"]

    assert [prediction.label for prediction in predicted] == ["a", "b", "c"]
    assert [type(event) for _, event in book.log[1:3]] == [Labelled, Labelled]


INFORMED_RUNS = [(measure, model) for measure in INFORMED for model in ("auto", "logistic", "adaptive-random-forest")]


@pytest.mark.parametrize(("measure", "model"), INFORMED_RUNS)
def test_what_learns_beside_the_model_is_rebuilt_and_continued(measure, model):
    """A fold of the log's bytes has the same state, companions included; a twin from the log goes on as the one that served."""
    book = Book({"model": {"type": model}, "query": {"measure": measure}, "budget": {"rate": 0.2}})
    drive(book, random.Random(2), 150)
    book.checkpoint()
    twin = Book()
    twin.log, twin.learner = list(book.log), fold(book.read)
    twin.learner.resume()

    assert twin.learner.fingerprint() == book.learner.fingerprint()
    assert drive(twin, random.Random(3), 100, "later-") == drive(book, random.Random(3), 100, "later-")
    assert twin.learner.fingerprint() == book.learner.fingerprint()


@pytest.mark.parametrize("measure", ["committee", "probabilistic"])
def test_a_companion_that_lost_a_label_is_another_state(measure):
    """The canonical hash covers what learns beside the model."""
    book = Book({**LINEAR, "query": {"measure": measure}})
    drive(book, random.Random(2), 60)
    before = book.learner.fingerprint()
    book.learner.taught.companion.learn({"x": 1.0}, 0)

    assert book.learner.fingerprint() != before


@pytest.mark.parametrize("measure", ["committee", "probabilistic"])
def test_the_transcript_tells_what_a_companion_served(measure):
    """A companion that learned what is in no log is found out by the next label, though the model predicts the same."""
    book = Book({**LINEAR, "query": {"measure": measure}})
    drive(book, random.Random(2), 60)
    for _ in range(3):
        book.learner.taught.companion.learn(book.learner.vectoriser.vector({"x": 0.5, "y": 0.5}), 0)
    book.label("extra", "pos", {"x": 0.5, "y": 0.5}, brought=True)

    assert fold(book.read).transcript != book.learner.transcript


@pytest.mark.parametrize("measure", INFORMED)
def test_a_snapshot_keeps_what_learns_beside_the_model(measure):
    """A state that was frozen and thawed half way decides and learns as the one that served throughout."""
    book = Book({"query": {"measure": measure}, "budget": {"rate": 0.2}})
    drive(book, random.Random(5), 100)
    book.checkpoint()
    half = Learner.of(thaw(freeze(book.learner.learned())))
    twin = Book()
    twin.log, twin.learner = list(book.log), half

    assert drive(twin, random.Random(6), 100, "later-") == drive(book, random.Random(6), 100, "later-")
    assert half.fingerprint() == book.learner.fingerprint()


@pytest.mark.parametrize("measure", ["committee", "epistemic"])
def test_after_a_correction_the_companion_never_knew_the_first_label(measure):
    """The rebuilt companion equals the one of a stream in which the corrected label was never given."""
    book = Book({**LINEAR, "query": {"measure": measure}})
    for number in range(40):
        book.label(str(number), "ab"[number % 2], {"x": math.sin(number)}, brought=True)
    first = next(seq for seq, event in book.log if isinstance(event, Labelled) and event.sample_id == "7")
    book.label("7", "a", {"x": math.sin(7)})
    rebuilt = rebuild_of(book.learner.superseded, book.read, book.learner.seq)
    clean = fold(lambda after, upto: [item for item in book.read(after, upto) if item[0] != first])

    assert digest(rebuilt.companion) == digest(clean.taught.companion)
    assert digest(rebuilt.companion) != digest(book.learner.taught.companion)


def test_a_measure_that_is_chosen_later_is_taught_by_a_rebuild():
    """The new companion begins empty, a rebuild is due, and its swap brings one that learned every label."""
    book, always = Book({**LINEAR, "query": {"measure": "margin"}}), Book({**LINEAR, "query": {"measure": "committee"}})
    for each in (book, always):
        for number in range(30):
            each.label(str(number), "ab"[number % 2], {"x": math.sin(number)}, brought=True)
    assert book.append(Configured(1.0, effective({**LINEAR, "query": {"measure": "committee"}}))).rebuild
    fresh = digest(book.learner.taught.companion)
    book.learner.candidate = rebuild_of(book.learner.superseded, book.read, book.learner.seq)
    book.append(Swapped(2.0, book.learner.rebuild_from))

    assert digest(book.learner.taught.companion) == digest(always.learner.taught.companion) != fresh
    assert book.learner.rebuild_from == 0
    assert fold(book.read).fingerprint() == book.learner.fingerprint()


def test_a_measure_without_a_companion_needs_no_rebuild():
    """Changing to a measure of the probabilities alone drops what learned beside the model."""
    book = Book({**LINEAR, "query": {"measure": "committee"}})
    drive(book, random.Random(1), 50)

    assert not book.append(Configured(1.0, effective({**LINEAR, "query": {"measure": "entropy"}}))).rebuild
    assert book.learner.taught.companion is None


@pytest.mark.parametrize("measure", ["density", "cognitive", "probabilistic"])
def test_a_sample_is_taken_out_of_what_the_measure_keeps(measure):
    """After it is forgotten no checkpoint holds the sketch of a sample."""
    book = Book({"query": {"measure": measure}})
    for number in range(6):
        book.learner.decide(str(number), {"x": math.sin(number)}, 0.0)
    book.learner.decide("secret", {"x": 0.1}, 0.0)
    sketch = np.float32(book.learner.vectoriser.vector({"x": 0.1})["x"]).tobytes()
    assert sketch in book.learner.checkpointed(1, 0.0, None).measure
    book.learner.forget(["secret", "unknown"])

    assert sketch not in book.learner.checkpointed(1, 0.0, None).measure


@pytest.mark.parametrize(("rule", "measure"), list(itertools.product(RULES, MEASURES)))
def test_every_rule_takes_every_measure(rule, measure):
    """Together they ask, keep the budget at every prefix, and say why they asked."""
    book = Book({"query": {"rule": rule, "measure": measure}, "budget": {"rate": 0.2, "burst": 10}})
    decided = drive(book, random.Random(7), 120)
    word = RULES[rule]().reason
    measured = INFORMED[measure].reason if measure in INFORMED and word == "uncertain" else word
    asked = [decision.query for decision in decided if decision.query.ask]

    assert asked
    assert all(query.budget.asked <= 0.2 * query.budget.seen + 10 for query in asked)
    assert {query.reason for query in asked} <= {"cold-start", "exploration", measured}


def asked_at(book, sample_id, probability):
    """Commit a question with this probability."""
    decision = book.learner.decide(sample_id, {"x": 1.0}, 0.0)
    query = msgspec.structs.replace(decision.query, ask=True, probability=probability)
    book.append(book.learner.question(msgspec.structs.replace(decision, query=query), {"x": 1.0}))


@pytest.mark.parametrize(("probability", "weight"), [(1.0, 1.0), (0.5, 2.0), (0.25, 4.0), (0.01, 10.0)])
def test_labels_weigh_the_inverse_of_their_probability_where_that_is_wanted(probability, weight):
    """With `query.weighted` a label is learned with 1/p, at most 10; without it, and where nobody was asked, with 1."""
    for weighted in (False, True):
        book, twin = Book({**LINEAR, "query": {"weighted": weighted}}), Book(LINEAR)
        asked_at(book, "a", probability)
        applied = book.label("a", "pos", {"x": 1.0})
        twin.learner.decide("a", {"x": 1.0}, 0.0)
        twin.learner.taught.teach({"x": 0.0}, "pos", applied.taught.weight)

        assert applied.taught == ("pos", weight if weighted else 1.0, probability)
        assert book.learner.taught.model._intercepts == twin.learner.taught.model._intercepts
    assert book.label("b", "neg", {"x": 2.0}, brought=True).taught == ("neg", 1.0, 0.0)


def test_models_without_weights_learn_a_heavy_label_more_often():
    """A k-NN model that knows no weights remembers a label of weight 3 three times."""
    book = Book({"model": {"type": "knn"}})
    book.learner.taught.teach({"x": 1.0}, "pos", 3.0)

    assert len(book.learner.taught.model._nn.window) == 3


def test_how_late_answers_are_is_learned_from_the_log():
    """Questions that are asked before an answer comes move a mean by a fifth; a label nobody asked for says nothing of it."""
    book = Book()
    for name in "abcd":
        assert book.sample(name, {"x": 1.0}).query.ask
    book.label("z", "pos", {"x": 2.0}, brought=True)
    assert book.learner.budget.late == 0.0
    book.label("a", "pos", {"x": 1.0})
    assert book.learner.budget.late == pytest.approx(0.2 * 3)
    book.label("d", "neg", {"x": 1.0})
    assert book.learner.budget.late == pytest.approx(0.8 * 0.6)

    assert fold(book.read).budget.late == Learner.of(thaw(freeze(book.learner.learned()))).budget.late == book.learner.budget.late
