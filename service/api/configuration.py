"""The JSON Schema of a stream's configuration, made from the catalogue: what a type cannot say of names that belong together."""

from collections.abc import Mapping
from typing import Any

from service.api.text import LABEL
from service.core.catalogue import describe, measure_params, rule_params
from service.core.config import MAX_CLASSES, QuerySpec
from service.core.models import DEFAULT
from service.core.tasks import REGRESSION, TASKS

Schema = dict[str, Any]

_NULL: Schema = {"type": "null"}
_DEFAULTS = (DEFAULT, QuerySpec().rule, QuerySpec().measure)


def configuration(generated: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of a configuration and its parts, as amendments of those that msgspec `generated` from the types."""
    catalogue = describe()
    classes = {"type": "array", "items": LABEL, "minItems": 1, "maxItems": MAX_CLASSES, "uniqueItems": True}
    whole = generated["StreamConfig"]
    properties = {**whole["properties"], "classes": {"anyOf": [classes, _NULL], "default": None}}
    whole = {**whole, "properties": properties, "anyOf": [_classification(), _regression()]}
    return {
        "StreamConfig": whole,
        "ModelSpec": {**_about(generated["ModelSpec"]), "anyOf": [*_models(catalogue["models"]), _pipeline(generated["ModelSpec"])]},
        "QuerySpec": _query(generated["QuerySpec"]),
        "BudgetSpec": {**generated["BudgetSpec"], "anyOf": _CAPS},
    }


def _classification() -> Schema:
    """What belongs to a stream of classes, which is the default: no model or measure of numbers."""
    of_numbers = TASKS[REGRESSION]
    model, measure = ({"enum": list(names)} for names in (of_numbers.models, of_numbers.measures))
    others = {
        "model": {"not": {"properties": {"type": model}, "required": ["type"]}},
        "query": {"not": {"properties": {"measure": measure}, "required": ["measure"]}},
    }
    return {"title": "classification", "properties": {"task": {"enum": ["classification"]}, **others}}


def _regression() -> Schema:
    """What belongs to a stream of numbers."""
    fitting = TASKS[REGRESSION]
    own = {
        "task": {"enum": [REGRESSION]},
        "model": {"properties": {"type": {"enum": list(fitting.models)}}, "required": ["type"]},
        "query": {"properties": {"measure": {"enum": list(fitting.measures)}}},
        "classes": _NULL,
        "labels": {"properties": {"per_sample": {"enum": [1]}}},
    }
    return {"title": REGRESSION, "properties": own, "required": ["task"]}


# A cap by money needs the price of a label, and stands in for one by count.
_CAPS = [
    {"properties": {"spend": _NULL}},
    {"properties": {"price": {"type": "number"}, "labels": _NULL}, "required": ["price"]},
]


def _about(schema: Schema) -> Schema:
    return {name: schema[name] for name in ("title", "description")}


def _models(models: Mapping[str, Any]) -> list[Schema]:
    return [_choice("type", name, entry["params"], {"pipeline": _NULL}, [name, None]) for name, entry in models.items()]


def _pipeline(spec: Schema) -> Schema:
    steps = {"type": "array", "items": {"$ref": "#/components/schemas/Step"}, "minItems": 1, "maxItems": 20}
    properties = {**spec["properties"], "type": _NULL, "params": {"type": "object", "maxProperties": 0}, "pipeline": steps}
    return {"type": "object", "properties": properties, "required": ["pipeline"], "additionalProperties": False}


def _query(spec: Schema) -> Schema:
    """A rule with its parameters, and a measure with its own."""
    rules = [_named("rule", "params", name, params) for name, params in rule_params().items()]
    measures = [_named("measure", "measure_params", name, params) for name, params in measure_params().items()]
    names = {"rule": {"enum": list(rule_params())}, "measure": {"enum": list(measure_params())}}
    properties = {name: {**schema, **names.get(name, {})} for name, schema in spec["properties"].items()}
    return {
        **_about(spec),
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "allOf": [_any(rules), _any(measures)],
    }


def _any(choices: list[Schema]) -> Schema:
    return {"anyOf": choices}


def _named(field: str, params_field: str, name: str, params: Mapping[str, Schema]) -> Schema:
    required = [] if name in _DEFAULTS else [field]
    return {"title": name, "properties": {field: {"enum": [name]}, params_field: _open(params)}, "required": required}


def _choice(field: str, name: str, params: Mapping[str, Schema], others: Schema, names: list[str | None]) -> Schema:
    """An object whose `field` has this name, with the parameters that belong to it; the default's name may be missing."""
    default = name in _DEFAULTS
    properties = {field: {"enum": names if default else [name]}, "params": _open(params), **others}
    required = [] if default else [field]
    return {"type": "object", "title": name, "properties": properties, "required": required, "additionalProperties": False}


def _open(params: Mapping[str, Schema]) -> Schema:
    properties = {name: {key: value for key, value in param.items() if key != "about"} for name, param in params.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}
