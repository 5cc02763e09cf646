"""The measures of utility: the textbook's numbers, and what holds for every distribution."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.measures import PLAIN, entropy, least_confidence, margin

weights = st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=8)


def distribution(parts):
    """Return class probabilities in the given proportions."""
    return {f"c{i}": part / math.fsum(parts) for i, part in enumerate(parts)}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (least_confidence, 0.5),
        (margin, 0.75),
        # -(0.5 ln 0.5 + 0.25 ln 0.25 + 0.25 ln 0.25) / ln 3 = 1.5 ln 2 / ln 3
        (entropy, 0.946394630357186),
    ],
)
def test_numbers_worked_by_hand(measure, expected):
    """Each measure of (1/2, 1/4, 1/4) is what its formula gives on paper."""
    assert measure({"a": 0.25, "b": 0.5, "c": 0.25}) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("measure", PLAIN.values(), ids=PLAIN)
def test_certainty_is_no_utility(measure):
    """A model that is certain has utility 0, also where it knows only one class."""
    assert measure({"a": 0.0, "b": 1.0, "c": 0.0}) == 0.0
    assert measure({"a": 1.0}) == 0.0


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_ignorance_is_full_utility(classes):
    """Equal probabilities have utility 1; least confidence says 1 - 1/k instead, as it is defined."""
    equal = distribution([1.0] * classes)
    assert margin(equal) == pytest.approx(1.0)
    assert entropy(equal) == pytest.approx(1.0)
    assert least_confidence(equal) == pytest.approx(1.0 - 1.0 / classes)


@pytest.mark.parametrize("measure", PLAIN.values(), ids=PLAIN)
@given(parts=weights, seed=st.randoms())
def test_neither_names_nor_order_matter(measure, parts, seed):
    """Utilities lie in [0, 1] and depend on the probabilities alone."""
    probabilities = distribution(parts)
    values = list(probabilities.values())
    seed.shuffle(values)
    utility = measure(probabilities)
    assert 0.0 <= utility <= 1.0
    assert measure(dict(enumerate(values))) == pytest.approx(utility, abs=1e-12)


@pytest.mark.parametrize("measure", PLAIN.values(), ids=PLAIN)
@given(low=st.floats(0.5, 1.0), high=st.floats(0.5, 1.0))
def test_two_classes_are_ranked_alike(measure, low, high):
    """With two classes a more confident prediction never has the larger utility."""
    low, high = sorted((low, high))
    assert measure({"a": high, "b": 1.0 - high}) <= measure({"a": low, "b": 1.0 - low}) + 1e-12


def test_margin_looks_at_the_two_largest():
    """The margin is between the first and the second, wherever they stand, also where they are equal."""
    assert margin({"a": 0.1, "b": 0.6, "c": 0.3}) == pytest.approx(0.7)
    assert margin({"a": 0.3, "b": 0.1, "c": 0.6}) == pytest.approx(0.7)
    assert margin({"a": 0.45, "b": 0.45, "c": 0.1}) == 1.0
