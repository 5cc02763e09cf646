"""Pipelines: what is built, what is refused and where, and that it repeats bit for bit."""

import json
import os
import pickle
import random
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import compose

from service.core.allowed import ALLOWED, catalogue
from service.core.config import Step
from service.core.deterministic import HoeffdingAdaptiveTreeClassifier, HoeffdingTreeClassifier, OneVsRestClassifier, SortedSet
from service.core.digest import canonical_probabilities, digest
from service.core.errors import Invalid
from service.core.freezer import freeze, thaw
from service.core.pipeline import MAX_STEPS, build, handles_text_values
from service.core.tokens import token

SCALER = Step("preprocessing.StandardScaler")
LOGISTIC = {"class": "linear_model.LogisticRegression"}
TREE = {"class": "tree.HoeffdingTreeClassifier", "params": {"grace_period": 10}}
ADAPTIVE = {"class": "tree.HoeffdingAdaptiveTreeClassifier", "params": {"grace_period": 10}}
UNION = [{"class": "feature_extraction.TFIDF", "params": {"on": "t"}}, {"class": "compose.Select", "params": {"keys": ["a", "b", "c"]}}]


def step(class_, **params):
    """Write a step as Python does."""
    return Step(class_, params)


REPEATED = {
    "adaptive tree": [Step(class_=ADAPTIVE["class"], params=ADAPTIVE["params"])],
    "forest": [step("forest.ARFClassifier", n_models=3, grace_period=10)],
    "patches": [SCALER, step("ensemble.SRPClassifier", n_models=3)],
    "neighbours": [SCALER, step("neighbors.KNNClassifier")],
    "selected": [step("compose.Select", keys=["c", "a", "b"]), step("linear_model.SoftmaxRegression")],
    "text": [step("compose.TransformerUnion", transformers=UNION), step("linear_model.PAClassifier")],
    "bagged": [step("ensemble.BaggingClassifier", model=ADAPTIVE, n_models=3)],
}


def samples(n):
    """Numbers and a text, with a third class that appears late."""
    rng = random.Random(7)
    for i in range(n):
        y = i % (2 if i < n // 2 else 3)
        text = " ".join(rng.choice(["red", "green", "blue", f"word{y}"]) for _ in range(4))
        yield {"a": rng.gauss(y, 1), "b": rng.random(), "c": rng.gauss(-y, 2), "t": text}, y


def transformed(parts, x):
    """Run the label-free part."""
    for transformer in parts.prefix:
        x = transformer.transform_one(x)
    return x


def learned(steps, *, n=120, predict=False, snapshot=False):
    """Return the parts after `n` labels; text goes only to pipelines that read it."""
    parts, text = build(steps), handles_text_values(steps)
    for i, (sample, y) in enumerate(samples(n)):
        x = sample if text else {key: value for key, value in sample.items() if key != "t"}
        if predict:
            parts.model.predict_proba_one(transformed(parts, dict(reversed(x.items()))))
        for transformer in parts.prefix:
            transformer.learn_one(x)
            x = transformer.transform_one(x)
        parts.model.learn_one(x, y)
        if snapshot and i == n // 2:
            parts = thaw(freeze(parts))
    return parts


def fingerprint(parts):
    """Hash what was learned, and what is predicted from it."""
    x = transformed(parts, {"a": 0.3, "b": 0.2, "c": 0.1, "t": "red word1"})
    x = {key: value for key, value in x.items() if not isinstance(value, str)}
    p = parts.model.predict_proba_one(x)
    return [digest((parts.prefix, parts.model)).hex(), canonical_probabilities({str(k): v for k, v in p.items()}).hex()]


def fingerprints():
    """Return those of all repeated pipelines, and of an adaptive tree that learned text labels, as River takes them."""
    tree = HoeffdingAdaptiveTreeClassifier(grace_period=10, seed=1)
    for x, y in samples(120):
        tree.learn_one({"a": x["a"], "c": x["c"]}, f"class {y}")
    texts = [tree.predict_proba_one({"a": i / 10, "c": -i / 10}) for i in range(20)]
    return {name: fingerprint(learned(steps)) for name, steps in REPEATED.items()} | {"texts": texts}


def refused(steps):
    """Return the error that building raises."""
    with pytest.raises(Invalid) as caught:
        build(steps)
    return caught.value


# What is built


def test_splits_at_the_first_supervised_step():
    """What learns without labels comes before, all the rest is one estimator."""
    best = step("feature_selection.SelectKBest", similarity={"class": "stats.PearsonCorr"}, k=2)
    parts = build([SCALER, best, step("preprocessing.Normalizer"), Step(class_=TREE["class"])])
    assert [type(transformer).__name__ for transformer in parts.prefix] == ["StandardScaler"]
    assert isinstance(parts.model, compose.Pipeline)
    assert len(parts.model.steps) == 3


@pytest.mark.parametrize("name", [name for name, entry in ALLOWED.items() if entry.binary])
def test_binary_classifiers_learn_a_third_class(name):
    """A class that appears late is predicted by a model that River has only for two."""
    parts = learned([SCALER, step(name)])
    assert set(parts.model.predict_proba_one({"a": 0.0, "b": 0.0, "c": 0.0})) == {0, 1, 2}


def test_wraps_only_once():
    """Inside a multiclass wrapper a binary classifier stays as it is."""
    model = build([step("multiclass.OneVsRestClassifier", classifier=LOGISTIC)]).model
    assert type(model.classifier).__name__ == "LogisticRegression"


def test_wraps_the_members_of_an_ensemble():
    """A binary member of an ensemble sees all classes too."""
    model = build([step("ensemble.BaggingClassifier", model=LOGISTIC)]).model
    assert isinstance(model.model, OneVsRestClassifier)


def test_nested_parameters_reach_their_class():
    """A class in a parameter is built with its own parameters."""
    model = build([step("linear_model.LogisticRegression", optimizer={"class": "optim.SGD", "params": {"lr": 0.25}})]).model
    assert model.classifier.optimizer.learning_rate == 0.25


def test_random_models_have_a_seed():
    """Also the members within have one, and a given seed is kept."""
    inner = {"class": "forest.AMFClassifier", "params": {"seed": 5}}
    model = build([step("ensemble.BaggingClassifier", model=inner)]).model
    assert (model.seed, model.model.seed) == (42, 5)


def test_the_trial_leaves_no_trace():
    """What is returned has learned nothing."""
    assert build([SCALER, step("naive_bayes.GaussianNB")]).model.predict_proba_one({"a": 1.0}) == {}


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        ([SCALER, step("naive_bayes.GaussianNB")], False),
        ([step("preprocessing.OneHotEncoder"), step("naive_bayes.GaussianNB")], True),
        ([step("compose.TransformerUnion", transformers=UNION), step("naive_bayes.GaussianNB")], True),
    ],
)
def test_knows_who_reads_text(steps, answer):
    """An encoder is found, also within another step."""
    assert handles_text_values(steps) is answer


def test_steps_are_decoded_from_json():
    """The field is called `class`, as people write it."""
    decoded = msgspec.json.decode(b'[{"class": "dummy.PriorClassifier"}]', type=list[Step])
    assert build(decoded).model.predict_proba_one({}) == {}


def test_the_catalogue_is_json():
    """Every class has a name, a kind and parameters that JSON can say."""
    assert {entry["class"] for entry in json.loads(msgspec.json.encode(catalogue()))} == set(ALLOWED)


# What is refused


@pytest.mark.parametrize(
    ("steps", "pointer", "words"),
    [
        ([], "", "1 to 20"),
        ([SCALER] * (MAX_STEPS + 1), "", "1 to 20"),
        ([SCALER], "/0/class", "classifier belongs here"),
        ([step("dummy.PriorClassifier"), SCALER], "/0/class", "transformer"),
        ([step("linear_model.LogisticRegresion")], "/0/class", "Did you mean linear_model.LogisticRegression"),
        ([step("LogisticRegression")], "/0/class", "Did you mean linear_model.LogisticRegression"),
        ([step("os.system")], "/0/class", "no class"),
        ([step("naive_bayes.BernoulliNB", alfa=1)], "/0/params/alfa", "It has alpha"),
        ([step("naive_bayes.BernoulliNB", **{"a/b~": 1})], "/0/params/a~1b~0", "no parameter"),
        ([step("naive_bayes.BernoulliNB", alpha="1")], "/0/params/alpha", "number, not string"),
        ([step("naive_bayes.BernoulliNB", alpha=float("nan"))], "/0/params/alpha", "between"),
        ([step("naive_bayes.BernoulliNB", alpha=1e300)], "/0/params/alpha", "between"),
        ([step("naive_bayes.BernoulliNB", alpha=[1])], "/0/params/alpha", "not array"),
        ([step("tree.HoeffdingTreeClassifier", grace_period=True)], "/0/params/grace_period", "integer, not boolean"),
        ([step("tree.HoeffdingTreeClassifier", max_depth=None)], "/0/params/max_depth", "not null"),
        ([step("tree.HoeffdingTreeClassifier", split_criterion="x")], "/0/params/split_criterion", "'gini'"),
        ([step("tree.HoeffdingTreeClassifier", nominal_attributes=["a"])], "/0/params/nominal_attributes", "no parameter"),
        ([step("forest.ARFClassifier", n_models=101)], "/0/params/n_models", "between 1 and 100"),
        ([step("forest.ARFClassifier", max_features="many")], "/0", "fails on a sample"),
        ([step("preprocessing.StandardScaler", window_size=10_001), step("dummy.PriorClassifier")], "/0/params/window_size", "10000"),
        ([step("compose.Select", keys=[]), step("dummy.PriorClassifier")], "/0/params/keys", "1 to 100"),
        ([step("compose.Select", keys=[["a"]]), step("dummy.PriorClassifier")], "/0/params/keys/0", "no lists"),
        ([step("compose.Select", keys=["a" * 201]), step("dummy.PriorClassifier")], "/0/params/keys/0", "shorten"),
        ([step("compose.Select"), step("dummy.PriorClassifier")], "/0/params/keys", "give it"),
        ([step("feature_extraction.TFIDF", on="t", ngram_range=[2, 1]), step("dummy.PriorClassifier")], "/0/params/ngram_range", "lower"),
        ([step("ensemble.BaggingClassifier")], "/0/params/model", "give it"),
        ([step("ensemble.BaggingClassifier", model="x")], "/0/params/model", "object, not string"),
        ([step("ensemble.BaggingClassifier", model={"clas": "x"})], "/0/params/model", "class"),
        ([step("ensemble.BaggingClassifier", model={"class": "x"})], "/0/params/model/class", "no class"),
        ([step("ensemble.BaggingClassifier", model={"class": "optim.SGD"})], "/0/params/model/class", "optimizer"),
        ([step("ensemble.VotingClassifier", models=[LOGISTIC, {"class": "optim.SGD"}])], "/0/params/models/1/class", "optimizer"),
        ([step("ensemble.BaggingClassifier", model={"class": "forest.ARFClassifier"}, n_models=100)], "/0", "at most 200"),
        ([step("naive_bayes.MultinomialNB", alpha=-1)], "/0", "fails on a sample"),
        (
            [step("forest.ARFClassifier", drift_detector={"class": "drift.KSWIN", "params": {"window_size": 20}})],
            "/0/params/drift_detector",
            "refuses",
        ),
    ],
)
def test_nonsense_is_refused(steps, pointer, words):
    """The error points to the place and says what would be right."""
    error = refused(steps)
    assert error.pointer == pointer
    assert words in error.detail


def test_nesting_is_bounded():
    """Classes go four deep."""
    model = LOGISTIC
    for _ in range(4):
        model = {"class": "ensemble.BaggingClassifier", "params": {"model": model, "n_models": 1}}
    assert "flatten" in refused([Step(model["class"], model["params"])]).detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["class", "params", "x"]), inner, max_size=2),
    max_leaves=5,
)


def pointer_of_refusal(steps):
    """Return where building is refused, or nothing."""
    try:
        build(steps)
    except Invalid as error:
        return error.pointer
    return ""


@given(st.sampled_from(sorted(ALLOWED)), json_values)
def test_any_json_is_built_or_refused(name, value):
    """No parameter makes building raise anything but `Invalid`."""
    first = next(iter(ALLOWED[name].parameters), "none")
    assert pointer_of_refusal([step(name, **{first: value})]).removeprefix("/0")[:1] in {"", "/"}


# What is repeated


@pytest.mark.parametrize("name", REPEATED)
def test_predicting_changes_nothing(name):
    """Predictions in between leave the same state."""
    assert fingerprint(learned(REPEATED[name], predict=True)) == fingerprint(learned(REPEATED[name]))


@pytest.mark.parametrize("name", REPEATED)
def test_snapshots_change_nothing(name):
    """A model that was stored and restored half way ends in the same state."""
    assert fingerprint(learned(REPEATED[name], snapshot=True)) == fingerprint(learned(REPEATED[name]))


def test_the_hash_seed_changes_nothing():
    """Another process under another PYTHONHASHSEED learns the same bits."""
    env = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run([sys.executable, __file__], env=env, capture_output=True, check=True, text=True)
    assert json.loads(answer.stdout) == fingerprints()


def test_classes_are_summed_in_order():
    """A set of classes iterates in order, also after colliding insertions and a snapshot."""
    classes = SortedSet([8, 0, 16, 1])
    assert list(pickle.loads(pickle.dumps(classes))) == list(classes) == [0, 1, 8, 16]  # noqa: S301 - our own bytes


# What is bounded


class SmallTree(HoeffdingTreeClassifier):
    """A tree that is full at two leaves."""

    max_leaves = 2


@pytest.mark.parametrize(("make", "leaves"), [(HoeffdingTreeClassifier, 10), (SmallTree, 2)])
def test_trees_stop_growing(make, leaves):
    """At its largest number of leaves a tree splits no more."""
    model, rng = make(grace_period=10, delta=0.5, tau=1.0), random.Random(3)
    for _ in range(1_000):
        a, b = rng.random(), rng.random()
        model.learn_one({"a": a, "b": b}, int(a * 4) % 2)
    assert (model.n_leaves >= leaves) if leaves > 2 else (model.n_leaves == leaves)


@pytest.mark.parametrize(
    "name", ["preprocessing.StandardScaler", "preprocessing.MinMaxScaler", "preprocessing.MaxAbsScaler", "preprocessing.RobustScaler"]
)
def test_scalers_give_zero_for_the_unknown(name):
    """A feature that was not learned is scaled to 0 and not remembered."""
    scaler = build([step(name), step("dummy.PriorClassifier")]).prefix[0]
    before = digest(scaler)
    assert scaler.transform_one({"new": 3.0}) == {"new": 0.0}
    assert digest(scaler) == before


def test_encoders_leave_out_what_they_did_not_learn():
    """A category, and a word, becomes a feature only by learning."""
    one_hot = build([step("preprocessing.OneHotEncoder"), step("dummy.PriorClassifier")]).prefix[0]
    words = build([step("feature_extraction.BagOfWords", on="t", ngram_range=[1, 2]), step("dummy.PriorClassifier")]).prefix[0]
    one_hot.learn_one({"c": "red"})
    words.learn_one({"t": "Réd wine"})
    assert one_hot.transform_one({"c": "blue"}) == {f"c_{token('red')}": 0}
    assert words.transform_one({"t": "red wine, white wine"}) == {"red": 1, "wine": 2, "red wine": 1}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(fingerprints()))
