"""What is remembered for evaluation: every sample counted, every question kept, nothing that was not asked, and all of it from the log."""

import math
import random
from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core import events
from service.core.catalogue import effective
from service.core.embeddings import single
from service.core.erasure import blanked
from service.core.errors import Invalid
from service.core.evaluation import LONG, SHORT, Traffic, evaluate, recent
from service.core.evaluation import view as views
from service.core.evaluation.evidence import UNKNOWN
from service.core.evaluation.traffic import BLANK, BOUNDS, GONE, KINDS, SURE, UNCOVERED, kind_of, since
from service.core.evaluation.view import View
from service.core.events import Asked, Configured, Erased, Expired, Retracted, Swapped, sample_of
from service.core.freezer import freeze, thaw
from service.core.learner import Learner
from service.core.rebuild import fold, rebuild_of


class Stream:
    """A stream and its log, as a server would keep them."""

    def __init__(self, **raw):
        """Create it."""
        self.log = []
        self.learner = Learner(1, Configured(0.0, effective(raw), b"k" * 16))
        self.log.append((1, Configured(0.0, effective(raw), b"k" * 16)))

    def append(self, event):
        """Commit and fold an event, by way of its bytes."""
        self.log.append((len(self.log) + 1, events.decode(events.encode(event))))
        return self.learner.apply(*self.log[-1])

    def read(self, after, upto):
        """The log between two positions."""
        return [item for item in self.log if after < item[0] <= upto]

    def label(self, sample_id, label, features, *, labeler="", brought=False):
        """Commit an answer."""
        answer = self.learner.answer(sample_id, label, labeler, features, 0.0, brought=brought, labeled_at=None)
        return self.append(answer)

    def drive(self, count, seed=0, *, silent=0.0):
        """So many samples; questions are answered at once, but for a share that stays `silent`."""
        chance = random.Random(seed)
        first = self.learner.budget.seen
        for number in range(first, first + count):
            features = {"x": chance.gauss(0, 1), "y": chance.random(), "country": chance.choice(["DE", "FR", "IT"])}
            decision = self.learner.decide(f"{number}", features, float(number))
            if decision.query.ask:
                self.append(self.learner.question(decision, features))
                if chance.random() >= silent:
                    self.label(decision.id, "pos" if features["x"] + 0.3 * chance.gauss(0, 1) > 0 else "neg", features)

    def erase(self, *sample_ids):
        """Erase samples as the log does."""
        for sample_id in sample_ids:
            at = [index for index, (_, event) in enumerate(self.log) if sample_of(event) == sample_id]
            for index, event in zip(at, blanked([self.log[index][1] for index in at]), strict=True):
                self.log[index] = self.log[index][0], event
        self.append(Erased(0.0, list(sample_ids)))

    def questions(self):
        """The questions in the log."""
        return [event for _, event in self.log if isinstance(event, Asked)]

    def told(self, learner=None):
        """All that is said of it."""
        learner = learner or self.learner
        return evaluate(learner.view(whole=True), learner.config)


def served(**raw):
    """A stream with two thousand and some samples behind it."""
    stream = Stream(budget={"rate": 0.1, "price": 0.4}, slices=["country"], **raw)
    stream.drive(2_600)
    return stream


# Traffic


def test_samples_are_counted_by_how_sure_the_model_was():
    """Kinds lie between the bounds; without a prediction, and without a chance, they are of their own."""
    assert [kind_of(confidence, 0.1) for confidence in (0.3, *BOUNDS, 1.0)] == [*range(SURE), SURE - 1]
    assert (kind_of(None, 0.1), kind_of(None, 0.0), kind_of(0.9, 0.00001)) == (BLANK, UNCOVERED, UNCOVERED)


PLACES = st.lists(st.tuples(st.none() | st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.5, 1.0])), min_size=1, max_size=60)


@given(PLACES, st.sets(st.integers(1, 59)), st.data())
@settings(deadline=None)
def test_what_came_between_two_questions_is_known_exactly(samples, questions, data):
    """From a question on the counts are exact; from a place between two of them they add up to the samples since."""
    traffic, trail, seen = Traffic(), [(0, *Traffic().state())], []
    for place, (confidence, probability) in enumerate(samples, 1):
        traffic.see(confidence, probability)
        seen.append(kind_of(confidence, probability))
        if place in questions:
            trail.append((place, *traffic.state()))
    trail.append((len(samples), *traffic.state()))
    at, between = data.draw(st.sampled_from(trail))[0], data.draw(st.integers(0, len(samples)))

    assert since(trail, at)[0] == np.bincount(seen[at:], minlength=KINDS).tolist()
    assert sum(since(trail, between)[0]) == pytest.approx(len(samples) - between)
    assert min(since(trail, between)[0]) >= 0.0


def test_within_a_gap_kinds_are_taken_in_proportion():
    """Of a gap of 30 samples of two kinds, its last third has a third of each, and of what they cost."""
    counts, cost = since([(0, [0] * KINDS, 0.0), (30, [10, 20, *[0] * (KINDS - 2)], 60.0), (40, [10, 30, *[0] * (KINDS - 2)], 80.0)], 20)

    assert counts[:2] == pytest.approx([10 / 3, 20 / 3 + 10])
    assert cost == pytest.approx(40.0)


def test_milestones_stand_as_far_apart_as_windows_need():
    """Where every sample is asked there is one in twenty; none is older than a window, but for the one before it."""
    stream = Stream(budget={"rate": 1.0}, query={"rule": "random"})
    stream.drive(2_500)
    places = [milestone[0] for milestone in stream.learner.evidence.trail]

    assert len(places) <= 2_000 / 20 + 3
    assert places[0] <= 500 < places[1]
    assert min(late - early for early, late in pairwise(places[:-1])) >= 20


# The log


def test_the_log_and_a_snapshot_give_the_same_figures():
    """Learned evidence is rebuilt bit for bit; with the marks the figures are those that were told at the last question."""
    stream = served()
    stream.append(stream.learner.checkpointed(1, 0.0, None))
    folded, thawed = fold(stream.read), Learner.of(thaw(freeze(stream.learner.learned())))
    folded.resume()

    assert folded.fingerprint() == thawed.fingerprint() == stream.learner.fingerprint()
    assert stream.told(folded) == stream.told(thawed) == stream.told()


def test_after_a_crash_figures_are_of_the_samples_up_to_the_last_question():
    """What was not asked since is forgotten, as in the account."""
    stream = served()
    last = stream.questions()[-1].mark.seen
    for _ in range(200):
        stream.learner.traffic.see(0.7, 0.1)
    stream.learner.budget.seen += 200
    crashed = fold(stream.read)
    crashed.resume()

    assert crashed.view().total.n == stream.told(crashed).total.n == last
    assert stream.told().total.n == stream.learner.budget.seen > last


def test_a_snapshot_continues():
    """Samples, questions and answers after a restart go on where those before ended."""
    stream = served()
    stream.append(stream.learner.checkpointed(1, 0.0, stream.learner.vectoriser.state()))
    twin = Stream(budget={"rate": 0.1, "price": 0.4}, slices=["country"])
    twin.log, twin.learner = list(stream.log), Learner.of(thaw(freeze(stream.learner.learned())))
    for one in (stream, twin):
        one.drive(500, seed=7)

    assert twin.learner.fingerprint() == stream.learner.fingerprint()
    assert twin.told() == stream.told()


def test_it_says_what_is_true():
    """Over all traffic the estimate is near the truth, where the accuracy on the answered questions is far from it."""
    stream = Stream(budget={"rate": 0.1})
    hits = 0
    chance = random.Random(3)
    for number in range(6_000):
        x = chance.gauss(0, 1)
        label = "pos" if x + 0.3 * chance.gauss(0, 1) > 0 else "neg"
        decision = stream.learner.decide(f"{number}", {"x": x}, 0.0)
        hits += decision.prediction.label == label
        if decision.query.ask:
            stream.append(stream.learner.question(decision, {"x": x}))
            stream.label(decision.id, label, {"x": x})
    told = stream.told().total

    assert told.low < hits / 6_000 < told.high
    assert abs(told.accuracy - hits / 6_000) < 0.03
    assert told.naive < hits / 6_000 - 0.05


# What enters, and what does not


def test_labels_that_were_not_asked_for_never_enter():
    """A thousand labels that came along change neither evidence nor figures, though the model learns them (law 8)."""
    stream = served()
    before, rows = stream.told(), len(stream.learner.evidence)
    chance = random.Random(5)
    for number in range(1_000):
        stream.label(f"own-{number}", "pos", {"x": chance.gauss(5, 1)}, brought=True)

    assert len(stream.learner.evidence) == rows
    assert stream.told() == before


def test_a_correction_and_a_retraction_move_the_figures():
    """Evidence follows the label that stands, also where the model's rebuild is still to come."""
    stream = served()
    sample_id = next(event.sample_id for event in reversed(stream.questions()) if event.decision.prediction.label is not None)
    features = next(event.features for event in stream.questions() if event.sample_id == sample_id)
    row = stream.learner.queries.samples[sample_id].row
    was_right = stream.learner.view(whole=True).rows.correct[row]
    other = {"pos": "neg", "neg": "pos"}[stream.learner.queries.samples[sample_id].taught]
    loss = stream.learner.evidence.losses[row]
    stream.label(sample_id, other, features)
    corrected = stream.learner.view(whole=True).rows.correct[row]
    told = stream.told()
    stream.append(Retracted(0.0, sample_id, ""))
    retracted = stream.told()

    assert {was_right, corrected} == {0.0, 1.0}
    assert math.exp(-loss) + math.exp(-_loss_of(stream, row, other)) == pytest.approx(1.0, abs=1e-6)
    assert (retracted.total.answered, retracted.total.asked) == (told.total.answered - 1, told.total.asked)
    assert stream.learner.evidence.truths[row] == UNKNOWN
    assert fold(stream.read).learned()["evidence"] == stream.learner.learned()["evidence"]


def _loss_of(stream, row, label):
    twin = Learner.of(thaw(freeze(stream.learner.learned())))
    twin.evidence.settle(row, None)
    twin.evidence.settle(row, label)
    return twin.evidence.losses[row]


def test_an_erased_sample_was_asked_and_says_nothing():
    """Its price stays; its labels, slice and probabilities are gone from the evidence, in a fold of the blanked log too."""
    stream = served()
    asked = stream.questions()
    gone = [event.sample_id for event in asked[50:80]]
    before = stream.told()
    stream.erase(*gone)
    rows = [stream.learner.queries.samples[sample_id].row for sample_id in gone]
    stream.learner.candidate = rebuild_of(stream.learner.superseded, stream.read, stream.learner.seq)
    stream.append(Swapped(0.0, stream.learner.seq))
    after = stream.told()

    assert [stream.learner.evidence.kinds[row] for row in rows] == [GONE] * 30
    assert {stream.learner.evidence.parts[row] for row in rows} == {("",)}
    assert (after.total.asked, after.total.answered) == (before.total.asked, before.total.answered - 30)
    assert fold(stream.read).learned()["evidence"] == stream.learner.learned()["evidence"]
    assert fold(stream.read).fingerprint() == stream.learner.fingerprint()


def test_questions_without_an_answer_are_reported():
    """A third of the questions stays silent: they are asked, not answered, and an expired one too."""
    stream = Stream(budget={"rate": 0.2})
    stream.drive(1_000, silent=0.33)
    told = stream.told().total
    silent = next(iter(stream.learner.queries.open))
    stream.append(Expired(0.0, silent))

    assert 0.5 * told.asked < told.answered < 0.8 * told.asked
    assert told.accuracy is not None
    assert stream.told().total == told


def test_answers_to_random_questions_alone_teach_the_arms():
    """The first arm learns all of them and nothing else, the second some of them; each says what it knew before."""
    stream = served()
    explored = [event for event in stream.questions() if event.decision.query.reason == "exploration"]
    answers = {event.sample_id: event for _, event in stream.log if hasattr(event, "arms")}
    taught = [answers[event.sample_id].arms for event in explored]

    assert {answers[event.sample_id].arms for event in stream.questions() if event not in explored} == {0}
    assert set(taught) == {1, 2}
    assert 0.2 < taught.count(2) / len(taught) < 0.5
    assert all(len(answer.guesses) == 2 for answer in answers.values())
    assert [len(arm.classes) for arm in stream.learner.taught.arms] == [2, 2]


def test_the_first_guess_stands():
    """A later answer to the same question comes when the arms may have learned it, so it brings no guess."""
    stream = served()
    question = stream.questions()[-1]
    row = stream.learner.queries.samples[question.sample_id].row
    before = [guesses[row] for guesses in stream.learner.evidence.guesses]
    stream.learner.evidence.guess(row, ["something", "else"])

    assert [guesses[row] for guesses in stream.learner.evidence.guesses] == before


# What is told


def test_slices_follow_the_configuration():
    """Three countries, told apart from the question on that saw them configured; another slice begins anew."""
    stream = served()
    told = stream.told().slices["country"]
    stream.append(Configured(0.0, effective({"budget": {"rate": 0.1}, "slices": ["y"]})))

    assert set(told) == {"DE", "FR", "IT"}
    assert sum(part.share for part in told.values()) == pytest.approx(1.0)
    assert stream.told().slices == {"y": {}}
    assert fold(stream.read).learned()["evidence"] == stream.learner.learned()["evidence"]


@pytest.mark.parametrize(
    ("value", "told"), [("DE", "DE"), (True, "true"), (3, "3"), (2.5, "2.5"), (None, "(none)"), ("x" * 200, "other"), ("", "")]
)
def test_slices_take_values_of_every_kind(value, told):
    """As texts, cut to what may be kept."""
    stream = Stream(slices=["kind"])
    decision = stream.learner.decide("a", {"kind": value}, 0.0)
    stream.append(stream.learner.question(decision, {"kind": value}))

    assert stream.learner.evidence.parts == [(told,)]


def test_an_embedding_is_in_no_slice():
    """A sample may have come while its feature was declared as one, and be asked about when it is a slice: the fold goes on."""
    stream = Stream(embeddings={"vec": 2}, slices=["x"])
    features = {"x": 1.0, "vec": single([1.0, 2.0])}
    question = stream.learner.question(stream.learner.decide("a", features, 0.0), features)
    stream.append(Configured(1.0, effective({"slices": ["vec"]})))
    stream.append(question)

    assert stream.learner.evidence.parts == [("",)]


def test_there_are_at_most_five_slices():
    """More are refused with the place."""
    with pytest.raises(Invalid) as refused:
        effective({"slices": list("abcdef")})

    assert refused.value.pointer == "/slices"


def test_every_figure_is_told():
    """Two windows and the whole, classes, money to the cent, savings or why there are none."""
    told = served().told()

    assert (told.window.n, told.recent.n, told.total.n) == (LONG, SHORT, 2_600)
    assert told.covers == 1.0
    assert set(told.classes) == {"pos", "neg"}
    assert told.spent.money == round(0.4 * told.spent.labels, 6)
    assert (told.saved.low is None) == (told.saved.reason == "too few labels")
    assert told.window.kappa < told.window.macro_f1 < 1.0


def test_nothing_is_claimed_of_a_stream_that_asks_nothing():
    """With neither rate nor grant: `disabled`; before the first sample: `no samples`."""
    stream = Stream(budget={"rate": 0.0, "burst": 0})
    empty = stream.told()
    stream.drive(100)
    told = stream.told()

    assert {empty.window.reason, empty.recent.reason, empty.total.reason} == {"no samples"}
    assert {told.window.reason, told.recent.reason, told.total.reason} == {"disabled"}
    assert (told.covers, told.window.accuracy, told.saved.reason) == (0.0, None, "disabled")


def test_traffic_that_could_not_be_asked_is_not_covered():
    """A cap that is reached makes most of the traffic unreachable: no figure is claimed."""
    stream = Stream(budget={"rate": 0.5, "labels": 100, "per": "total"})
    stream.drive(2_000)
    told = stream.told()

    assert told.covers < 0.95
    assert (told.window.reason, told.window.accuracy) == ("not covered", None)
    assert told.window.naive is None or 0.0 <= told.window.naive <= 1.0


def test_looking_changes_nothing():
    """A view is a copy: the stream goes on, the view stays, and another look says the same."""
    stream = served()
    view = stream.learner.view(whole=True)
    before = [np.copy(part) for part in astuple(view.rows)[:7]]
    assert recent(view, LONG) == recent(stream.learner.view(), LONG)
    stream.drive(200, seed=9)

    assert all((then == now).all() or np.isnan(now).any() for then, now in zip(before, astuple(view.rows)[:7], strict=True))
    assert isinstance(view, View)


def test_a_history_that_is_copied_in_pieces_is_the_whole(monkeypatch):
    """However long the pieces are; and each is of the moment when it is drawn."""
    stream = served()
    at_once = stream.learner.view(whole=True)
    monkeypatch.setattr(views, "HISTORY", 100)
    monkeypatch.setattr(views, "_PIECE", 7)
    in_pieces = stream.learner.view(whole=True)

    assert stream.learner.view().first > 7
    columns = zip(astuple(at_once.rows)[:7], astuple(in_pieces.rows)[:7], strict=True)
    assert all((then == now).all() or np.isnan(now).any() for then, now in columns)
    assert evaluate(in_pieces, stream.learner.config).total == evaluate(at_once, stream.learner.config).total
