"""Strict JSON of an expected shape: no `NaN`, nothing out of range, no lone surrogates, no key twice, no unknown field."""

import json
from typing import Any, TypeVar

import msgspec

from service.core.config import invalid_from
from service.core.errors import Invalid, below

Shape = TypeVar("Shape")

_SHOWN = 100  # characters of a key that are shown


def parse(body: bytes, shape: type[Shape]) -> Shape:
    """Decode strict JSON of a shape; raises `Invalid` with the place."""
    return shaped(plain_json(body), shape)


def shaped(plain: Any, shape: type[Shape]) -> Shape:
    """Give plain JSON its shape; raises `Invalid` with the place."""
    try:
        return msgspec.convert(plain, shape)
    except msgspec.ValidationError as error:
        raise invalid_from(error) from None


def plain_json(body: bytes) -> Any:
    """Decode strict JSON of any shape; raises `Invalid`."""
    try:
        plain = msgspec.json.decode(body)
        # Where every colon belongs to a key of its own, no key can have been there twice.
        if _keys(plain) != body.count(b":"):
            _refuse_duplicates(body)
    except RecursionError:
        raise Invalid("", "this is not JSON: nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("", f"this is not JSON: {error}") from None
    return plain


def _keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_keys(item) for item in value.values() if item.__class__ in (dict, list))
    if isinstance(value, list):
        return sum(_keys(item) for item in value if item.__class__ in (dict, list))
    return 0


class _Pairs(list[tuple[str, Any]]):
    """An object's keys and values as they stand in the text."""


def _refuse_duplicates(body: bytes) -> None:
    twice = _twice(json.loads(body, object_pairs_hook=_Pairs))
    if twice is not None:
        raise Invalid(*twice)


def _twice(value: Any) -> tuple[str, str] | None:
    """The pointer to the first key that stands twice in an object, and what to say of it."""
    found: set[str] = set()
    for name, item in value if value.__class__ is _Pairs else ((str(place), item) for place, item in enumerate(value)):
        if name in found:
            return below("", name), f"the key {name[:_SHOWN]!r} stands here twice"
        found.add(name)
        if item.__class__ in (_Pairs, list) and (inside := _twice(item)) is not None:
            return below("", name) + inside[0], inside[1]
    return None
