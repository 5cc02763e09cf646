"""Bodies: of the right media type, not too long, strict JSON of the expected shape. What is in them is judged elsewhere."""

import json
from typing import Any, TypeVar

import msgspec
from fastapi import Request

from service.api.errors import UnsupportedMedia
from service.core.config import invalid_from
from service.core.errors import Invalid, TooLarge

Shape = TypeVar("Shape")


async def body_of(request: Request, most: int) -> bytes:
    """The body of a JSON request; raises `UnsupportedMedia` and `TooLarge`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        message = f"send JSON with the header `Content-Type: application/json`, not {media_type or 'no media type'}"
        raise UnsupportedMedia(message)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            message = f"a body has at most {most} bytes"
            raise TooLarge(message)
    return bytes(body)


def parse(body: bytes, shape: type[Shape]) -> Shape:
    """Decode strict JSON of a shape; raises `Invalid` with the place.

    `NaN`, numbers out of range, lone surrogates, duplicate keys and unknown fields are refused.
    """
    try:
        plain = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        detail = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Invalid("", f"this is not JSON: {detail}") from None
    try:
        # Where every colon belongs to a key of its own, no key can have been there twice.
        if _keys(plain) != body.count(b":"):
            _refuse_duplicates(body)
    except RecursionError:
        raise Invalid("", "this is not JSON: nested too deeply") from None
    try:
        return msgspec.convert(plain, shape)
    except msgspec.ValidationError as error:
        raise invalid_from(error) from None


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
