"""What a stream is told to do: frozen, checked, with every default filled in, so that it means the same after an upgrade.

Nothing here is built; `service.core.catalogue` turns the names into models and rules.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from service.core.embeddings import MAX_EMBEDDINGS, MAX_LENGTH
from service.core.errors import Invalid, below
from service.core.features import MAX_NAME, label_text

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Money = Annotated[float, msgspec.Meta(gt=0, le=10**12)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Period = Literal["hour", "day", "week", "total"]
Task = Literal["classification", "regression"]

MAX_CLASSES = 1_000
MAX_SLICES = 5

_PLACE = re.compile(r" - at (?:`key` in )?`\$((?:\.\w+|\[\d+\]|\[\.\.\.\])*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """A part of the configuration; an unknown field is refused by name."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"class_": "class"}):
    """A River class of the allow-list, by its public name, with parameters; these may hold steps again."""

    class_: str
    params: dict[str, Any] = {}


class ModelSpec(_Strict, frozen=True):
    """A named model of the catalogue with its parameters, or a free pipeline of allow-listed River classes."""

    type: str | None = None
    params: dict[str, Any] = {}
    pipeline: list[Step] | None = None


class QuerySpec(_Strict, frozen=True):
    """The query rule and the measure of utility it works on, each with its parameters; whether labels weigh 1 / their probability."""

    rule: str = "logit"
    measure: str = "margin"
    params: dict[str, Any] = {}
    measure_params: dict[str, Any] = {}
    weighted: bool = False


class BudgetSpec(_Strict, frozen=True):
    """How many labels may be bought; every part holds at once.

    `rate` is the share of samples that may be asked, `burst` a start-up grant on top to warm up with, `bank` what may be saved up
    through a pause (default: as much as `burst`). `labels` per `per` caps by count, `spend` per `per` by money at `price` a label.
    `max_open` pauses asking while that many questions wait.
    """

    rate: Share = 0.05
    burst: Count = 50
    bank: Count | None = None
    labels: Count | None = None
    spend: Money | None = None
    per: Period = "total"
    max_open: Positive = 10_000
    price: Money | None = None
    currency: Annotated[str, msgspec.Meta(min_length=1, max_length=8)] | None = None


class LabelSpec(_Strict, frozen=True):
    """How answers are taken: votes a sample needs, seconds a question stays open, whether an expired one is given back."""

    per_sample: Annotated[int, msgspec.Meta(ge=1, le=25)] = 1
    expire_after: Annotated[float, msgspec.Meta(gt=0, le=10**9)] = 604_800.0  # seconds
    give_back: bool = False


class PoolSpec(_Strict, frozen=True):
    """How many unasked samples are kept in memory for `pool/select`, and which: a sample of all, or the `useful` ones. 0 keeps none."""

    size: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 2_000
    keep: Literal["reservoir", "useful"] = "reservoir"


class StreamConfig(_Strict, frozen=True):
    """The effective configuration of a stream."""

    task: Task = "classification"
    model: ModelSpec = ModelSpec(type="auto")
    classes: list[str] | None = None
    query: QuerySpec = QuerySpec()
    budget: BudgetSpec = BudgetSpec()
    exploration: Share = 0.3
    labels: LabelSpec = LabelSpec()
    slices: Annotated[list[Name], msgspec.Meta(max_length=MAX_SLICES, extra_json_schema={"uniqueItems": True})] = []
    embeddings: Annotated[dict[Name, Annotated[int, msgspec.Meta(ge=1, le=MAX_LENGTH)]], msgspec.Meta(max_length=MAX_EMBEDDINGS)] = {}
    retention: Annotated[float, msgspec.Meta(gt=0, le=10**10)] | None = None  # seconds after which a sample is erased
    pool: PoolSpec = PoolSpec()


def parse(raw: Mapping[str, Any]) -> StreamConfig:
    """Check the shape of a configuration, without looking names up; raises `Invalid` with the place."""
    plain = dict(raw)
    if isinstance(plain.get("classes"), list):
        plain["classes"] = _class_names(plain["classes"])
    try:
        config = msgspec.convert(plain, StreamConfig)
    except msgspec.ValidationError as error:
        raise invalid_from(error) from None
    _check_budget(config.budget)
    if len(set(config.slices)) < len(config.slices):
        raise Invalid("/slices", "the same feature stands here twice")
    bank = config.budget.burst if config.budget.bank is None else config.budget.bank
    return msgspec.structs.replace(config, budget=msgspec.structs.replace(config.budget, bank=bank))


def invalid_from(error: msgspec.ValidationError) -> Invalid:
    """Turn msgspec's "... - at `$.budget.rate`" into an `Invalid` with a JSON pointer; an unknown field is pointed at itself."""
    detail, path = str(error), ""
    place = _PLACE.search(detail)
    if place is not None:
        detail, path = detail[: place.start()], place[1]
    pointer = path.replace("[...]", "").replace("[", "/").replace("]", "").replace(".", "/")
    unknown = _UNKNOWN.fullmatch(detail)
    return Invalid(pointer if unknown is None else below(pointer, unknown[1]), detail)


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply an RFC 7396 merge patch; neither argument is changed.

    >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _class_names(raw: list[Any]) -> list[str]:
    names = [label_text(value, pointer=f"/classes/{index}") for index, value in enumerate(raw)]
    if not 1 <= len(names) <= MAX_CLASSES:
        raise Invalid("/classes", f"a stream has 1 to {MAX_CLASSES} classes, not {len(names)}; leave it out to discover them")
    if len(set(names)) < len(names):
        raise Invalid("/classes", "the same class stands here twice")
    return names


def _check_budget(budget: BudgetSpec) -> None:
    if budget.spend is not None and budget.price is None:
        raise Invalid("/budget/spend", "a cap by money needs the `price` of a label")
    if budget.spend is not None and budget.labels is not None:
        raise Invalid("/budget/spend", "give either `labels` (a cap by count) or `spend` (a cap by money)")
