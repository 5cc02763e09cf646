"""Nearest neighbours over sketches: as River's, while there are few columns."""

import random

import pytest
from river import neighbors

from service.core.digest import digest
from service.core.freezer import freeze, thaw
from service.core.neighbours import Neighbours


def points(count, columns=3):
    """Points and their classes."""
    rng = random.Random(1)
    return [({f"x{i}": float(rng.randrange(-50, 50)) / 8 for i in range(columns)}, rng.randrange(3)) for _ in range(count)]


def test_it_says_what_rivers_says():
    """With few columns distances are exact; the oldest labels are forgotten."""
    ours = Neighbours(n_neighbors=5, window=50)
    theirs = neighbors.KNNClassifier(n_neighbors=5, engine=neighbors.LazySearch(window_size=50))
    for x, y in points(200):
        if ours.predict_proba_one(x):
            assert ours.predict_proba_one(x) == pytest.approx(theirs.predict_proba_one(x))
        ours.learn_one(x, y)
        theirs.learn_one(x, y)


def test_before_the_first_label_it_knows_nothing():
    """And of a label in the same place it is sure."""
    model = Neighbours(n_neighbors=5, window=10)
    assert model.predict_proba_one({"x": 1.0}) == {}
    for x, y in (({"x": 1.0}, 0), ({"x": 2.0}, 1)):
        model.learn_one(x, y)

    assert model.predict_proba_one({"x": 2.0}) == {0: 0.0, 1: 1.0}


def test_predictions_move_nothing_and_all_is_frozen():
    """Columns that only a prediction brought take no place."""
    model = Neighbours(n_neighbors=5, window=10)
    for x, y in points(20):
        model.learn_one(x, y)
    before = digest(model)
    model.predict_proba_one({"new": 1.0})

    assert digest(model) == digest(thaw(freeze(model))) == before
    model.learn_one({"x0": 1.0}, 0)
    assert digest(model) != before
