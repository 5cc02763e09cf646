"""Strict JSON of an expected shape: no `NaN`, nothing out of range, no lone surrogates, no key twice, no unknown field."""

import json
from typing import Any, TypeVar

import msgspec

from service.core.config import invalid_from
from service.core.errors import Invalid, below

Shape = TypeVar("Shape")

MAX_DEPTH = 64  # levels of objects and arrays
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
        if _keys(plain, MAX_DEPTH) != body.count(b":"):
            _refuse_duplicates(body)
    except RecursionError:
        raise Invalid("", "this is not JSON: nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("", f"this is not JSON: {error}") from None
    return plain


def _keys(value: Any, levels: int) -> int:
    """Count the keys of all objects; raises `Invalid` where they are nested more than so many levels deep."""
    if value.__class__ not in (dict, list):
        return 0
    if not levels:
        raise Invalid("", f"this is nested more than {MAX_DEPTH} levels deep")
    items = value.values() if isinstance(value, dict) else value
    own = len(value) if isinstance(value, dict) else 0
    return own + sum(_keys(item, levels - 1) for item in items if item.__class__ in (dict, list))


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
