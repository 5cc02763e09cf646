"""Probabilities of the caller's own model: relayed and recalibrated, or evidence for another model; the log rebuilds either."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import events
from service.core.catalogue import effective
from service.core.digest import digest
from service.core.erasure import blanked
from service.core.errors import Invalid
from service.core.events import Asked, Checkpoint, Configured, Erased, Labelled, Swapped, sample_of
from service.core.features import RESERVED, check_features
from service.core.freezer import freeze, thaw
from service.core.learner import Learner
from service.core.rebuild import fold, rebuild_of
from service.core.recalibration import Recalibration
from service.core.stated import beside, check_fits, check_stated, evidence
from service.simulate import queried, sampled
from service.simulate.scores import calibration_error, reliability

EXTERNAL = {"model": {"type": "external"}, "budget": {"rate": 0.3}}
STACKED = {"model": {"type": "logistic"}, "budget": {"rate": 0.3}}
SETUPS = pytest.mark.parametrize("raw", [EXTERNAL, STACKED, {"model": {"type": "hoeffding-tree"}}], ids=["external", "logistic", "tree"])


class Book:
    """A stream and its log, whose samples state probabilities."""

    def __init__(self, raw):
        """Create the stream."""
        self.log = {}
        self.last = 0
        self.learner = None
        self.append(Configured(0.0, effective(raw), b"k" * 16))

    def append(self, event):
        """Commit and fold an event, by way of its bytes; an erasure blanks the log."""
        self.last += 1
        if isinstance(event, Erased):
            own = {seq: one for seq, one in self.log.items() if sample_of(one) in event.sample_ids}
            self.log |= dict(zip(own, blanked(own.values()), strict=True))
        self.log[self.last] = event = events.decode(events.encode(event))
        if self.learner is None:
            self.learner = Learner(self.last, event)
        else:
            self.learner.apply(self.last, event)

    def read(self, after, upto):
        """The log between two positions."""
        return [item for item in self.log.items() if after < item[0] <= upto]

    def sample(self, sample_id, features, stated, label):
        """Decide about a sample; a question is answered at once."""
        decision = self.learner.decide(sample_id, features, 0.0, probabilities=stated)
        if decision.query.ask:
            self.append(self.learner.question(decision, features, probabilities=stated))
            self.append(self.learner.answer(sample_id, label, "", features, 0.0, brought=False, labeled_at=None, probabilities=stated))
        return decision

    def rebuilt(self):
        """Rebuild and swap, as a server does."""
        self.learner.candidate = rebuild_of(self.learner.superseded, self.read, self.learner.anchor)
        self.append(Swapped(0.0, self.learner.anchor))


def told(count, seed=0, sharpness=4.0):
    """Samples of two classes whose model knows the truth, and is too sure of it: features, probabilities, label."""
    rng = random.Random(seed)
    for _ in range(count):
        logit = rng.gauss(0.0, 1.5)
        label = "pos" if rng.random() < 1.0 / (1.0 + math.exp(-logit)) else "neg"
        sure = 1.0 / (1.0 + math.exp(-sharpness * logit))
        yield {"x": rng.gauss(0.0, 1.0), "kind": rng.choice("ab")}, {"pos": sure, "neg": 1.0 - sure}, label


def drive(book, count, seed=0, prefix=""):
    """Have a stream seen."""
    return [book.sample(f"{prefix}{number}", *said) for number, said in enumerate(told(count, seed))]


# --- what is refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "pointer"),
    [
        ({}, "/probabilities"),
        ({"a": 0.5}, "/probabilities"),
        ({"a": 0.5, "b": 0.502}, "/probabilities"),
        ({"a": 1.5, "b": -0.5}, "/probabilities/b"),
        ({"a": math.nan, "b": 1.0}, "/probabilities/a"),
        ({"a": math.inf}, "/probabilities/a"),
        ({"a\n": 1.0}, "/probabilities/a\n"),
        ({"a/b": -1.0, "c": 2.0}, "/probabilities/a~1b"),
        ({str(n): 1 / 1_001 for n in range(1_001)}, "/probabilities"),
    ],
)
def test_what_is_no_distribution_is_refused_with_its_place(stated, pointer):
    """Negative, not finite, off 1, or of what cannot be a label."""
    with pytest.raises(Invalid) as caught:
        check_stated(stated)

    assert caught.value.pointer == pointer


def test_a_sum_may_miss_one_by_a_thousandth():
    """Whatever is rounded to three digits is taken."""
    check_stated({"a": 0.333, "b": 0.333, "c": 0.333})


def test_a_stream_says_what_it_needs():
    """One of the caller's own model needs probabilities; where classes are declared they are of these."""
    check_fits(None, "logistic", ["a"])
    check_fits({"a": 1.0}, "external", ["a", "b"])
    with pytest.raises(Invalid, match="send the probabilities"):
        check_fits(None, "external", None)
    with pytest.raises(Invalid, match="none of the stream's classes") as caught:
        check_fits({"a": 0.5, "c": 0.5}, "logistic", ["a", "b"])
    assert caught.value.pointer == "/probabilities/c"


def test_no_feature_has_the_name_of_a_column_of_evidence():
    """So a caller cannot write into it by a feature."""
    column = next(iter(evidence({"ok": 1.0})))
    with pytest.raises(Invalid, match="does not begin"):
        check_features({column: 1.0})

    assert column.startswith(RESERVED)


def test_a_committee_cannot_be_asked_about_a_model_that_is_not_here():
    """Its members would learn nothing."""
    with pytest.raises(Invalid) as caught:
        effective({**EXTERNAL, "query": {"measure": "committee"}})

    assert caught.value.pointer == "/query/measure"
    assert effective({**EXTERNAL, "query": {"measure": "density"}}).query.measure == "density"


# --- recalibration -----------------------------------------------------------------------------------------------------------


def test_before_any_label_what_is_stated_is_said():
    """To the bit, where it sums to 1."""
    stated = {"ok": 0.7, "fraud": 0.2, "odd": 0.1}

    assert Recalibration(1.0, 0.0, 0).predict_proba_one(stated) == pytest.approx(stated, rel=1e-15)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=5).filter(lambda weights: sum(weights) > 0.01), st.lists(st.integers(0, 5)))
def test_recalibration_never_names_another_class(weights, labels):
    """Whatever was learned, it is a distribution, and its likeliest class is the caller's."""
    stated = {f"c{place}": weight / sum(weights) for place, weight in enumerate(weights)}
    model = Recalibration(1.0, 0.01, 0)
    for label in labels:
        model.learn_one(stated, f"c{label}")
    said = model.predict_proba_one(stated)

    assert max(said, key=said.get) == max(stated, key=stated.get)
    assert math.fsum(said.values()) == pytest.approx(1.0)
    assert all(0.0 <= p <= 1.0 for p in said.values())


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 4.0, 10.0])
def test_the_temperature_is_found(sharpness):
    """Three hundred labels tell by which power a model is too sure, or not sure enough."""
    model = Recalibration(1.0, 0.0, 0)
    for _, stated, label in told(300, seed=1, sharpness=sharpness):
        model.learn_one(stated, label)

    assert model.exponent == pytest.approx(1.0 / sharpness, rel=0.3)
    assert model.lapse < 0.05


def test_noise_is_no_overconfidence():
    """Where one label in five is random whatever the model says, that is learned, and what it was unsure of stays what it was."""
    model = Recalibration(1.0, 0.0, 0)
    rng = random.Random(5)
    for number in range(800):
        p = (0.9999, 0.95, 0.7)[number % 3]
        label = "pos" if rng.random() < 0.8 * p + 0.1 else "neg"
        model.learn_one({"pos": p, "neg": 1.0 - p}, label)

    assert model.lapse == pytest.approx(0.2, abs=0.07)
    assert model.predict_proba_one({"pos": 0.7, "neg": 0.3})["pos"] == pytest.approx(0.66, abs=0.05)


def test_few_labels_move_it_little():
    """The prior is the identity: one surprise is no proof."""
    model = Recalibration(1.0, 0.0, 0)
    model.learn_one({"a": 0.9, "b": 0.1}, "b")

    assert 0.3 < model.exponent < 1.0


def test_a_label_that_was_thought_impossible_is_learned():
    """Probability 0, or a class that was not named: finite, and towards caution."""
    model = Recalibration(1.0, 0.0, 0)
    model.learn_one({"a": 1.0, "b": 0.0}, "b")
    model.learn_one({"a": 1.0}, "c")

    assert 0.0 < model.exponent < 0.5
    assert model.predict_proba_one({"a": 1.0, "b": 0.0})["b"] > 0.01


def test_what_drifts_is_followed():
    """With drift, old labels fade: a model that becomes calibrated is believed again."""
    model = Recalibration(1.0, 0.01, 0)
    for sharpness in (4.0, 1.0):
        for _, stated, label in told(800, seed=2, sharpness=sharpness):
            model.learn_one(stated, label)

    assert model.exponent == pytest.approx(1.0, abs=0.25)


def test_a_stream_of_an_overconfident_model_becomes_calibrated():
    """Over all traffic, from bought labels alone; the label it predicts is the caller's all along."""
    stream = [(features, label, stated) for features, stated, label in told(8_000, seed=3)]
    run = queried(stream, {**EXTERNAL, "budget": {"rate": 0.05}})
    own = [max(stated, key=stated.get) == label for _, label, stated in stream]
    before = calibration_error(reliability([max(stated.values()) for *_, stated in stream], own))
    after = calibration_error(reliability(run.confidences[5_000:], run.correct[5_000:]))

    assert list(map(bool, run.correct)) == own
    assert before > 0.1
    assert after < 0.03
    assert run.estimate.low <= run.accuracy <= run.estimate.high


def test_as_evidence_a_better_model_makes_a_better_prediction():
    """The features say nothing, what is stated does."""
    stream = [(features, label, stated) for features, stated, label in told(3_000, seed=4)]
    plain = sampled([sample[:2] for sample in stream], {}, labels=150)
    stacked = sampled(stream, {}, labels=150)

    assert stacked.accuracy > plain.accuracy + 0.1


# --- the fold ----------------------------------------------------------------------------------------------------------------


def test_a_caller_model_predicts_from_the_first_sample():
    """Nothing has to be learned first; but until enough labels say how far it can be trusted, all samples are worth the same."""
    book = Book(EXTERNAL)
    decisions = drive(book, 800)

    assert decisions[0].prediction.label in {"pos", "neg"}
    assert decisions[0].query.reason in {"cold-start", "exploration", "confident"}
    assert {decision.query.utility for decision in decisions[:50]} == {0.5}
    assert book.learner.labels > book.learner.taught.model.warmup
    assert len({decision.query.utility for decision in decisions[-50:]}) > 40


def test_without_a_warm_up_questions_are_about_doubt_at_once():
    """The caller may know the model to be calibrated."""
    book = Book({**EXTERNAL, "model": {"type": "external", "params": {"warmup": 0}}})
    sure = book.sample("a", {}, {"pos": 0.999, "neg": 0.001}, "pos")
    unsure = book.sample("b", {}, {"pos": 0.55, "neg": 0.45}, "pos")

    assert sure.query.utility < unsure.query.utility < 1.0
    assert unsure.query.reason != "cold-start"


def test_after_the_warm_up_questions_go_where_the_recalibrated_model_is_unsure():
    """What the rule asks about is less sure than the rest, by far."""
    book = Book({"model": {"type": "external", "params": {"warmup": 50}}, "budget": {"rate": 0.1}})
    decisions = drive(book, 3_000)[1_500:]
    asked = [decision.prediction.confidence for decision in decisions if decision.query.reason == "uncertain"]
    passed = [decision.prediction.confidence for decision in decisions if not decision.query.ask]

    assert len(asked) > 50
    assert max(asked) < sorted(passed)[len(passed) // 2]


@SETUPS
def test_the_log_rebuilds_what_was_learned(raw):
    """Fold, snapshot half way and rebuild after a correction: bit for bit."""
    book = Book(raw)
    drive(book, 120)
    book.append(book.learner.checkpointed(1, 0.0, book.learner.vectoriser.state()))
    half = Learner.of(thaw(freeze(book.learner.learned())))
    drive(book, 120, seed=1, prefix="later-")
    book.rebuilt()

    assert fold(book.read).fingerprint() == book.learner.fingerprint()
    assert fold(book.read, half).transcript == book.learner.transcript


@SETUPS
def test_samples_that_come_together_are_decided_as_one_by_one(raw):
    """Some state probabilities and some do not."""
    one, many = Book(raw), Book(raw)
    said = list(told(40))
    stated = [None if number % 3 == 0 and raw is not EXTERNAL else row[1] for number, row in enumerate(said)]
    alone_ = [one.learner.decide(f"{number}", row[0], 0.0, probabilities=stated[number]) for number, row in enumerate(said)]
    together = many.learner.decisions([f"{number}" for number in range(40)], [row[0] for row in said], 0.0, stated=stated)

    assert list(together) == alone_
    assert one.learner.vectoriser.state() == many.learner.vectoriser.state()


@SETUPS
def test_an_erasure_leaves_what_a_log_without_the_sample_gives(raw):
    """Also of the probabilities, of which nothing stays in the log."""
    everything = {**raw, "budget": {"rate": 1.0}, "query": {"rule": "random"}}
    book, other = Book(everything), Book(everything)
    drive(book, 60)
    book.append(Erased(0.0, ["7"]))
    book.rebuilt()
    for number, said in enumerate(told(60)):
        if number != 7:
            other.append(Labelled(0.0, f"{number}", said[2], "", *rest_of(book, f"{number}")))

    assert digest(book.learner.taught.model) == digest(other.learner.taught.model)
    assert all(one.probabilities is None for one in book.log.values() if sample_of(one) == "7" and isinstance(one, Asked | Labelled))
    assert fold(book.read).fingerprint() == book.learner.fingerprint()


def rest_of(book, sample_id):
    """Epoch, features and vector of a sample's answer."""
    answer = next(one for one in book.log.values() if isinstance(one, Labelled) and one.sample_id == sample_id)
    return answer.epoch, answer.features, answer.vector


def test_another_model_learns_from_the_same_labels():
    """From `external` to a model of the service's own and back: the probabilities were kept, and nothing else is needed."""
    book = Book(EXTERNAL)
    drive(book, 150)
    exponent = book.learner.taught.model.exponent
    for model in ("logistic", "external"):
        book.append(Configured(0.0, effective({**EXTERNAL, "model": {"type": model}})))
        book.rebuilt()
        if model == "logistic":
            assert any(name.startswith(RESERVED) for name in book.learner.taught.model._weights[0].to_dict())

    assert book.learner.taught.model.exponent == exponent != 1.0
    assert fold(book.read).fingerprint() == book.learner.fingerprint()


def test_a_label_without_probabilities_is_unlearnable_to_a_recalibration():
    """It was asked before the model became the caller's own; it counts, and teaches nothing."""
    book = Book(EXTERNAL)
    applied = book.learner.apply(2, book.learner.answer("a", "pos", "", {"x": 1.0}, 0.0, brought=True, labeled_at=None))

    assert applied.outcome == "unlearnable"
    assert book.learner.taught.model.exponent == 1.0
    assert book.learner.known("b", {"x": 1.0}).prediction.label is None


def test_events_without_probabilities_say_nothing_of_them():
    """The log of other streams does not grow."""
    book = Book(STACKED)
    answer = book.learner.answer("a", "pos", "", {"x": 1.0}, 0.0, brought=True, labeled_at=None)

    assert b"probabilities" not in events.encode(answer)
    assert "probabilities" not in msgspec.to_builtins(answer)


def test_a_checkpoint_of_a_relay_is_empty():
    """Nothing about it moves with samples."""
    book = Book(EXTERNAL)
    drive(book, 10)
    checkpoint = book.learner.checkpointed(1, 0.0, book.learner.vectoriser.state())

    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.preprocessing == b""


# --- columns -----------------------------------------------------------------------------------------------------------------


def test_evidence_is_half_a_cut_logit_a_class_under_no_name_of_a_class():
    """Names are hashes, so that nothing has to be looked for when a sample is erased."""
    columns = evidence({"secret": 0.75, "b": 0.25, "c": 0.0, "d": 1.0})

    assert list(columns.values()) == [pytest.approx(math.log(3.0) / 2), pytest.approx(-math.log(3.0) / 2), -3.5, 3.5]
    assert not any("secret" in name for name in columns)


def test_evidence_that_is_wrong_comes_to_nothing():
    """What a model is sure of and wrong about at random is no evidence after some labels, whatever else is learned."""
    rng = random.Random(1)
    book = Book({**STACKED, "query": {"rule": "random"}, "budget": {"rate": 1.0}})
    noise = {"pos": 0.99, "neg": 0.01}
    before = book.learner.taught.joined({}, noise)
    for number in range(60):
        x = rng.gauss(0.0, 1.0)
        stated = {"pos": p, "neg": 1.0 - p} if (p := rng.choice([0.99, 0.01])) else {}
        book.sample(f"{number}", {"x": x}, stated, "pos" if x > 0 else "neg")
    after = book.learner.taught.joined({}, noise)

    assert max(before.values()) == pytest.approx(math.log(99.0) / 2)
    assert max(after.values()) < 0.3 * max(before.values())


def test_the_transcript_proves_how_far_others_are_trusted():
    """It is learned state: a log in which one label stated something else gives another transcript."""
    one, other = Book(STACKED), Book(STACKED)
    for book, p in ((one, 0.9), (other, 0.8)):
        for number in range(3):
            stated = {"pos": p, "neg": 1.0 - p} if number == 0 else None
            event = book.learner.answer(f"{number}", "pos", "", {}, 0.0, brought=True, labeled_at=None, probabilities=stated)
            book.append(msgspec.structs.replace(event, vector={}))

    assert one.learner.taught.trust.imprint() != other.learner.taught.trust.imprint()
    assert one.learner.transcript != other.learner.transcript


def test_what_stands_beside_features_tells_samples_apart():
    """Under names that no feature has."""
    assert beside({"x": 1.0}, {"": 0.25, "b": 0.75}) == {RESERVED: 0.25, f"{RESERVED}b": 0.75, "x": 1.0}


@pytest.mark.parametrize("model", ["logistic", "naive-bayes"])
def test_evidence_has_a_bounded_number_of_columns(model):
    """Of classes that are named anew with every sample a model learns the first thousand; its log folds to the same."""
    book = Book({"model": {"type": model}})
    sizes = []
    for number in range(16):
        stated = {f"{number}-{place}": 0.005 for place in range(200)}
        answer = book.learner.answer(
            f"{number}", "ab"[number % 2], "", {"x": float(number)}, 0.0, brought=True, labeled_at=None, probabilities=stated
        )
        book.append(answer)
        sizes.append(len(freeze(book.learner.taught)))

    assert sizes[1] - sizes[0] > 5_000
    assert sizes[15] - sizes[7] < 5_000
    assert fold(book.read).fingerprint() == book.learner.fingerprint()
