"""Samples that never were: near the boundary, and within what was seen."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.batch import Table
from service.core.catalogue import effective
from service.core.records import Prediction
from service.core.synthesis import NEAR, Candidate, integral, pairs, reads_text, walk


def candidate(sample_id, features, predict):
    """A real sample as the model sees it."""
    return Candidate(sample_id, features, Prediction.of(predict(features)))


def walked(one, other, predict, whole=frozenset()):
    """What a walk comes to."""
    steps = walk(candidate("a", one, predict), candidate("b", other, predict), whole, predict)
    try:
        while True:
            next(steps)
    except StopIteration as done:
        return done.value


def leaning(weights, bias=0.0):
    """A logistic model over numbers, booleans and texts (by their length)."""

    def predict(features):
        total = bias + sum(weights[name] * (len(value) if isinstance(value, str) else value or 0) for name, value in features.items())
        high = 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, total))))
        return {"low": 1.0 - high, "high": high}

    return predict


NUMBER = st.one_of(st.integers(-1_000, 1_000), st.floats(-1e3, 1e3))


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(NUMBER, NUMBER), min_size=1), st.floats(-5, 5))
def test_every_number_lies_between_its_parents(ends, bias):
    """Whatever the two are, nothing leaves what was seen, integers are whole, and the margin is small."""
    one, other = ({name: pair[side] for name, pair in ends.items()} for side in (0, 1))
    predict = leaning(dict.fromkeys("abcd", 0.01), bias)
    made = walked(one, other, predict, integral([one, other]))

    if made is not None:
        assert made.margin <= NEAR
        for name, value in made.features.items():
            assert min(one[name], other[name]) <= value <= max(one[name], other[name])
            assert not (isinstance(one[name], int) and isinstance(other[name], int)) or isinstance(value, int)


def test_a_walk_between_opposite_samples_ends_at_the_boundary():
    """Which a linear model has at the middle here."""
    made = walked({"x": -4.0}, {"x": 4.0}, leaning({"x": 2.0}, 0.3))

    assert abs(2.0 * made.features["x"] + 0.3) < 0.3
    assert made.parents == ("a", "b")


def test_other_values_are_taken_from_one_side():
    """Where numbers alone do not cross, texts and booleans of the other side come along, one after the other."""
    predict = leaning({"x": 0.1, "c": 1.0, "b": 1.0}, -6.0)
    made = walked({"x": 0.0, "c": "a", "b": False}, {"x": 20.0, "c": "aaaa", "b": True}, predict)

    assert made.features["c"] in {"a", "aaaa"}
    assert made.features["b"] in {True, False}
    assert made.margin <= NEAR


def test_a_missing_value_counts_as_one():
    """Features that one side has not are there or not."""
    made = walked({"x": -4.0}, {"x": 4.0, "y": 1.0, "z": None}, leaning({"x": 1.0, "y": 0.1, "z": 1.0}))

    assert made.margin <= NEAR
    assert made.features.keys() <= {"x", "y", "z"}


def test_a_model_that_jumps_has_no_near_samples():
    """Then nothing is made."""
    assert walked({"x": 0.0}, {"x": 1.0}, lambda features: {"a": 1.0, "b": 0.0} if features["x"] < 0.3 else {"a": 0.0, "b": 1.0}) is None
    assert walked({"x": 0}, {"x": 1}, leaning({"x": 9.0}, -4.5), frozenset("x")) is None


def test_partners_are_the_nearest_that_are_predicted_otherwise():
    """First one for every anchor, then the next."""
    predict = leaning({"x": 1.0})
    candidates = [candidate(f"{x}", {"x": x}, predict) for x in (-3.0, -1.0, 1.0, 2.0)]
    table = Table()
    for one in candidates:
        table.add(one.features)

    found = [(one.sample_id, other.sample_id) for one, other in pairs(candidates, table.rows(), [0, 3])]

    assert found == [("-3.0", "1.0"), ("2.0", "-1.0"), ("-3.0", "2.0"), ("2.0", "-3.0")]


@pytest.mark.parametrize(
    ("model", "reads"),
    [
        ({"type": "text"}, True),
        ({"type": "logistic"}, False),
        ({"pipeline": [{"class": "feature_extraction.TFIDF", "params": {"on": "t"}}, {"class": "naive_bayes.MultinomialNB"}]}, True),
        ({"pipeline": [{"class": "preprocessing.StandardScaler"}, {"class": "linear_model.LogisticRegression"}]}, False),
    ],
)
def test_models_of_texts_are_known(model, reads):
    """By their names, or the steps of their pipelines."""
    assert reads_text(effective({"model": model}).model) == reads
