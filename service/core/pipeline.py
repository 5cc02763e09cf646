"""From a pipeline's specification to River estimators. No class path is imported here, and nothing is looked up outside `ALLOWED`."""

import difflib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from river import base, compose

from service.core.allowed import ALLOWED, Entry
from service.core.config import Step
from service.core.deterministic import OneVsRestClassifier
from service.core.errors import Invalid, below
from service.core.parameters import MAX_ITEMS, Kind, Parameter

MAX_STEPS = 20
MAX_DEPTH = 4  # classes in classes
MAX_MEMBERS = 200  # models in models, multiplied out

_LAST: tuple[Kind, ...] = ("classifier",)
_BEFORE: tuple[Kind, ...] = ("transformer", "supervised transformer")
_TRIAL_SAMPLES = 8


@dataclass(frozen=True, slots=True)
class Parts:
    """A pipeline, split at its first supervised step.

    `prefix` learns from every sample, without labels. `model` has `predict_proba_one(x)` and `learn_one(x, y)`; labels are integer
    class codes in order of first appearance.
    """

    prefix: list[base.Transformer]
    model: Any


def build(steps: Sequence[Step]) -> Parts:
    """Build a pipeline and try it on a throwaway copy; raises `Invalid` with a pointer into the list.

    >>> parts = build([Step("preprocessing.StandardScaler"), Step("linear_model.LogisticRegression")])
    >>> parts.prefix, type(parts.model).__name__
    ([StandardScaler (...)], 'OneVsRestClassifier')
    """
    _check_shape(steps)
    _try(_assemble(steps), steps)
    return _assemble(steps)


def handles_text_values(steps: Sequence[Step]) -> bool:
    """Whether a step takes strings as feature values; if none does, they have to be encoded before the pipeline."""
    return any(_entry(step, "").text for step in _all_steps(steps))


def _check_shape(steps: Sequence[Step]) -> None:
    if not 1 <= len(steps) <= MAX_STEPS:
        raise Invalid("", f"A pipeline has 1 to {MAX_STEPS} steps, not {len(steps)}.")
    for i, step in enumerate(steps):
        _check_nesting(step, f"/{i}", 1)
        _check_role(step, f"/{i}", _LAST if i == len(steps) - 1 else _BEFORE)
        members = _members(step)
        if members > MAX_MEMBERS:
            raise Invalid(f"/{i}", f"This step would hold {members} models; give its members less, at most {MAX_MEMBERS} in all.")


def _assemble(steps: Sequence[Step]) -> Parts:
    first = next(i for i, step in enumerate(steps) if _role(step) != "transformer")
    made = [_make(step, f"/{i}", binary=False) for i, step in enumerate(steps)]
    rest = made[first:]
    return Parts(made[:first], rest[0] if len(rest) == 1 else compose.Pipeline(*rest))


# What is asked for


def _entry(step: Step, pointer: str) -> Entry:
    entry = ALLOWED.get(step.class_)
    if entry is None:
        raise Invalid(f"{pointer}/class", f"There is no class {step.class_[:100]!r}.{_near(step.class_, list(ALLOWED))}")
    return entry


def _near(wrong: str, right: list[str]) -> str:
    """The names that were perhaps meant: by spelling of the whole, then of the part after the last dot."""
    short = {name.rpartition(".")[2].lower(): name for name in right}
    close = difflib.get_close_matches(wrong[:100], right, n=3, cutoff=0.75)
    close += [short[name] for name in difflib.get_close_matches(wrong[:100].rpartition(".")[2].lower(), list(short), n=3, cutoff=0.75)]
    return f" Did you mean {' or '.join(dict.fromkeys(close))}?" if close else " The catalogue lists all there are."


def _role(step: Step) -> Kind:
    """What a step is for; that of a pipeline within is its last step's, supervised if any is."""
    kind = ALLOWED[step.class_].kind
    if step.class_ != "compose.Pipeline":
        return kind
    roles = [_role(child) for _, _, child in _children(step)]
    if not roles or roles[-1] in _LAST:
        return roles[-1] if roles else kind
    return "supervised transformer" if "supervised transformer" in roles else "transformer"


def _check_role(step: Step, pointer: str, accepted: tuple[Kind, ...]) -> None:
    role = _role(step)
    if role not in accepted:
        fitting = [name for name, entry in ALLOWED.items() if entry.kind in accepted]
        raise Invalid(f"{pointer}/class", f"{step.class_} is a {role}; a {' or '.join(accepted)} belongs here, such as {fitting[0]}.")


def _check_nesting(step: Step, pointer: str, depth: int) -> None:
    """Every name, parameter and place of a step and of those within, before anything is made."""
    if depth > MAX_DEPTH:
        raise Invalid(pointer, f"Classes are nested more than {MAX_DEPTH} deep here; flatten this part.")
    _check_params(step, _entry(step, pointer), f"{pointer}/params")
    children = list(_children(step, pointer))
    for i, (at, parameter, child) in enumerate(children):
        _check_nesting(child, at, depth + 1)
        inner = step.class_ == "compose.Pipeline" and i < len(children) - 1
        _check_role(child, at, _BEFORE if inner else parameter.accepts)


def _check_params(step: Step, entry: Entry, pointer: str) -> None:
    for name, value in step.params.items():
        if name not in entry.parameters:
            raise Invalid(below(pointer, name), f"{step.class_} has no parameter {name[:100]!r}.{_parameters(entry)}")
        _check_value(entry.parameters[name], value, f"{pointer}/{name}")
    for parameter in entry.parameters.values():
        if parameter.required and parameter.name not in step.params:
            raise Invalid(f"{pointer}/{parameter.name}", f"{step.class_} needs {parameter.name}; give it.")


def _parameters(entry: Entry) -> str:
    return f" It has {', '.join(entry.parameters)}." if entry.parameters else " It has none."


def _check_value(parameter: Parameter, value: Any, pointer: str) -> None:
    if isinstance(value, list):
        _check_list(parameter, value, pointer)
    elif not (isinstance(value, dict) and parameter.accepts):
        complaint = parameter.complaint(value)
        if complaint is not None:
            raise Invalid(pointer, complaint)


def _check_list(parameter: Parameter, value: list[Any], pointer: str) -> None:
    if parameter.types != ("array",):
        raise Invalid(pointer, f"{parameter.name} must be of type {' or '.join(parameter.types)}, not array.")
    if not 1 <= len(value) <= MAX_ITEMS:
        raise Invalid(pointer, f"{parameter.name} must have 1 to {MAX_ITEMS} items, not {len(value)}.")
    wanted = _ITEMS.get(parameter.name, Parameter(parameter.name, ("object",), accepts=parameter.accepts))
    for i, item in enumerate(value):
        if isinstance(item, list):
            raise Invalid(f"{pointer}/{i}", f"{parameter.name} holds no lists; give {' or '.join(wanted.types)}.")
        _check_value(wanted, item, f"{pointer}/{i}")
    if parameter.name == "ngram_range" and (len(value) != 2 or value[0] > value[1]):  # noqa: PLR2004 - low and high
        raise Invalid(pointer, "ngram_range must be two numbers of words, the lower one first.")


_ITEMS = {"keys": Parameter("keys", ("string",)), "ngram_range": Parameter("ngram_range", ("integer",), low=1, high=3)}


def _children(step: Step, pointer: str = "") -> Iterator[tuple[str, Parameter, Step]]:
    """The steps within a step, its own default ones excepted: where, for which parameter, and which."""
    for name, value in step.params.items():
        parameter = ALLOWED[step.class_].parameters.get(name)
        if parameter is None or not parameter.accepts:
            continue
        at = f"{pointer}/params/{name}"
        if isinstance(value, dict):
            yield at, parameter, _step(value, at)
        if isinstance(value, list):
            yield from ((f"{at}/{i}", parameter, _step(item, f"{at}/{i}")) for i, item in enumerate(value))


def _step(value: Any, pointer: str) -> Step:
    try:
        return msgspec.convert(value, Step)
    except msgspec.ValidationError as error:
        raise Invalid(pointer, f'A class within is {{"class": "...", "params": {{...}}}}: {error}.') from error


def _all_steps(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _all_steps([child for _, _, child in _children(step)])


def _members(step: Step) -> int:
    parameters = ALLOWED[step.class_].parameters
    counts = (step.params.get(name, parameters[name].default) for name in ("n_models", "n_estimators") if name in parameters)
    own: int = next(counts, 1)
    return own * max(1, sum(_members(child) for _, _, child in _children(step) if _role(child) == "classifier"))


# Making


def _make(step: Step, pointer: str, *, binary: bool) -> Any:
    """Make one class with those within; `binary` if only True and False will be its labels."""
    entry = _entry(step, pointer)
    inside = binary or entry.make is OneVsRestClassifier
    given = {p.name: p.default for p in entry.parameters.values() if p.passed} | step.params
    params = {name: _argument(entry.parameters[name], value, f"{pointer}/params/{name}", binary=inside) for name, value in given.items()}
    spread = [item for name in ("keys", "transformers", "steps") for item in params.pop(name, ())]
    try:
        made = entry.make(*spread, **params)
        if entry.kind == "drift detector":
            _fill(made.clone(), params)
    except Exception as error:
        raise Invalid(pointer, f"{step.class_} refuses these parameters: {_sentence(error)}") from error
    return OneVsRestClassifier(made) if entry.binary and not binary else made


def _argument(parameter: Parameter, value: Any, pointer: str, *, binary: bool) -> Any:
    if not parameter.accepts:
        return value
    if isinstance(value, list):
        return [_make(_step(item, f"{pointer}/{i}"), f"{pointer}/{i}", binary=binary) for i, item in enumerate(value)]
    return _make(_step(value, pointer), pointer, binary=binary) if isinstance(value, dict) else value


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    return f"{text or type(error).__name__}{'' if text.endswith('.') else '.'}"


# Trying


def _fill(detector: Any, params: dict[str, Any]) -> None:
    """Let a detector see more than its window holds, for only then it computes."""
    for i in range(params.get("window_size", 0) + 2):
        detector.update(i % 2)


def _try(parts: Parts, steps: Sequence[Step]) -> None:
    """Let `parts` learn a few samples of three classes; what raises here would raise at the first label."""
    for i in range(_TRIAL_SAMPLES):
        x = _trial_sample(steps, i)
        for at, transformer in enumerate(parts.prefix):
            try:
                transformer.learn_one(x)
                x = transformer.transform_one(x)
            except Exception as error:
                raise Invalid(f"/{at}", f"{steps[at].class_} fails on a sample: {_sentence(error)} Change its parameters.") from error
        try:
            parts.model.predict_proba_one(x)
            parts.model.learn_one(x, i % 3)
            parts.model.predict_proba_one(x)
        except Exception as error:
            detail = f"The model fails on a sample: {_sentence(error)} Change its parameters or the steps before it."
            raise Invalid(f"/{len(parts.prefix)}", detail) from error


def _trial_sample(steps: Sequence[Step], i: int) -> dict[Hashable, Any]:
    """Numbers, and text for every feature that a step reads text from."""
    found = list(_all_steps(steps))
    named = [key for step in found for key in step.params.get("keys", ())]
    texts = [step.params["on"] for step in found if "on" in step.params]
    numbers: dict[Hashable, Any] = {name: float((i * 7 + at) % 5) for at, name in enumerate([*"abcdef", *named])}
    return numbers | dict.fromkeys(texts, f"these are the words of sample {i}")
