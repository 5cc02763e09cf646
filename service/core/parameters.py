"""What a constructor's parameter may be, read from its signature and bounded by its name. Which classes there are is not said here."""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal[
    "transformer",
    "supervised transformer",
    "classifier",
    "optimizer",
    "scheduler",
    "loss",
    "initializer",
    "drift detector",
    "metric",
    "splitter",
    "quantizer",
    "search engine",
    "statistic",
]

SEED = 42  # wherever a constructor takes one and the specification gives none
MAX_INTEGER = 1_000_000
MAX_NUMBER = 1e15
MAX_TEXT = 200  # characters
MAX_ITEMS = 100  # in a list


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: its JSON types, its default (absent if `required`), its bounds, and the kinds of class it takes."""

    name: str
    types: tuple[str, ...]
    required: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    accepts: tuple[Kind, ...] = ()
    passed: bool = False  # the default is ours, so it has to be given to River's constructor

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a plain value (neither a list nor a class), with what to do; None if nothing is."""
        if self.choices and value not in self.choices:
            return f"{self.name} must be one of {', '.join(map(repr, self.choices))}."
        kind = _json_type(value)
        if kind not in self.types and not (kind == "integer" and "number" in self.types):
            return f"{self.name} must be of type {' or '.join(self.types)}, not {kind}."
        if kind == "string":
            return None if len(value) <= MAX_TEXT else f"{self.name} is longer than {MAX_TEXT} characters; shorten it."
        if kind in ("integer", "number"):
            return self._out_of_bounds(value, kind)
        return None

    def _out_of_bounds(self, value: float, kind: str) -> str | None:
        limit = MAX_INTEGER if kind == "integer" and "number" not in self.types else MAX_NUMBER
        low = -limit if self.low is None else self.low
        high = limit if self.high is None else self.high
        inside = low <= value <= high and (kind == "integer" or math.isfinite(value))
        return None if inside else f"{self.name} must be between {low:g} and {high:g}, not {str(value)[:40]}."


# By name, since River names the same thing the same way; what grows with a parameter is bounded here.
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "n_models": (1, 100),
    "n_estimators": (1, 100),
    "n_neighbors": (1, 1_000),
    "n_components": (1, 1_000),
    "n_features": (1, 2**16),
    "n_splits": (1, 1_000),
    "n_bins": (2, 1_000),
    "buckets": (1, 1_000),
    "window_size": (1, 10_000),
    "sliding_window_size": (2, 10_000),
    "short_window_size": (1, 10_000),
    "stat_size": (1, 10_000),
    "min_window_length": (1, 10_000),
    "max_buckets": (1, 100),
    "size": (1, 10_000),
    "max_depth": (1, 60),  # pickling recurses
    "max_nodes": (3, 20_000),
    "max_features": (0, 10_000),
    "grace_period": (1, MAX_INTEGER),
    "clock": (1, MAX_INTEGER),
    "t_0": (1, MAX_INTEGER),
    "degree": (1, 2),
    "lambda_value": (0, 50),
    "lam": (0, 50),
    "lambda_val": (0, 1),
    "w": (0, 50),
    "seed": (0, MAX_INTEGER),
}
_ACCEPTS: Mapping[str, tuple[Kind, ...]] = {
    "model": ("classifier",),
    "models": ("classifier",),
    "classifier": ("classifier",),
    "meta_classifier": ("classifier",),
    "transformers": ("transformer",),
    "steps": ("transformer", "supervised transformer", "classifier"),
    "optimizer": ("optimizer",),
    "lr": ("scheduler",),
    "intercept_lr": ("scheduler",),
    "loss": ("loss",),
    "initializer": ("initializer",),
    "drift_detector": ("drift detector",),
    "warning_detector": ("drift detector",),
    "change_detector": ("drift detector",),
    "metric": ("metric",),
    "splitter": ("splitter",),
    "feature_quantizer": ("quantizer",),
    "engine": ("search engine",),
    "similarity": ("statistic",),
}
_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "split_criterion": ("info_gain", "gini", "hellinger"),
    "leaf_prediction": ("mc", "nb", "nba"),
    "bagging_method": ("bag", "wt", "subag"),
    "training_method": ("patches", "subspaces", "resampling"),
    "disable_detector": ("off", "drift", "warning"),
}
_LISTS = frozenset({"models", "transformers", "steps", "keys", "ngram_range"})
_NUMBERS = frozenset({"l2", "threshold", "C", "B", "gamma", "beta"})  # River's defaults for these happen to be integers
_OWN: Mapping[str, Any] = {"max_depth": 60, "seed": SEED}  # River's defaults are no bound and no seed
_TYPES: Mapping[str, tuple[str, ...]] = {"max_features": ("string", "integer", "number")}
_WORDS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "None": "null"}


def parameters_of(make: Callable[..., Any], hidden: frozenset[str], own: Mapping[str, Any]) -> dict[str, Parameter]:
    """Describe the constructor's parameters in order; `own` replaces River's defaults, `hidden` are not to be set."""
    own = {**_OWN, **own}
    found = inspect.signature(make).parameters.values()
    return {p.name: _describe(p, own) for p in found if p.name not in hidden and p.kind is not p.VAR_KEYWORD}


def _describe(p: inspect.Parameter, own: Mapping[str, Any]) -> Parameter:
    given = own.get(p.name, p.default)
    required = given is p.empty and p.kind is not p.VAR_POSITIONAL
    default = None if given is p.empty else given
    types = _types(p, default)
    low, high = _BOUNDS.get(p.name, (None, None))
    return Parameter(
        p.name,
        types=tuple(t for t in types if t != "null") if p.name in own else types,
        required=required or p.kind is p.VAR_POSITIONAL,
        default=list(default) if isinstance(default, tuple) else default,
        low=low,
        high=high,
        choices=_CHOICES.get(p.name, ()),
        accepts=_ACCEPTS.get(p.name, ()),
        passed=p.name in own,
    )


def _types(p: inspect.Parameter, default: Any) -> tuple[str, ...]:
    if p.name in _LISTS:
        return ("array",)
    if p.name in _TYPES:
        return _TYPES[p.name]
    named = re.findall(r"\b(bool|int|float|str|None)\b", str(p.annotation)) if p.annotation is not p.empty else ()
    types = [_WORDS[word] for word in named]
    if not types and p.name not in _ACCEPTS:
        types = ["number" if p.name in _NUMBERS else _json_type(default)]
    return tuple(dict.fromkeys([*types, "object"] if p.name in _ACCEPTS else types))


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", dict: "object"}
    return names.get(type(value), "array")
