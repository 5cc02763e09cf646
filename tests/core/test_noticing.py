"""Texts are noticed among strings, by what comes in alone."""

import random

import pytest

from service.core.noticing import Noticing
from service.core.tokens import is_word
from service.core.vectoriser import Plain

WORDS = [f"word{number}" for number in range(40)]


def text(rng):
    """A few words in any order."""
    return " ".join(rng.choices(WORDS, k=8))


def without_words(vector):
    """A vector without the columns of words."""
    return {column: value for column, value in vector.items() if not is_word(column)}


def seen(samples):
    """Preprocessing that saw samples."""
    vectoriser = Noticing()
    for features in samples:
        vectoriser.observe(features)
    return vectoriser


def test_a_text_is_read_word_by_word_from_the_first_sample_on():
    """Its columns are words, and the field has no column of its own."""
    vector = Noticing().observe({"note": "call me when you can", "amount": 3.0})

    assert len([column for column in vector if is_word(column)]) == 5
    assert without_words(vector) == {"amount": 0.0}


@pytest.mark.parametrize(
    "values",
    [["DE", "FR", "IT"], ["New York City Hall", "Royal Albert Hall of London"], [f"id-{number}" for number in range(200)]],
    ids=["codes", "long categories", "ids"],
)
def test_a_category_is_none(values):
    """However long its values are, they come again; or they are single words."""
    rng = random.Random(1)
    samples = [{"place": rng.choice(values)} for _ in range(200)]
    vectoriser = seen(samples)

    assert vectoriser.texts == []
    assert not any(map(is_word, vectoriser.observe(samples[0])))


def test_what_a_field_is_is_settled_by_its_first_values():
    """After 64 values it stays what it was taken for, so that columns do not come and go."""
    rng = random.Random(1)
    vectoriser = seen({"note": text(rng)} for _ in range(64))
    for _ in range(200):
        vectoriser.observe({"note": "no"})

    assert vectoriser.texts == ["note"]


def test_several_texts_are_read_together():
    """Words of all texts of a sample share its weights."""
    rng = random.Random(1)
    vectoriser = seen({"subject": text(rng), "body": text(rng), "country": "DE"} for _ in range(30))
    vector = vectoriser.observe({"subject": "word1 word2 word3", "body": "word4 word5 word6", "country": "DE"})

    assert vectoriser.texts == ["subject", "body"]
    assert sum(map(is_word, vector)) == 6
    assert len(without_words(vector)) == 1


def test_without_texts_it_is_as_plain():
    """Numbers and categories have the same columns and values, to the bit, sample by sample and together."""
    rng = random.Random(1)
    samples = [{"x": rng.gauss(0, 1), "kind": rng.choice("abc"), "flag": rng.random() < 0.5, "gone": None} for _ in range(100)]
    numbers = [{"x": rng.gauss(0, 1), "y": rng.random()} for _ in range(100)]
    one, other = Noticing(), Plain()

    assert [one.observe(features) for features in samples] == [other.observe(features) for features in samples]
    assert one.observe_all(numbers) == other.observe_all(numbers)
    assert one.vector(samples[0]) == other.vector(samples[0])


def test_it_continues_what_it_wrote():
    """Half way through settling, and after."""
    for count in (10, 100):
        rng = random.Random(1)
        samples = [{"note": text(rng), "kind": rng.choice("ab"), "x": rng.random()} for _ in range(count + 100)]
        first, again = seen(samples[:count]), Noticing()
        again.restore(first.state())

        assert [again.observe(features) for features in samples[count:]] == first.observe_all(samples[count:])
        assert again.state() == first.state()


def test_no_text_stands_in_its_state():
    """Neither words nor values: hashes of them."""
    vectoriser = seen([{"note": "a confidential matter of yours", "kind": "secretive"}])

    assert all(word not in vectoriser.state() for word in (b"confidential", b"matter", b"secretive"))


def test_first_numbers_are_taken_out():
    """A young scale forgets a sample, beside a text."""
    vectoriser = seen([{"note": "one two three four", "x": 1.0}, {"note": "five six seven", "x": 1e6}])

    assert vectoriser.kept({"note": "five six seven", "x": 1e6}) == {"x": 1e6}
    vectoriser.forget([{"x": 1e6}])
    assert b"\xcb" in vectoriser.state()
    assert vectoriser.vector({"x": 1e6})["x"] == Noticing().observe({"x": 1.0})["x"]
