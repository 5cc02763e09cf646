"""What a stream's task means for its configuration: which models and measures fit, and what is taken where nothing is said."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from service.core.config import StreamConfig, Task
from service.core.errors import Invalid
from service.core.features import MAX_MAGNITUDE, label_text
from service.core.measures import MEASURES, NUMERIC
from service.core.models import DEFAULT, MODELS
from service.core.regressors import REGRESSORS

_NUMBER = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *")
_LONGEST = 400  # characters of a number
REGRESSION: Task = "regression"


class Fitting(NamedTuple):
    """Models and measures of a task by name, and the default ones."""

    models: Mapping[str, Any]
    measures: Mapping[str, Any]
    model: str
    measure: str


TASKS: Mapping[Task, Fitting] = MappingProxyType(
    {"classification": Fitting(MODELS, MEASURES, DEFAULT, "margin"), REGRESSION: Fitting(REGRESSORS, NUMERIC, "linear", "gsx")}
)


def with_defaults(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A raw configuration with the model and the measure of its task, where it is regression and names none.

    >>> with_defaults({"task": "regression", "query": {"rule": "random"}})["query"]
    {'measure': 'gsx', 'rule': 'random'}
    """
    if raw.get("task") != REGRESSION:
        return raw
    fitting = TASKS[REGRESSION]
    model, query = raw.get("model", {}), raw.get("query", {})
    if isinstance(model, dict) and model.get("type") is None and model.get("pipeline") is None:
        model = {**model, "type": fitting.model}
    if isinstance(query, dict):
        query = {"measure": fitting.measure, **query}
    return {**raw, "model": model, "query": query}


def check_task(config: StreamConfig) -> None:
    """Refuse what a stream of another task would have; raises `Invalid`. Names are known by then."""
    fitting = TASKS[config.task]
    if config.model.type is not None and config.model.type not in fitting.models:
        raise Invalid("/model/type", _unfit("model", config.model.type, config.task, fitting.models))
    if config.query.measure not in fitting.measures:
        raise Invalid("/query/measure", _unfit("measure", config.query.measure, config.task, fitting.measures))
    if config.task == REGRESSION:
        _check_regression(config)


def number_text(value: Any, pointer: str = "/label") -> str:
    """Return the text of a number that is the label's identity; raises `Invalid` for what is no finite number.

    A text that is a number counts as one: files and labelling tools send what was typed.

    >>> number_text(1), number_text("1e0"), number_text(-0.0)
    ('1.0', '1.0', '0.0')
    """
    if isinstance(value, str) and len(value) <= _LONGEST and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(pointer, "a label of a regression stream is a number")
    if not -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE:  # refuses NaN as well
        raise Invalid(pointer, "a label is a finite number of a magnitude of at most 1e100")
    return repr(float(value) + 0.0)  # of both zeros the positive one


def text_of(task: Task, value: Any, pointer: str = "/label") -> str:
    """Return the text that is a label's identity in a stream of this task; raises `Invalid`."""
    return number_text(value, pointer) if task == REGRESSION else label_text(value, pointer)


def _check_regression(config: StreamConfig) -> None:
    if config.model.pipeline is not None:
        raise Invalid("/model/pipeline", "a pipeline ends in a classifier; take a model by its `type` for regression")
    if config.classes is not None:
        raise Invalid("/classes", "labels of a regression stream are numbers; leave the classes out")
    if config.labels.per_sample > 1:
        raise Invalid("/labels/per_sample", "numbers have no majority: a regression stream takes one answer a sample")


def _unfit(kind: str, name: str, task: Task, fitting: Mapping[str, Any]) -> str:
    return f"the {kind} {name!r} is not for {task}; there are {', '.join(fitting)}"
