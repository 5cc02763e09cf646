"""Logistic regression by Kalman's gain: numbers worked by hand, the covariance it stands for, and what it is for."""

import random

import numpy as np
import pytest
from river import linear_model, optim

from service.core.digest import digest
from service.core.freezer import freeze, thaw
from service.core.logistic import Logistic, Uncertainty


def rows(count, seed=1, columns=4):
    """Samples whose label depends on two columns that move together."""
    rng = random.Random(seed)
    for _ in range(count):
        shared = rng.gauss(0, 1)
        x = {f"c{i}": (shared if i < 2 else 0.0) + rng.gauss(0, 0.3 if i < 2 else 1.0) for i in range(columns)}
        yield x, int(x["c0"] > x["c1"])


def test_the_first_label_moves_the_intercept_by_hand():
    """Prior 0.5, no columns: the gain is 0.5 / (1 + 0.25 x 0.5) = 4/9, the error 1/2, so the intercept becomes 2/9."""
    model = Logistic(learning_rate=0.5, drift=0.0)
    model.learn_one({}, 1)

    assert model.predict_proba_one({})[1] == pytest.approx(1 / (1 + np.exp(-2 / 9)), rel=1e-12)


def test_the_covariance_is_what_the_labels_left():
    """Without drift it is the inverse of 1/prior + 1/4 sum x x', and symmetric to the bit."""
    uncertainty = Uncertainty(2.0, 0.0, 64)
    seen = np.array([[1.0, *x.values()] for x, _ in rows(50)])
    for x, _ in rows(50):
        uncertainty.learn(x)

    assert np.allclose(uncertainty._matrix, np.linalg.inv(np.eye(5) / 2.0 + 0.25 * seen.T @ seen), rtol=1e-9)
    assert (uncertainty._matrix == uncertainty._matrix.T).all()


def test_columns_beyond_the_joint_ones_are_uncertain_one_by_one():
    """Variance 2 of intercept and column: x' P x = 4, so it shrinks by 1/4 x 4 / (1 + 1/4 x 4) to 1.5, and the gain is 2 / 2."""
    uncertainty = Uncertainty(2.0, 0.0, 0)

    assert uncertainty.learn({"a": 1.0}) == (1.0, {"a": 1.0})
    assert uncertainty._alone == {"a": 1.5}


def test_drift_brings_uncertainty_back_up_to_the_prior():
    """A column that is 0 learns nothing from a label, and so is as uncertain as before it was seen, and no more."""
    uncertainty = Uncertainty(1.0, 0.1, 64)
    uncertainty.learn({"a": 4.0})
    low = uncertainty._matrix[1, 1]
    uncertainty.learn({"a": 0.0})
    assert uncertainty._matrix[1, 1] > low
    for _ in range(20):
        uncertainty.learn({"a": 0.0})
    assert uncertainty._matrix[1, 1] == 1.0


def test_a_column_may_come_late():
    """It begins with the prior, whatever is known of the others, and what was known of these stays."""
    model = Logistic(learning_rate=0.5, drift=0.0)
    for x, y in rows(30):
        model.learn_one(x, y)
    before = model.predict_proba_one({"c0": 1.0})
    gains = model._uncertainty.learn({"late": 1.0})[1]

    assert model.predict_proba_one({"c0": 1.0}) == before
    assert gains["late"] == max(gains.values())


def test_a_third_class_leaves_the_first_two_as_they_are():
    """What two classes said of each other goes on when a third one comes."""
    model = Logistic(learning_rate=0.5, drift=0.01)
    for x, y in rows(40):
        model.learn_one(x, y)
    sample = {"c0": 2.0, "c1": -1.0}
    before = model.predict_proba_one(sample)
    model._make_room(2)
    after = model.predict_proba_one(sample)

    assert after[0] / after[1] == pytest.approx(before[0] / before[1], rel=1e-12)
    assert sum(after.values()) == pytest.approx(1.0)


def test_it_knows_more_after_sixty_labels_than_gradient_descent():
    """Two columns that move together hide their difference from equal steps."""
    model, river = Logistic(0.5, 0.01), linear_model.LogisticRegression(optim.SGD(0.05))
    for x, y in rows(60):
        model.learn_one(x, y)
        river.learn_one(x, y)
    fresh = list(rows(1_000, seed=2))
    ours = sum((model.predict_proba_one(x)[1] > 0.5) == y for x, y in fresh)
    theirs = sum(river.predict_one(x) == y for x, y in fresh)

    assert ours - 100 > theirs > 500


def test_a_thawed_model_goes_on_to_the_bit():
    """Bytes carry all that moves."""
    model = Logistic(0.5, 0.01, joint=2)
    for x, y in rows(30):
        model.learn_one(x, y)
    again = thaw(freeze(model))
    for x, y in rows(30, seed=3):
        model.learn_one(x, y)
        again.learn_one(x, y)

    assert digest(model) == digest(again)


def test_extremes_stay_finite():
    """The largest scaled values, the largest rate and a thousand equal labels do no harm."""
    model = Logistic(1_000.0, 1.0)
    for place in range(1_000):
        model.learn_one({f"c{i}": 8.0 * (-1) ** i for i in range(10)}, place % 2 if place > 900 else 1)
    probabilities = model.predict_proba_one({f"c{i}": -8.0 for i in range(10)})

    assert sum(probabilities.values()) == pytest.approx(1.0)


def test_a_heavy_label_counts_as_several():
    """Weight w adds w times the curvature, and moves the weights as far as the posterior mode of w labels at once."""
    heavy, one = Uncertainty(2.0, 0.0, 64), Uncertainty(2.0, 0.0, 64)
    gain, _ = heavy.learn({"x": 1.0}, 3.0)
    for _ in range(3):
        single, _ = one.learn({"x": 1.0})

    assert heavy._matrix == pytest.approx(one._matrix)
    assert gain == pytest.approx(3.0 * single)
