"""Embeddings: what is taken for one, how it is centred, what a model learns of it, and that all of it repeats and can be forgotten."""

import base64
import math
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import embedder, events
from service.core.catalogue import effective
from service.core.centres import Centre
from service.core.columns import ARRAYS, Tabular
from service.core.digest import digest
from service.core.embeddings import check_embeddings, numbers_of, pack_embeddings, shown, single
from service.core.errors import Invalid
from service.core.events import Configured, Labelled
from service.core.freezer import freeze, thaw
from service.core.knowing import Knowing
from service.core.learner import Learner
from service.core.logistic import Logistic
from service.core.measures import MEASURES
from service.core.models import MODELS
from service.core.rebuild import fold, rebuild_of
from service.core.regressors import REGRESSORS
from service.core.vectoriser import Plain
from service.testing import letters

LENGTH = 40
FAR = 3e38


def stream(count, seed=1, *, classes=3, length=LENGTH):
    """Samples with an embedding around its class's own, and their classes."""
    rng = random.Random(seed)
    middles = [[rng.gauss(2.0, 1.0) for _ in range(length)] for _ in range(classes)]
    for _ in range(count):
        kind = rng.randrange(classes)
        yield {"vec": single([middle + rng.gauss(0.0, 1.0) for middle in middles[kind]]), "x": rng.random()}, "abc"[kind]


def packed(features, declared):
    """The features, packed."""
    pack_embeddings(features, declared)
    return features


class Book:
    """A stream and its log, in memory."""

    def __init__(self, raw):
        """Create the stream."""
        self.log, self.learner = [], None
        self.append(Configured(0.0, effective({"budget": {"rate": 1.0, "burst": 1_000}, **raw}), b"k" * 16))

    def append(self, event):
        """Commit and fold an event, by way of its bytes."""
        seq, event = len(self.log) + 1, events.decode(events.encode(event))
        self.log.append((seq, event))
        if self.learner is None:
            self.learner = Learner(seq, event)
        else:
            self.learner.apply(seq, event)

    def read(self, after, upto):
        """The log between two positions."""
        return [item for item in self.log if after < item[0] <= upto]

    def teach(self, samples):
        """Have samples decided about, asked and answered; gives how many were predicted right."""
        right = 0
        for features, label in samples:
            name = f"s{len(self.log)}"
            decision = self.learner.decide(name, features, 0.0)
            right += decision.prediction.label == label
            if decision.query.ask:
                token = self.learner.budget.take()
                question = self.learner.question(decision, features)
                self.learner.budget.release(token)
                self.append(question)
                self.append(self.learner.answer(name, label, "", features, 0.0, brought=False, labeled_at=None))
        return right


# --- values ------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_numbers_of_single_precision_come_back_to_the_bit(numbers):
    """As an array and as base64."""
    text = base64.b64encode(struct.pack("<3f", *numbers)).decode()
    features = packed({"array": list(numbers), "text": text}, {"array": 3, "text": 3})

    assert features["array"] == features["text"]
    assert shown(features) == {"array": numbers, "text": numbers}
    assert packed(shown(features), {"array": 3, "text": 3}) == features


def test_what_single_precision_has_not_becomes_its_largest():
    """1e100 is taken, as any other feature may be."""
    assert shown(packed({"v": [1e100, -1e39, 1e-60]}, {"v": 3}))["v"] == pytest.approx([3.4028235e38, -3.4028235e38, 0.0])


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ([1.0], "/features/v"),
        ([1.0] * 3, "/features/v"),
        ([], "/features/v"),
        (7, "/features/v"),
        (True, "/features/v"),
        ({}, "/features/v"),
        ("", "/features/v"),
        ("text", "/features/v"),
        ("AAAAAAAAAA=", "/features/v"),
        (base64.b64encode(struct.pack("<2f", 1.0, math.nan)).decode(), "/features/v"),
        (base64.b64encode(struct.pack("<2f", 1.0, math.inf)).decode(), "/features/v"),
        ([1.0, 2e100], "/features/v/1"),
        ([1.0, math.nan], "/features/v/1"),
        ([-math.inf, 1.0], "/features/v/0"),
        ([1.0, True], "/features/v/1"),
        ([1.0, None], "/features/v/1"),
        ([1.0, "2"], "/features/v/1"),
        ([1.0, [2.0]], "/features/v/1"),
        ([1, 10**200], "/features/v/1"),
    ],
)
def test_anything_else_is_refused_where_it_is_wrong(value, pointer):
    """Another length, another kind, another number."""
    with pytest.raises(Invalid) as error:
        check_embeddings({"a": 1, "v": value}, {"v": 2})

    assert error.value.pointer == pointer


def test_an_array_under_another_name_is_refused():
    """Only what is declared is an embedding; a missing or null one is missing."""
    with pytest.raises(Invalid) as error:
        pack_embeddings({"w": [1.0, 2.0]}, {"v": 2})

    assert error.value.pointer == "/features/w"
    assert packed({"v": None, "w": 1}, {"v": 2, "u": 3}) == {"v": None, "w": 1}


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"embeddings": {"v": 0}}, "/embeddings"),
        ({"embeddings": {"v": 4_097}}, "/embeddings"),
        ({"embeddings": {"": 3}}, "/embeddings"),
        ({"embeddings": dict.fromkeys("abcde", 3)}, "/embeddings"),
        ({"embeddings": {"v": 3}, "slices": ["a", "v"]}, "/slices/1"),
        ({"embeddings": {"text": 3}, "model": {"type": "text"}}, "/embeddings/text"),
        ({"embeddings": {"v": 3}, "model": {"pipeline": [{"class": "linear_model.LogisticRegression"}]}}, "/embeddings"),
    ],
)
def test_what_cannot_be_declared_is_refused(raw, pointer):
    """With its place."""
    with pytest.raises(Invalid) as error:
        effective(raw)

    assert error.value.pointer == pointer


@pytest.mark.parametrize("model", [name for name, entry in MODELS.items() if not entry.embeddings])
def test_a_model_that_takes_none_says_so(model):
    """And says which do."""
    with pytest.raises(Invalid, match=r"takes no embeddings; .*'logistic'"):
        effective({"model": {"type": model}, "embeddings": {"v": 3}})


@pytest.mark.parametrize("model", REGRESSORS)
def test_models_of_numbers_take_none(model):
    """Nor is another one named that would not fit the task."""
    with pytest.raises(Invalid, match=r"takes no embeddings; no model for regression does"):
        effective({"task": "regression", "model": {"type": model}, "embeddings": {"v": 3}})


# --- preprocessing -----------------------------------------------------------------------------------------------------------


def test_a_vector_is_the_direction_from_the_mean():
    """Of the length it is given, whatever the scale of the numbers."""
    centre = Centre(LENGTH)
    seen = [features["vec"] for features, _ in stream(500)]
    for embedding in seen[:-1]:
        centre.observe(embedding, 5.0)
    direction = numbers_of(centre.observe(seen[-1], 5.0))
    apart = numbers_of(seen[-1]) - np.mean([numbers_of(embedding) for embedding in seen], axis=0)

    assert np.allclose(direction, 5.0 * apart / np.linalg.norm(apart), atol=1e-5)


@pytest.mark.parametrize("position", [0, 1, 7, 15, 16, 300])
@pytest.mark.parametrize("wild", [FAR, 1e9])
def test_one_wild_embedding_moves_the_mean_by_little(position, wild):
    """It may come first, early or late."""
    centre = Centre(LENGTH)
    seen = [features["vec"] for features, _ in stream(400, classes=1)]
    for embedding in [*seen[:position], single([wild] * LENGTH), *seen[position:]]:
        centre.observe(embedding, 1.0)
    middle = np.mean([numbers_of(embedding) for embedding in seen], axis=0)

    assert np.linalg.norm(centre.mean - middle) < 0.1 * np.linalg.norm(middle)


def test_equal_embeddings_are_zeros_and_a_change_is_let_through():
    """There is no direction from a mean to itself."""
    centre = Centre(2)
    for _ in range(30):
        still = centre.observe(single([1.0, 1.0]), 1.0)
    changed = centre.observe(single([1.0, 2.0]), 1.0)

    assert numbers_of(still).tolist() == [0.0, 0.0]
    assert numbers_of(changed).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("cut", [0, 5, 16, 100])
def test_a_batch_is_the_same_to_the_bit(cut):
    """Also where a wild one stands in it, and with scalars beside."""
    samples = [features for features, _ in stream(200)]
    samples[150] = {"vec": single([1e20] * LENGTH), "x": 0.5}
    one, other = Tabular(arrays=2.0), Tabular(arrays=2.0)
    single_file = [one.observe(features) for features in samples]
    together = [vector for part in (samples[:cut], samples[cut:]) if part for vector in other.observe_all(part)]

    assert together == single_file
    assert digest(one.state()) == digest(other.state())


@pytest.mark.parametrize("count", [3, 40])
def test_preprocessing_continues_from_its_state_to_the_bit(count):
    """A restart half way changes nothing."""
    straight, before, after = Plain(5.0), Plain(5.0), Plain(5.0)
    samples = [features for features, _ in stream(80)]
    expected = [straight.observe(features) for features in samples]
    for features in samples[:count]:
        before.observe(features)
    after.restore(before.state())

    assert [after.observe(features) for features in samples[count:]] == expected[count:]
    assert after.state() == straight.state()


def test_a_first_embedding_is_taken_out_again():
    """As if it had never been there; in a mean of sixteen and more it counts for ever."""
    with_it, without = Plain(5.0), Plain(5.0)
    samples = [features for features, _ in stream(10)]
    for number, features in enumerate(samples):
        with_it.observe(features)
        if number != 4:
            without.observe(features)
    assert with_it.kept(samples[4])["vec"] == samples[4]["vec"]
    with_it.forget([samples[4]])

    assert with_it.state() == without.state()
    assert samples[4]["vec"] not in with_it.state()
    for features, _ in stream(20, seed=2):
        with_it.observe(features)
    assert with_it.kept(samples[3]) == {}
    with_it.forget([samples[3]])


def test_the_only_embedding_leaves_nothing():
    """What is not known gives no column."""
    plain = Plain(5.0)
    features = {"vec": single([1.0, 2.0])}
    plain.observe(features)
    plain.forget([features])

    assert plain.state() == Plain(5.0).state()
    assert plain.vector(features) == {}


def test_embeddings_of_another_length_have_a_centre_of_their_own_and_there_are_few():
    """What is declared anew with another length does not meet the old numbers."""
    plain = Plain(5.0)
    vectors = [plain.observe({"vec": single([1.0] * length)}) for length in range(1, 12)]

    assert [list(vector.get(ARRAYS, ())) for vector in vectors[:2]] == [["vec[1]"], ["vec[2]"]]
    assert vectors[8:] == [{}] * 3


# --- learning ----------------------------------------------------------------------------------------------------------------


def dense(numbers):
    """A vector of one embedding."""
    return {ARRAYS: {"v": single(numbers)}}


def test_numbers_of_an_embedding_are_learned_as_columns_with_variances_of_their_own():
    """The same figures as the same numbers under names, for two classes and for three."""
    rng = random.Random(3)
    rows = [([rng.gauss(0.0, 1.0) for _ in range(4)], {"x": rng.random()}) for _ in range(60)]
    rows = [(numbers_of(single(numbers)).tolist(), scalars) for numbers, scalars in rows]
    one, other = Logistic(0.5, 0.01, joint=0), Logistic(0.5, 0.01, joint=0)
    for number, (numbers, scalars) in enumerate(rows):
        code = number % 2 if number < 30 else number % 3
        one.learn_one({**scalars, **dense(numbers)}, code, w=1.0 + number % 2)
        other.learn_one({**scalars, **{f"c{i}": value for i, value in enumerate(numbers)}}, code, w=1.0 + number % 2)

        spread = {**scalars, **{f"c{i}": value for i, value in enumerate(numbers)}}
        assert one.predict_proba_one({**scalars, **dense(numbers)}) == pytest.approx(other.predict_proba_one(spread), rel=1e-9)


def test_a_batch_is_predicted_the_same_to_the_bit():
    """Whether all have the same embeddings or not, and for a model that has seen none."""
    model = Logistic(0.5, 0.01)
    xs = [{"x": features["x"], ARRAYS: {"v": features["vec"]}} for features, _ in stream(50)]
    assert model.predict_proba_each(xs) == [model.predict_proba_one(x) for x in xs]
    for number, x in enumerate(xs):
        model.learn_one(x, number % 3)
    mixed = [*xs, {"x": 0.1}, {ARRAYS: {"v": xs[0][ARRAYS]["v"], "w": single([1.0])}}]

    assert model.predict_proba_each(xs) == [model.predict_proba_one(x) for x in xs]
    assert model.predict_proba_each(mixed) == [model.predict_proba_one(x) for x in mixed]


def test_a_few_labels_tell_embeddings_apart():
    """A model that is fed nothing else."""
    book = Book({"embeddings": {"vec": LENGTH}, "budget": {"rate": 0.05, "burst": 20}})
    right = book.teach(stream(600))

    assert book.learner.labels <= 55
    assert right > 500


@pytest.mark.parametrize("measure", MEASURES)
def test_the_log_rebuilds_what_was_learned_to_the_bit(measure):
    """Under every measure; predictions after a snapshot are the same, and so is a rebuild's model."""
    book = Book({"embeddings": {"vec": LENGTH}, "query": {"measure": measure}})
    book.teach(stream(60))
    again, thawed = fold(book.read), Learner.of(thaw(freeze(book.learner.learned())))
    probe = book.learner.vectoriser.vector(next(stream(1, seed=9))[0])

    assert book.learner.fingerprint() == again.fingerprint() == thawed.fingerprint()
    assert book.learner.taught.predict(probe) == again.taught.predict(probe) == thawed.taught.predict(probe) != {}
    assert digest(rebuild_of({}, book.read, len(book.log)).model) == digest(book.learner.taught.model)


def test_the_event_that_teaches_carries_few_bytes():
    """Four a number, for the features and for the vector."""
    book = Book({"embeddings": {"vec": 384}})
    book.teach(stream(3, length=384))
    sizes = [len(events.encode(event)) for _, event in book.log if isinstance(event, Labelled)]

    assert max(sizes) < 2 * 4 * 384 + 300


def test_a_model_that_takes_none_leaves_them_out():
    """Old samples may have embeddings that a later model does not take."""
    book = Book({"embeddings": {"vec": LENGTH}})
    book.teach(stream(20))
    vector = Plain().observe(next(stream(1))[0])
    book.append(Configured(0.0, effective({"model": {"type": "hoeffding-tree"}}), None))
    taught = rebuild_of({}, book.read, len(book.log))

    assert list(vector) == ["x"]
    assert taught.predict({"x": 0.5}) != {}


# --- text --------------------------------------------------------------------------------------------------------------------

TEXT = {"model": {"type": "text", "params": {"embed": True}}}


@pytest.fixture
def lettered():
    """Texts are embedded by their letters."""
    embedder.offer(letters)


def texts(count):
    """Texts whose classes are told by letters, and by no word that comes twice."""
    rng = random.Random(5)
    for _ in range(count):
        kind = rng.choice("ab")
        yield {"text": " ".join("".join(rng.choices("xyz" + 3 * kind, k=8)) for _ in range(4))}, kind


def test_without_the_extra_an_embedded_text_is_refused():
    """And it says what to install."""
    with pytest.raises(Invalid, match=r"askwhen\[embed\]") as error:
        effective(TEXT)

    assert error.value.pointer == "/model/params/embed"


@pytest.mark.usefixtures("lettered")
def test_texts_are_told_apart_by_more_than_their_words():
    """The embedding generalises where every word is new; the log rebuilds it, and needs no embedder for that."""
    plain, book = Book({"model": {"type": "text"}}), Book(TEXT)
    words, both = plain.teach(texts(100)), book.teach(texts(100))
    embedder.offer(None)

    assert words < 65
    assert both > 80
    assert fold(book.read).fingerprint() == book.learner.fingerprint()


@pytest.mark.usefixtures("lettered")
def test_a_text_is_taken_out_of_the_first_embeddings():
    """By the text itself, or by what was remembered of it."""
    book, other = Book(TEXT), Book(TEXT)
    (first, _), *rest = texts(5)
    book.learner.vectoriser.observe(first)
    for features, _ in rest:
        book.learner.vectoriser.observe(features)
        other.learner.vectoriser.observe(features)
    kept = book.learner.vectoriser.kept(first)
    assert kept == {"text": letters(first["text"])}
    book.learner.vectoriser.forget([kept])

    assert kept["text"] not in book.learner.vectoriser.state()
    assert letters(rest[0][0]["text"]) in book.learner.vectoriser.state()


def test_a_missing_embedder_leaves_the_words():
    """A server that lost the extra goes on."""
    embedder.offer(letters)
    book = Book(TEXT)
    book.teach(texts(10))
    embedder.offer(None)
    decision = book.learner.decide("later", {"text": "aaaa bbbb"}, 0.0)

    assert decision.prediction.label is not None


class Fragile(Logistic):
    """A model that breaks at what lies far out."""

    def predict_proba_one(self, x, offsets=None):
        """Raise there."""
        if x["x"] > 1.0:
            raise ValueError
        return super().predict_proba_one(x, offsets)


def test_a_model_that_breaks_at_one_sample_knows_the_others_of_a_batch():
    """Together as one by one: the service goes on, and nothing is known of that sample alone."""
    knowing = Knowing(Fragile(1.0, 0.0))
    vectors = [{"x": x, ARRAYS: {"v[2]": single([x, 1.0])}} for x in (0.0, 2.0, 1.0)]
    for label in "ab":
        knowing.teach(vectors[0], label)

    assert knowing.predict_all(vectors) == [knowing.predict(vector) for vector in vectors]
    assert [bool(said) for said in knowing.predict_all(vectors)] == [True, False, True]
