"""A configuration is checked whole, and every default is filled in."""

import msgspec
import pytest

from service.core.catalogue import build_model, build_rule, describe, effective
from service.core.config import StreamConfig, merge_patch
from service.core.errors import Invalid
from service.core.features import check_features, check_id, label_text
from service.core.models import MODELS
from service.core.rules import RULES
from service.core.stated import EXTERNAL


def test_nothing_is_a_working_configuration():
    """`{}` has the defaults that the contract names."""
    config = effective({})

    assert (config.model.type, config.query.rule, config.query.measure, config.exploration) == ("auto", "logit", "margin", 0.3)
    assert (config.budget.rate, config.budget.burst, config.budget.bank, config.budget.max_open) == (0.05, 50, 50, 10_000)
    assert (config.labels.per_sample, config.labels.expire_after) == (1, 604_800.0)
    assert config.model.params == {}


def test_the_effective_configuration_is_one_that_can_be_given():
    """What GET shows can be PUT back and means the same."""
    config = effective({"budget": {"burst": 7}, "query": {"rule": "split"}, "classes": ["a", 1, False]})

    assert effective(msgspec.to_builtins(config)) == config
    assert config.budget.bank == 7
    assert config.classes == ["a", "1", "false"]


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"budgte": {}}, "/budgte"),
        ({"budget": {"rate": 2}}, "/budget/rate"),
        ({"budget": {"rate": "x"}}, "/budget/rate"),
        ({"budget": {"spend": 10}}, "/budget/spend"),
        ({"budget": {"spend": 10, "price": 1, "labels": 3}}, "/budget/spend"),
        ({"budget": {"per": "year"}}, "/budget/per"),
        ({"exploration": -0.1}, "/exploration"),
        ({"classes": ["a", "a"]}, "/classes"),
        ({"slices": ["a", "a"]}, "/slices"),
        ({"classes": []}, "/classes"),
        ({"classes": [0.5]}, "/classes/0"),
        ({"model": {"type": "logistc"}}, "/model/type"),
        ({"model": {"type": "logistic", "params": {"depth": 1}}}, "/model/params/depth"),
        ({"model": {"type": "logistic", "params": {"learning_rate": 10_000}}}, "/model/params/learning_rate"),
        ({"model": {"type": "logistic", "params": {"learning_rate": True}}}, "/model/params/learning_rate"),
        ({"model": {"type": "text", "params": {"field": ""}}}, "/model/params/field"),
        ({"model": {"type": "knn", "pipeline": []}}, "/model"),
        ({"model": {"pipeline": [{"class": "os.system"}]}}, "/model/pipeline/0/class"),
        ({"query": {"rule": "logits"}}, "/query/rule"),
        ({"query": {"measure": "gini"}}, "/query/measure"),
        ({"query": {"params": {"theta": 1}}}, "/query/params/theta"),
        ({"query": {"params": {"temperature": 0}}}, "/query/params/temperature"),
        ({"query": {"rule": "quantile", "params": {"window": 0}}}, "/query/params/window"),
        ({"query": {"rule": "split", "params": {"share": "x"}}}, "/query/params/share"),
        ({"labels": {"per_sample": 0}}, "/labels/per_sample"),
    ],
)
def test_what_is_wrong_is_pointed_at(raw, pointer):
    """Every mistake is refused with the place where it is."""
    with pytest.raises(Invalid) as refused:
        effective(raw)

    assert refused.value.pointer == pointer


def test_a_near_miss_is_guessed():
    """A misspelt name gets the one that was probably meant."""
    with pytest.raises(Invalid, match="did you mean 'logistic'"):
        effective({"model": {"type": "logistc"}})


@pytest.mark.parametrize("name", [name for name in MODELS if name != EXTERNAL])  # tests/core/test_stated.py
def test_every_named_model_is_built(name):
    """Each entry of the catalogue predicts after two labels."""
    built = build_model(effective({"model": {"type": name}}).model)
    for label in (0, 1, 0, 1):
        built.model.learn_one(built.vectoriser.observe({"x": float(label), "text": "a b"}), label)

    assert set(built.model.predict_proba_one(built.vectoriser.vector({"x": 1.0, "text": "b"}))) == {0, 1}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_built_and_described(name):
    """Each rule takes the parameters that the catalogue shows."""
    config = effective({"query": {"rule": name, "params": describe()["rules"][name]["params"]}})

    assert build_rule(config.query).reason


def test_the_catalogue_can_be_sent():
    """Everything in it is JSON."""
    sent = msgspec.json.decode(msgspec.json.encode(describe()))

    assert sent["models"]["logistic"]["params"]["learning_rate"]["default"] == 0.5
    assert sent["rules"]["quantile"]["params"] == {"window": 200, "tolerance": 50.0}
    assert {"class", "kind", "params"} <= sent["pipeline"][0].keys()


def test_a_configuration_survives_the_log():
    """Encoding and decoding changes nothing, types included."""
    config = effective({"budget": {"rate": 1, "price": 1}})

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(config), type=StreamConfig) == config
    assert repr(msgspec.msgpack.decode(msgspec.msgpack.encode(config), type=StreamConfig)) == repr(config)


def test_a_patch_merges_and_null_removes():
    """RFC 7396, appendix A, its table's harder rows."""
    assert merge_patch({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}) == {"a": {"b": "d"}}
    assert merge_patch({"a": [1, 2]}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert merge_patch({"e": None}, {"a": 1}) == {"e": None, "a": 1}
    assert merge_patch({}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e101, -1e101, 10**200, [1], {"a": 1}, "x" * 70_000])
def test_a_bad_feature_is_pointed_at(value):
    """Only numbers, booleans, strings and null within the limits are features."""
    with pytest.raises(Invalid) as refused:
        check_features({"good": 1, "a/b": value})

    assert refused.value.pointer == "/features/a~1b"


@pytest.mark.parametrize("features", [{"": 1}, {"x" * 201: 1}, {f"f{number}": 1 for number in range(1_001)}])
def test_names_and_numbers_of_features_are_bounded(features):
    """A sample has at most 1,000 features with names of 1 to 200 characters."""
    with pytest.raises(Invalid):
        check_features(features)


@pytest.mark.parametrize("value", ["", "x" * 129, "a\nb", "\x00"])
def test_a_bad_id_is_refused(value):
    """Ids are short and printable."""
    with pytest.raises(Invalid):
        check_id(value)


@pytest.mark.parametrize("value", [None, 0.5, [], {}, 2**63, "x" * 201, "\x07"])
def test_a_bad_label_is_refused(value):
    """Labels are strings, integers and booleans."""
    with pytest.raises(Invalid):
        label_text(value)
