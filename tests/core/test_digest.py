"""The canonical hash of learned state: equal for equal state, and only then."""

import functools
import pickle
import random
from collections import Counter, OrderedDict, deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import naive_bayes, neighbors, preprocessing, tree

from service.core.digest import canonical_probabilities, digest

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner), max_leaves=20)
probabilities = st.dictionaries(st.text(), st.floats(0, 1))

MODELS = [
    lambda: tree.HoeffdingTreeClassifier(grace_period=10),
    naive_bayes.GaussianNB,
    lambda: neighbors.KNNClassifier(engine=neighbors.LazySearch()),
    lambda: preprocessing.StandardScaler(window_size=5) | naive_bayes.GaussianNB(),
]


def taught(make, labels):
    """Return a new model that learned that many labels."""
    model, rng = make(), random.Random(1)
    for i in range(labels):
        model.learn_one({"a": rng.random() + i % 2, "b": rng.random()}, i % 2)
    return model


@given(values)
def test_survives_pickling(value):
    """What comes back from a pickle has the digest of what went in."""
    assert digest(pickle.loads(pickle.dumps(value))) == digest(value)  # noqa: S301 - our own bytes


@pytest.mark.parametrize("make", MODELS)
def test_equal_models_are_equal(make):
    """Two models that learned the same labels have one digest, although their pickles may differ."""
    assert digest(taught(make, 60)) == digest(taught(make, 60))


@pytest.mark.parametrize("make", MODELS)
def test_one_label_more_is_another_state(make):
    """A model that saw one label more has another digest."""
    assert digest(taught(make, 60)) != digest(taught(make, 61))


@pytest.mark.parametrize("make", MODELS)
def test_models_survive_pickling(make):
    """A model's digest is the same after a snapshot."""
    model = taught(make, 60)
    assert digest(pickle.loads(pickle.dumps(model))) == digest(model)  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("a", b"a"),
        ((1, 2), [1, 2]),
        ([[1], 2], [[1, 2]]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1}, frozenset({1, 2})),
        (deque([1]), deque([1], maxlen=3)),
        (Counter("a"), {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (np.float64(1), 1.0),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(2), np.zeros(2, dtype="f4")),
        (len, abs),
        (functools.partial(int, base=2), functools.partial(int, base=3)),
        (random.Random(1), random.Random(2)),
    ],
)
def test_different_values_differ(one, other):
    """Type, bits, order, shape and bounds all count."""
    assert digest(one) != digest(other)


def test_sets_have_no_order():
    """Sets are equal however they were filled."""
    assert digest({"a", "b", 8, 0}) == digest({0, 8, "b", "a"})


def test_a_generator_moves_when_drawn_from():
    """The state of a random generator is part of the state."""
    rng = random.Random(1)
    before = digest(rng)
    rng.random()
    assert digest(rng) != before


def test_cycles_end():
    """A value that contains itself has a digest."""
    loop = [1]
    loop.append(loop)
    assert digest(loop) != digest([1, [1]])


def test_shared_is_not_copied():
    """One list in two places is another state than two equal lists, for learning would tell them apart."""
    part = [1]
    assert digest([part, part]) != digest([[1], [1]])


def test_depth_is_no_limit():
    """A value may be nested deeper than Python recurses."""
    deep = []
    for _ in range(20_000):
        deep = [deep]
    assert len(digest(deep)) == 32


def test_bound_methods_of_values_count_their_value():
    """A built-in method is hashed with the value to which it is bound."""
    assert digest("a".join) != digest("b".join)


def test_a_lambda_has_no_digest():
    """What could not be found again by name is refused."""
    with pytest.raises(TypeError, match="no name"):
        digest(lambda: None)


@given(probabilities)
def test_probabilities_have_no_order(p):
    """The order in which a model lists its classes is no part of its answer."""
    assert canonical_probabilities(dict(reversed(p.items()))) == canonical_probabilities(p)


@given(probabilities, probabilities)
def test_probabilities_are_encoded_exactly(p, q):
    """Two answers have the same bytes only if they have the same classes and bits."""
    same = {k: v.hex() for k, v in p.items()} == {k: v.hex() for k, v in q.items()}
    assert (canonical_probabilities(p) == canonical_probabilities(q)) == same
