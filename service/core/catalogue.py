"""What may be chosen by name: models, query rules, measures. It checks names and parameters and builds; it learns nothing."""

import inspect
import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from service.core import allowed, pipeline
from service.core.companions import Committee, Companion
from service.core.config import ModelSpec, QuerySpec, StreamConfig, parse
from service.core.embedder import embedded
from service.core.errors import Invalid, below
from service.core.measures import INFORMED, MEASURES, NUMERIC, PLAIN, Informed, Plain, margin
from service.core.models import DEFAULT, MODELS, Built, Named, Param
from service.core.parameters import MAX_TEXT
from service.core.regressors import REGRESSORS
from service.core.rules import RULES, QueryStrategy
from service.core.stated import EXTERNAL
from service.core.tasks import TASKS, check_task, with_defaults
from service.core.vectoriser import Prefix

_MODELS: Mapping[str, Named] = {**MODELS, **REGRESSORS}
_MEASURES: Mapping[str, Callable[..., Any]] = {**MEASURES, **NUMERIC}
_INFORMED: Mapping[str, Callable[..., Informed]] = {**INFORMED, **NUMERIC}
_LIMIT = 1e6  # largest magnitude of a rule's or measure's parameter
_LONGEST_WINDOW = 10_000  # samples
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
# Parameters of rules and measures; what is looked through at every sample is bounded.
_COUNTS = {
    "members": (2, 20),
    "recent": (2, 500),
    "neighbours": (1, 500),
    "memories": (1, 200),
    "labels": (2, 1_000),
    "foresight": (1, 4),
}
_POSITIVE = frozenset({"temperature", "tolerance", "deviation"})
_BOUNDS = {"beta": (0.0, 100.0), "weight": (0.0, 100.0), "bandwidth": (0.01, 100.0)}
_SHARES = frozenset({"step", "share", "confidence"})


def effective(raw: Mapping[str, Any]) -> StreamConfig:
    """Check a configuration and fill every default in, the catalogue's parameters included; raises `Invalid` with the place."""
    config = parse(with_defaults(raw))
    config = msgspec.structs.replace(config, model=_effective_model(config.model), query=_effective_query(config.query))
    check_task(config)
    _check_embeddings(config)
    if config.model.type == EXTERNAL and isinstance(build_companion(config), Committee):
        raise Invalid("/query/measure", f"members of a committee learn a model of their own, and `{EXTERNAL}` learns none")
    return config


def build_model(spec: ModelSpec) -> Built:
    """Build the model of an effective specification."""
    if spec.pipeline is not None:
        parts = pipeline.build(spec.pipeline)
        return Built(Prefix(parts.prefix, one_hot=not pipeline.handles_text_values(spec.pipeline)), parts.model)
    return _MODELS[spec.type or ""].build(spec.params)


def build_rule(spec: QuerySpec) -> QueryStrategy:
    """Build the query rule of an effective specification."""
    return RULES[spec.rule](**spec.params)


def build_measure(spec: QuerySpec) -> tuple[Plain, Informed | None]:
    """Build the measure of an effective specification: a function of the probabilities, or what takes its place."""
    informed = _INFORMED.get(spec.measure)
    return PLAIN.get(spec.measure, margin), None if informed is None else informed(**spec.measure_params)


def build_companion(config: StreamConfig) -> Companion | None:
    """Build what has to learn beside the model of an effective configuration, for its measure."""
    informed = build_measure(config.query)[1]
    return None if informed is None else informed.companion(lambda: build_model(config.model).model)


def describe() -> dict[str, Any]:
    """Everything that may be chosen, with parameters and defaults, as `GET /v1/catalogue` shows it."""
    return {
        "models": {
            name: {"about": entry.about, "task": task, "params": {key: _describe(param) for key, param in entry.params.items()}}
            for task, fitting in TASKS.items()
            for name, entry in fitting.models.items()
        },
        "pipeline": allowed.catalogue(),
        "rules": {name: {"about": _first_line(rule), "params": _defaults(rule)} for name, rule in RULES.items()},
        "measures": {
            name: {"about": _first_line(measure), "task": task, "params": _measure_defaults(name)}
            for task, fitting in TASKS.items()
            for name, measure in fitting.measures.items()
        },
    }


def rule_params() -> dict[str, dict[str, Any]]:
    """Every rule's parameters, each in the words of JSON Schema."""
    return {name: _in_words(_defaults(rule)) for name, rule in RULES.items()}


def measure_params() -> dict[str, dict[str, Any]]:
    """Every measure's parameters, each in the words of JSON Schema."""
    return {name: _in_words(_measure_defaults(name)) for name in _MEASURES}


def _effective_model(spec: ModelSpec) -> ModelSpec:
    if spec.pipeline is not None:
        if spec.type is not None or spec.params:
            raise Invalid("/model", "give either a `type` with `params` or a `pipeline`")
        _within("/model/pipeline", lambda: pipeline.build(spec.pipeline or []))
        return spec
    name = spec.type or DEFAULT
    if name not in _MODELS:
        raise Invalid("/model/type", _unknown("model", name, _MODELS))
    params = _MODELS[name].params
    _refuse_others("/model/params", spec.params, params)
    chosen = {key: _checked(f"/model/params/{key}", spec.params.get(key, param.default), param) for key, param in params.items()}
    if chosen.get("embed") and embedded("a trial") is None:
        raise Invalid("/model/params/embed", "this server has no model of language; pip install 'askwhen[embed]'")
    return ModelSpec(type=name, params=chosen)


def _effective_query(spec: QuerySpec) -> QuerySpec:
    if spec.rule not in RULES:
        raise Invalid("/query/rule", _unknown("rule", spec.rule, RULES))
    if spec.measure not in _MEASURES:
        raise Invalid("/query/measure", _unknown("measure", spec.measure, _MEASURES))
    params = _filled_in("/query/params", spec.params, _defaults(RULES[spec.rule]))
    measure_params = _filled_in("/query/measure_params", spec.measure_params, _measure_defaults(spec.measure))
    return msgspec.structs.replace(spec, params=params, measure_params=measure_params)


def _check_embeddings(config: StreamConfig) -> None:
    if not config.embeddings:
        return
    name = config.model.type
    if name is None or not _MODELS[name].embeddings:
        able = [repr(other) for other, entry in TASKS[config.task].models.items() if entry.embeddings]
        others = f"{', '.join(able)} do" if able else f"no model for {config.task} does"
        raise Invalid("/embeddings", f"{'a pipeline' if name is None else f'the model {name!r}'} takes no embeddings; {others}")
    if config.model.params.get("field") in config.embeddings:
        raise Invalid(below("/embeddings", config.model.params["field"]), "this is the field of the model's text")
    for place, part in enumerate(config.slices):
        if part in config.embeddings:
            raise Invalid(f"/slices/{place}", "an embedding has no values to tell apart")


def _filled_in(pointer: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_others(pointer, given, defaults)
    for key, value in given.items():
        _check_number(f"{pointer}/{key}", value, _number_param(key, defaults[key]))
    return {**defaults, **given}


def _check_number(pointer: str, value: Any, param: Mapping[str, Any]) -> None:
    if value is None and "null" in param["type"]:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LIMIT:
        raise Invalid(pointer, "this parameter is a number")
    if param["type"] == "integer" and not (isinstance(value, int) and param["minimum"] <= value <= param["maximum"]):
        raise Invalid(pointer, f"this is a whole number from {param['minimum']} to {param['maximum']}")
    if value <= param.get("exclusiveMinimum", -math.inf):
        raise Invalid(pointer, "this is greater than 0")
    if param.get("exclusiveMaximum") and not 0 <= value < 1:
        raise Invalid(pointer, "this lies between 0 and 1")
    if not param.get("minimum", -math.inf) <= value <= param.get("maximum", math.inf):
        raise Invalid(pointer, f"this lies between {param['minimum']} and {param['maximum']}")


def _in_words(defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number_param(name, default) for name, default in defaults.items()}


def _number_param(name: str, default: Any) -> dict[str, Any]:
    """A rule's or measure's parameter in the words of JSON Schema."""
    if isinstance(default, int):
        low, high = _COUNTS.get(name, (1, _LONGEST_WINDOW))
        return {"type": "integer", "default": default, "minimum": low, "maximum": high}
    if name in _SHARES:
        return {"type": "number", "default": default, "minimum": 0, "exclusiveMaximum": 1}
    if name in _BOUNDS:
        return {"type": "number", "default": default, "minimum": _BOUNDS[name][0], "maximum": _BOUNDS[name][1]}
    lowest = {"exclusiveMinimum": 0} if name in _POSITIVE else {"minimum": -_LIMIT}
    return {"type": ["number", "null"] if default is None else "number", "default": default, **lowest, "maximum": _LIMIT}


def _checked(pointer: str, value: Any, param: Param) -> Any:
    kind = type(param.default)
    if kind is float and type(value) is int and abs(value) <= _LIMIT:
        value = float(value)
    if type(value) is not kind:
        raise Invalid(pointer, f"this is a {kind.__name__}, by default {param.default!r}")
    if kind in (int, float) and not (math.isfinite(value) and param.low <= value <= param.high):
        raise Invalid(pointer, f"this lies between {param.low:g} and {param.high:g}")
    if kind is str and not 1 <= len(value) <= MAX_TEXT:
        raise Invalid(pointer, f"this has 1 to {MAX_TEXT} characters")
    return value


def _refuse_others(pointer: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for key in given:
        if key not in known:
            raise Invalid(below(pointer, key), _unknown("parameter", key, known))


def _unknown(kind: str, name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known) or 'none'}"
    return f"there is no {kind} {name!r}{hint}"


def _within(pointer: str, action: Callable[[], object]) -> None:
    try:
        action()
    except Invalid as error:
        raise Invalid(pointer + error.pointer, error.detail) from None


def _describe(param: Param) -> dict[str, Any]:
    described: dict[str, Any] = {"type": _TYPES[type(param.default)], "default": param.default, "about": param.about}
    if type(param.default) in (int, float):
        return {**described, "minimum": param.low, "maximum": param.high}
    return {**described, "minLength": 1, "maxLength": MAX_TEXT} if type(param.default) is str else described


def _defaults(made: Callable[..., Any]) -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in inspect.signature(made).parameters.values()}


def _measure_defaults(name: str) -> dict[str, Any]:
    return _defaults(_INFORMED[name]) if name in _INFORMED else {}


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]
