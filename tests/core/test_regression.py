"""What is learned where labels are numbers: the linear model, intervals, measures, and what a task's configuration may hold."""

import itertools
import math
import random

import numpy as np
import pytest

from service.core.catalogue import describe, effective
from service.core.conformal import Residuals
from service.core.digest import digest
from service.core.erasure import blanked
from service.core.errors import Invalid
from service.core.events import Configured, Labelled
from service.core.learner import Learner
from service.core.linear import Linear
from service.core.measures import NUMERIC
from service.core.number_companions import Bagged, Places
from service.core.records import Forecast, Lesson
from service.core.regressing import Regressing
from service.core.regressors import REGRESSORS
from service.core.serving import fresh
from service.core.tasks import number_text, text_of


def plane(rng, count, noise=0.1):
    """Samples of y = 3 + 2 a - b."""
    for _ in range(count):
        x = {"a": rng.gauss(0, 1), "b": rng.gauss(0, 1)}
        yield x, 3.0 + 2.0 * x["a"] - x["b"] + rng.gauss(0, noise)


# --- the linear model --------------------------------------------------------------------------------------------------------


def test_without_drift_it_is_ridge_regression():
    """The mean is that of the closed form, with labels taken from the first one and 1 / prior as the penalty."""
    rows = list(plane(random.Random(1), 30))
    model = Linear(prior=2.0, drift=0.0, tolerance=1e6)
    for x, y in rows:
        model.learn_one(x, y)
    design = np.array([[1.0, x["a"], x["b"]] for x, _ in rows])
    labels = np.array([y for _, y in rows]) - rows[0][1]
    weights = np.linalg.solve(design.T @ design + np.eye(3) / 2.0, design.T @ labels)

    probe = {"a": 0.3, "b": -2.0}
    assert model.predict_one(probe) == pytest.approx(rows[0][1] + weights @ [1.0, 0.3, -2.0])


def test_its_deviation_is_the_noise_and_what_it_does_not_know():
    """Near the labels the deviation comes to the noise's; far away it is larger."""
    model = Linear(drift=0.0)
    for x, y in plane(random.Random(2), 400, noise=0.5):
        model.learn_one(x, y)

    assert model.deviation_one({"a": 0.0, "b": 0.0}) == pytest.approx(0.5, rel=0.15)
    assert model.deviation_one({"a": 50.0, "b": 0.0}) > 2 * model.deviation_one({"a": 0.0, "b": 0.0})


@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_the_labels_unit_does_not_matter(scale):
    """Labels in another unit give the same answers in it."""
    one, other = Linear(), Linear()
    for x, y in plane(random.Random(3), 50):
        one.learn_one(x, y)
        other.learn_one(x, y * scale)
    probe = {"a": 1.0, "b": 1.0}

    assert other.predict_one(probe) == pytest.approx(one.predict_one(probe) * scale)
    assert other.deviation_one(probe) == pytest.approx(one.deviation_one(probe) * scale)


def test_one_wild_label_does_not_undo_what_was_learned():
    """It moves the forecast a little, and without the tolerance a lot; a level that stays elsewhere is followed."""
    kept, lost = Linear(), Linear(tolerance=1e6)
    for model in (kept, lost):
        for x, y in plane(random.Random(9), 60):
            model.learn_one(x, y)
        model.learn_one({"a": 0.0, "b": 0.0}, 1e4)
    assert abs(kept.predict_one({"a": 0.0, "b": 0.0}) - 3.0) < 1.0
    assert abs(lost.predict_one({"a": 0.0, "b": 0.0}) - 3.0) > 50.0
    for _ in range(100):
        kept.learn_one({"a": 0.0, "b": 0.0}, 13.0)
    assert kept.predict_one({"a": 0.0, "b": 0.0}) == pytest.approx(13.0, abs=0.5)


def test_labels_that_were_all_the_same_do_not_blind_it():
    """Without any noise the first other label is infinitely far off; what follows is learned all the same."""
    model = Linear()
    for number in range(20):
        model.learn_one({"a": float(number % 3)}, 5.0)
    for number in range(60):
        model.learn_one({"a": float(number % 3)}, 5.0 + number % 3)
    assert model.predict_one({"a": 2.0}) == pytest.approx(7.0, abs=0.5)


def test_a_heavy_label_counts_as_often_as_it_weighs():
    """A label of weight 3 moves the weights as three labels do."""
    one, other = Linear(drift=0.0), Linear(drift=0.0)
    for model in (one, other):
        model.learn_one({"a": 1.0}, 0.0)
    one.learn_one({"a": -1.0}, 5.0, w=3.0)
    for _ in range(3):
        other.learn_one({"a": -1.0}, 5.0)

    assert one.predict_one({"a": 2.0}) == pytest.approx(other.predict_one({"a": 2.0}))


# --- intervals ---------------------------------------------------------------------------------------------------------------


def told(rng, count, spread, seen):
    """The share of residuals within reach, of those that came when one was told."""
    residuals, hits = Residuals(), []
    for number in range(count):
        error = rng.gauss(0, spread(number))
        if residuals.reach is not None and number > seen:
            hits.append(abs(error) <= residuals.reach)
        residuals.see(error, 1.0, 1.0)
    return sum(hits) / len(hits)


def test_intervals_hold_whatever_the_deviation_is_worth():
    """Also of a model whose deviations are four times too small, 95 in 100 labels lie inside."""
    assert told(random.Random(1), 4_000, lambda _: 4.0, 100) == pytest.approx(0.95, abs=0.015)


def test_intervals_follow_a_drift():
    """Where errors triple, intervals widen: over all of it they hold."""
    assert told(random.Random(2), 3_000, lambda number: 3.0 if number > 1_500 else 1.0, 100) == pytest.approx(0.95, abs=0.02)


def test_the_level_follows_the_misses():
    """Where errors never stop growing, the last residuals are always too small: the interval widens by what is missed."""
    assert told(random.Random(4), 1_500, lambda number: math.exp(number / 150), 100) > 0.91


def test_a_residual_counts_for_the_samples_that_it_stands_for():
    """Hard cases that are asked four times as often as easy ones do not widen the interval of all traffic."""
    rng, fair, naive = random.Random(3), Residuals(), Residuals()
    for _ in range(4_000):
        hard = rng.random() < 0.2
        chance = 0.8 if hard else 0.2
        if rng.random() < chance:
            error = rng.gauss(0, 5.0 if hard else 1.0)
            fair.see(error, 1.0, chance)
            naive.see(error, 1.0, 1.0)

    assert fair.reach < 0.9 * naive.reach
    assert fair.deviation == pytest.approx(math.sqrt(0.2 * 25 + 0.8), rel=0.3)


def test_few_residuals_tell_no_interval():
    """Of nineteen nothing can be said of one case in twenty."""
    residuals = Residuals()
    for number in range(19):
        residuals.see(float(number), 1.0, 1.0)
    assert residuals.reach is None


def test_a_miss_of_a_model_that_was_sure_is_a_miss():
    """Where the deviation is 0, any error is far outside; an exact hit is none."""
    sure, right = Residuals(), Residuals()
    for _ in range(40):
        sure.see(0.5, 0.0, 1.0)
        right.see(0.0, 0.0, 1.0)
    assert sure.reach == 1e6
    assert right.reach == 0.0


# --- what is taught ----------------------------------------------------------------------------------------------------------


def taught_with(model="linear", measure="gsx"):
    """A model of a regression stream that knows nothing."""
    taught = fresh(1, effective({"task": "regression", "model": {"type": model}, "query": {"measure": measure}}))
    assert isinstance(taught, Regressing)
    return taught


def answer(taught, x, label, chance=1.0):
    """Have an answer learned."""
    return taught.learn(Labelled(0.0, "s", label, "", 1, x, x), x, Lesson(label, 1.0, chance))


@pytest.mark.parametrize("model", REGRESSORS)
def test_every_regressor_learns_a_plane(model):
    """Forecasts come near, with a deviation, and with an interval after enough answers; before the first label there is none."""
    taught = taught_with(model)
    assert taught.told(taught.predict({"a": 0.0, "b": 0.0}))[1] == Forecast(None, None, None, None)
    for x, y in plane(random.Random(4), 300):
        assert answer(taught, x, number_text(y))
    rows = list(plane(random.Random(5), 200, noise=0.0))
    said = [taught.told(taught.predict(x))[1] for x, _ in rows]

    assert sum(abs(one.value - y) for one, (_, y) in zip(said, rows, strict=True)) / len(rows) < 0.8
    assert all(one.deviation > 0.0 and one.low < one.value < one.high for one in said)
    assert sum(one.low <= y <= one.high for one, (_, y) in zip(said, rows, strict=True)) > 0.85 * len(rows)


@pytest.mark.parametrize("label", ["nan", "inf", "spam", ""])
def test_what_is_no_number_is_unlearnable(label):
    """The fold goes on, and the model is what it was."""
    taught = taught_with()
    assert not answer(taught, {"a": 1.0}, label)
    assert taught.labels == 0


class Broken:
    """A model that raises, or says what it is told to."""

    def __init__(self, says):
        self.says = says

    def predict_one(self, x):
        """Say it."""
        return self.says / 1

    def learn_one(self, x, y):
        """Nothing."""


@pytest.mark.parametrize("says", [math.nan, math.inf, -math.inf, 1e200, "words"])
def test_what_a_model_says_is_made_sound(says):
    """A broken model knows nothing, and stops nobody."""
    taught = Regressing(1, Broken(says), taught_with().base)
    taught.teach({}, "1.0")
    assert taught.predict({}) == {}


def test_a_label_that_was_not_asked_for_says_nothing_of_errors():
    """It is learned, but no residual: it is no sample of the traffic."""
    taught = taught_with()
    for x, y in plane(random.Random(6), 50):
        answer(taught, x, number_text(y), chance=0.0)
    assert taught.labels == 50
    assert taught.residuals.reach is None


def test_constant_labels_are_predicted_exactly():
    """Without any spread the deviation is 0, and nothing divides by it."""
    taught = taught_with()
    for x, _ in plane(random.Random(7), 30):
        answer(taught, x, "5.0")
    assert taught.predict({"a": 9.0, "b": 0.0}) == {"value": 5.0, "deviation": 0.0, "low": 5.0, "high": 5.0}


# --- measures ----------------------------------------------------------------------------------------------------------------


def utilities(measure, probes):
    """What a measure gives for probes, in their order, after labels at a = 0..9 with y = a."""
    taught = taught_with(measure=measure)
    for number in range(10):
        answer(taught, {"a": float(number)}, number_text(number))
    made = NUMERIC[measure]()
    return [made.observe(str(number), x, taught.predict(x), taught) for number, x in enumerate(probes)]


@pytest.mark.parametrize("measure", NUMERIC)
def test_what_is_far_from_everything_known_is_worth_more(measure):
    """A sample far outside ranks above one that was labelled."""
    near, far = utilities(measure, [{"a": 5.0}, {"a": 40.0}])
    assert near == 0.5
    assert far == 0.75


@pytest.mark.parametrize("measure", NUMERIC)
def test_measures_go_on_from_their_state(measure):
    """What was written with a checkpoint is all that moves; nothing in it is of one sample."""
    probes = [{"a": number * 1.7} for number in range(20)]
    taught = taught_with(measure=measure)
    for number in range(10):
        answer(taught, {"a": float(number)}, number_text(number))
    one, other = NUMERIC[measure](), NUMERIC[measure]()
    for x in probes[:10]:
        one.observe("a", x, taught.predict(x), taught)
    other.restore(one.state())
    other.forget(["a"])

    assert [one.observe("b", x, taught.predict(x), taught) for x in probes] == [
        other.observe("b", x, taught.predict(x), taught) for x in probes
    ]


def test_places_are_the_last_ones():
    """The window is bounded; distances are Euclidean in the vectors, and absolute in labels."""
    places = Places(2)
    for a, y in ((0.0, 1.0), (3.0, 5.0), (10.0, 7.0)):
        places.learn({"a": a, "b": 0.0}, y)

    assert sorted(places.apart({"a": 0.0, "b": 4.0}).tolist()) == pytest.approx([5.0, math.sqrt(116.0)])
    assert sorted(places.off(6.0).tolist()) == [1.0, 1.0]


def test_bagged_members_differ_but_all_know_something():
    """Each learns the first label at least once, and others as often as its draw says."""
    committee = Bagged(Linear, 5)
    committee.learn({"a": 1.0}, 4.0)
    assert committee.imprint({"a": 1.0}) == [4.0] * 5
    for x, y in plane(random.Random(8), 10):
        committee.learn(x, y)
    assert len(set(committee.imprint({"a": 1.0, "b": 1.0}))) == 5


# --- configuration -----------------------------------------------------------------------------------------------------------


def test_a_task_has_defaults_of_its_own():
    """Nothing but the task is a working stream."""
    config = effective({"task": "regression"})
    assert (config.model.type, config.query.rule, config.query.measure) == ("linear", "logit", "gsx")
    assert effective({"task": "regression", "model": {"type": None}, "query": {"rule": "random"}}).query.measure == "gsx"
    assert effective({}).task == "classification"


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"task": "regression", "model": {"type": "logistic"}}, "/model/type"),
        ({"model": {"type": "linear"}}, "/model/type"),
        ({"task": "regression", "query": {"measure": "margin"}}, "/query/measure"),
        ({"query": {"measure": "gsx"}}, "/query/measure"),
        ({"task": "regression", "classes": ["a"]}, "/classes"),
        ({"task": "regression", "labels": {"per_sample": 3}}, "/labels/per_sample"),
        ({"task": "regression", "model": {"pipeline": [{"class": "naive_bayes.GaussianNB"}]}}, "/model/pipeline"),
        ({"task": "ranking"}, "/task"),
        ({"task": "regression", "model": []}, "/model"),
        ({"task": "regression", "query": 5}, "/query"),
    ],
)
def test_what_does_not_fit_a_task_is_refused(raw, pointer):
    """By the place where it stands."""
    with pytest.raises(Invalid) as refused:
        effective(raw)
    assert refused.value.pointer == pointer


def test_the_catalogue_says_which_task_a_name_is_for():
    """Models and measures alike."""
    catalogue = describe()
    assert {name for name, entry in catalogue["models"].items() if entry["task"] == "regression"} == set(REGRESSORS)
    assert {name for name, entry in catalogue["measures"].items() if entry["task"] == "regression"} == set(NUMERIC)


@pytest.mark.parametrize("same", [(1, 1.0, "1", "1.0", "1e0", " +1 "), (-0.0, 0, "0"), (1e100, 10**100, "1e100"), (2**53 + 1, 2.0**53)])
def test_one_number_is_one_label(same):
    """However it is written."""
    assert len({number_text(value) for value in same}) == 1


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, 1e101, -(10**400), True, None, "", "abc", "NaN", "Infinity", "1_000", "0x10", "1e999", [], {}]
)
def test_what_is_no_finite_number_is_no_label(value):
    """Neither are booleans."""
    with pytest.raises(Invalid):
        text_of("regression", value)


# --- the learner -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "measure"), list(itertools.product(REGRESSORS, NUMERIC)))
def test_every_model_asks_with_every_measure(model, measure):
    """The budget is spent, and not more; answers are forecasts, and what was asked has the measure's word."""
    raw = {"task": "regression", "model": {"type": model}, "query": {"measure": measure}, "budget": {"rate": 0.2, "burst": 10}}
    learner, seq, reasons = Learner(1, Configured(0.0, effective(raw), b"k" * 16)), 1, set()
    for number, (x, y) in enumerate(plane(random.Random(9), 200)):
        decision = learner.decide(str(number), x, float(number))
        assert isinstance(decision.said, Forecast)
        if decision.query.ask:
            reasons.add(decision.query.reason)
            learner.apply(seq + 1, learner.question(decision, x))
            seq += 2
            event = learner.answer(decision.id, number_text(y), "", x, float(number), brought=False, labeled_at=None)
            assert learner.apply(seq, event).outcome == "learned"

    assert 30 <= learner.budget.asked <= 50
    assert NUMERIC[measure].reason in reasons


def test_what_was_foretold_goes_with_its_sample():
    """An erasure leaves no number of a forecast in the log; that there was one stays."""
    learner = Learner(1, Configured(0.0, effective({"task": "regression", "budget": {"rate": 1.0}}), b"k" * 16))
    for number, (x, y) in enumerate(plane(random.Random(11), 5)):
        learner.apply(2 + number, learner.answer(f"{number}", number_text(y), "", x, 0.0, brought=True, labeled_at=None))
    question = learner.question(learner.decide("gone", {"a": 1.0, "b": 2.0}, 0.0), {"a": 1.0, "b": 2.0})
    left = blanked([question])[0]

    assert question.decision.forecast.value is not None
    assert left.decision.forecast == Forecast(None, None, None, None)
    assert (left.decision.query, left.mark) == (question.decision.query, question.mark)


@pytest.mark.parametrize(("model", "measure"), list(itertools.product(REGRESSORS, NUMERIC)))
def test_looking_moves_nothing(model, measure):
    """A forecast and a utility leave what was learned as it is, to the bit, also of a sample with features that are new."""
    taught = taught_with(model, measure)
    for x, y in plane(random.Random(10), 30):
        answer(taught, x, number_text(y))
    before = digest(taught)
    made = NUMERIC[measure]()
    for x in ({"a": 1.0, "b": 2.0}, {"a": 1.0, "new": 2.0}, {}):
        made.observe("s", x, taught.predict(x), taught)
        taught.witnessed(x)

    assert digest(taught) == before
