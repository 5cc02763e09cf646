"""Strict JSON of an expected shape: no `NaN`, nothing out of range, no lone surrogates, no key twice, no unknown field."""

import json
from typing import Any, TypeVar

import msgspec

from service.core.config import invalid_from
from service.core.errors import Invalid

Shape = TypeVar("Shape")


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


def _refuse_duplicates(body: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise Invalid(f"/{key}", f"the key {key!r} stands here twice")
            found[key] = value
        return found

    json.loads(body, object_pairs_hook=unique)
