"""Raw features become numbers, whatever comes, and stay bounded."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import columns
from service.core.columns import Tabular, Words
from service.core.scale import Scale
from service.core.tokens import column_of, token


def learned(values):
    """A scale that saw these values."""
    scale = Scale()
    for value in values:
        scale.learn(value)
    return scale


def test_a_scale_is_the_mean_and_deviation_of_ordinary_values():
    """Without wild values the scale is the textbook's."""
    values = [math.sin(number) * 3 + 5 for number in range(1_000)]
    scale = learned(values)
    mean = sum(values) / len(values)

    assert scale.mean == pytest.approx(mean)
    assert scale.deviation == pytest.approx(math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)))


@pytest.mark.parametrize("position", [0, 1, 7, 500])
def test_one_wild_value_moves_a_scale_by_little(position):
    """1e99 may come first, early or late: ordinary values are told apart all the same."""
    values = [math.sin(number) for number in range(1_000)]
    scale = learned([*values[:position], 1e99, *values[position:]])

    assert abs(scale.mean) < 0.3
    assert 0.6 < scale.deviation < 1.5
    assert abs(scale.scaled(1.0) - scale.scaled(-1.0)) > 1.0


def test_a_column_that_was_constant_takes_a_change_in():
    """A rare indicator that was 0 for long is seen when it is 1."""
    scale = learned([0.0] * 300 + [1.0])

    assert scale.deviation > 0
    assert scale.scaled(1.0) > 1.0


@given(st.lists(st.floats(-1e100, 1e100), max_size=60), st.floats(-1e100, 1e100))
def test_scaled_values_are_finite_and_clipped(values, value):
    """Whatever was learned, a scaled value lies within 8 deviations."""
    assert abs(learned(values).scaled(value)) <= 8.0


def test_a_scale_continues_from_its_state_to_the_bit():
    """A restart half way changes nothing, during the first values as later."""
    values = [math.cos(number) * 7 for number in range(100)]
    for half in (3, 50):
        scale = Scale.of(learned(values[:half]).state())
        for value in values[half:]:
            scale.learn(value)
        assert scale.state() == learned(values).state()


def test_strings_become_columns_and_null_is_missing():
    """One column a string value, booleans as numbers, null left out."""
    table = Tabular()
    sample = {"country": "DE", "new": True, "amount": None}
    table.learn(sample)

    assert table.transform(sample) == {column_of("country", "DE"): 1.0, "new": 0.0}


def test_columns_are_bounded(monkeypatch):
    """Later strings share columns, later numbers are ignored, and nothing grows any more."""
    # The bound itself is far too large for a test to reach.
    monkeypatch.setattr(columns, "MAX_COLUMNS", 10)
    table = Tabular()
    for number in range(5_000):
        table.learn({"id": f"user-{number}", f"number-{number}": 1.0})
    vector = table.transform({"id": "user-4999", "number-4999": 1.0, "number-0": 1.0})

    assert len(table.scales) + len(table.values) == 10
    assert set(vector) == {vector_name for vector_name in vector if vector_name.startswith("#")} | {"number-0"}
    assert len({name for number in range(5_000) for name in table.transform({"id": f"user-{number}"})}) <= 1_024 + 10


def test_a_long_string_shares_a_column():
    """A novel as a string value does not become a column's name."""
    table = Tabular()
    table.learn({"note": "x" * 5_000})

    assert table.values == {}
    assert all(name.startswith("#") for name in table.transform({"note": "x" * 5_000}))


def test_words_are_weighted_as_tf_idf():
    """Rare words weigh more than frequent ones, and the weights of a text have length 1."""
    words = Words("text", hashing=False, columns=100)
    for text in ("free money", "free lunch", "free day"):
        words.learn({"text": text})
    weights = words.transform({"text": "Free money"})

    assert set(weights) == {token("free"), token("money")}
    assert weights[token("money")] / weights[token("free")] == pytest.approx((math.log(4 / 2) + 1) / (math.log(4 / 4) + 1))
    assert math.fsum(weight**2 for weight in weights.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("hashing", [True, False])
def test_words_are_bounded(hashing):
    """A stream of ever new words keeps a bounded number of columns."""
    words = Words("text", hashing=hashing, columns=50)
    for number in range(3_000):
        words.learn({"text": f"word{number}"})

    assert len(words.frequencies) <= 50 + 1_024


def test_a_text_that_is_missing_is_empty():
    """A text stream takes samples without their text."""
    words = Words("text", hashing=False, columns=50)
    words.learn({"text": None})

    assert words.transform({}) == {}


@given(st.lists(st.integers(0, 5).map(float), max_size=15), st.integers(0, 5).map(float))
def test_a_young_scale_forgets_a_value(values, value):
    """It is the scale of the other values then, to the bit, and gone where there is none."""
    forgotten = learned(values).without(value)
    others = [other for other in values if other != value]

    if value not in values:
        assert forgotten.state() == learned(values).state()
    elif others:
        assert forgotten.state() == learned(others).state()
    else:
        assert forgotten is None


def test_a_grown_scale_keeps_no_value():
    """After its first values it holds a mean and a deviation, from which none can be told; nothing is taken out."""
    table = Tabular()
    for number in range(16):
        table.learn({"x": float(number), "y": None, "k": "v"})
    table.learn({"rare": 5.0})

    assert table.kept({"x": 3.0, "rare": 5.0, "k": "v", "y": None, "never": 1.0}) == {"rare": 5.0}
    assert table.scales["x"].without(3.0) is table.scales["x"]
    table.forget({"x": 3.0, "rare": 5.0})
    assert table.scales.keys() == {"x"}


@given(st.text(min_size=3, max_size=300))
def test_no_text_stands_in_a_column(text):
    """What came in as text is not found in vectors nor in the state, be it a value or a word of a text."""
    table, words = Tabular(), Words("text", hashing=False, columns=50)
    for learner in (table, words):
        learner.learn({"text": text})
    columns_of = [*table.transform({"text": text}), *words.transform({"text": text}), *table.values, *words.frequencies]

    assert all(re.fullmatch(r"(text=)?[0-9a-f]{16}|#\d+", column) for column in columns_of)


VALUES = st.none() | st.booleans() | st.sampled_from(["x", "y"]) | st.floats(-1e100, 1e100)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=40))
def test_observing_is_learning_and_then_transforming(samples):
    """The pass that serves every sample gives the same vector and state, to the bit, as its two halves."""
    one, two = Tabular(), Tabular()
    for features in samples:
        seen = one.observe(features)
        two.learn(features)

        assert seen == two.transform(features)
    assert one.state() == two.state()


NUMBERS = st.floats(-50, 50) | st.sampled_from([0.0, 1e-300, 1e99, -1e99, 1e6]) | st.integers(-5, 5)
ODD = st.sampled_from([None, "text", True])


@given(
    st.lists(st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS}), min_size=40, max_size=60),
    st.lists(st.tuples(st.integers(0, 59), st.sampled_from("abc"), NUMBERS | ODD), max_size=2),
    st.integers(2, 20),
)
def test_samples_taken_in_together_leave_the_same_bits_as_one_by_one(samples, odd, size):
    """Column by column or sample by sample, vectors, their order and scales are the same, with wild and odd values among them."""
    for place, name, value in odd:
        samples[place % len(samples)] |= {name: value}
    together, one_by_one = Tabular(), Tabular()

    vectors = [vector for first in range(0, len(samples), size) for vector in together.observe_all(samples[first : first + size])]

    assert [list(vector.items()) for vector in vectors] == [list(one_by_one.observe(features).items()) for features in samples]
    assert repr(together.state()) == repr(one_by_one.state())
    assert together.kept(samples[-1]) == one_by_one.kept(samples[-1])
