"""Bodies off the wire: read within a limit, refused as early as can be. What stands in them is judged elsewhere."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from fastapi import Request

from service.api.errors import CutShort, TooSlow, UnsupportedMedia
from service.core.errors import Invalid, TooLarge
from service.guard import Unauthorized

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Mapping[bytes, bytes]

_CHARSET = re.compile(rb';\s*charset\s*=\s*"?([^";]*)', re.IGNORECASE)
_ONCE = (b"content-type", b"content-encoding", b"idempotency-key", b"ce-id", b"ce-source", b"ce-specversion", b"ce-type", b"ce-time")
PATIENCE = 60.0  # seconds that a body may take to come
_SHOWN = 40  # characters of a header that are shown


def headers_of(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The headers by name; raises `Unauthorized` and `Invalid` where one that means one thing came twice."""
    headers = dict(raw)
    if len(headers) < len(raw):
        _refuse_repeated(Counter(name for name, _ in raw))
    return headers


def _refuse_repeated(counts: Mapping[bytes, int]) -> None:
    if counts.get(b"authorization", 0) > 1:
        raise Unauthorized("send one key; the header Authorization came twice")
    for name in _ONCE:
        if counts.get(name, 0) > 1:
            raise Invalid("", f"the header {name.decode()} came twice")


def media_type_of(headers: Headers) -> str:
    """The media type of a request without its parameters, in lower case; empty where there is none."""
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")


def unsupported(media_type: str, expected: str = "`Content-Type: application/json`") -> UnsupportedMedia:
    """The refusal of a media type."""
    return UnsupportedMedia(f"send the body with the header {expected}, not {media_type[:_SHOWN] or 'no media type'}")


def check_encoding(headers: Headers) -> None:
    """Raise `UnsupportedMedia` for a body that is compressed, or says that it is not UTF-8."""
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding != b"identity":
        raise UnsupportedMedia(f"send the body without the Content-Encoding {encoding.decode('latin-1')[:_SHOWN]}")
    charset = _CHARSET.search(headers.get(b"content-type", b""))
    if charset is not None and charset[1].lower() not in {b"utf-8", b"utf8"}:
        raise UnsupportedMedia(f"send the body in UTF-8, not in {charset[1].decode('latin-1')[:_SHOWN]}")


async def read_body(receive: Receive, headers: Headers, most: int) -> bytes:
    """The whole body, of at most so many bytes; raises `TooLarge`, before reading where the length is told, `TooSlow` and `CutShort`."""
    told = headers.get(b"content-length")
    if told is not None and told.isdigit() and int(told) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(PATIENCE):
            return await _read(receive, most)
    except TimeoutError:
        raise TooSlow(f"the body did not come within {PATIENCE:.0f} s") from None


async def _read(receive: Receive, most: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > most:
                raise _too_large(most)
        body = b"".join(chunks)
    if message["type"] == "http.disconnect":
        raise CutShort("the body ended early")
    if len(body) > most:
        raise _too_large(most)
    return body


async def json_body_of(request: Request, most: int) -> bytes:
    """The body of a request that must be JSON; raises `UnsupportedMedia`, `TooLarge` and `CutShort`."""
    headers = headers_of(request.scope["headers"])
    media_type = media_type_of(headers)
    if media_type != "application/json":
        raise unsupported(media_type)
    check_encoding(headers)
    return await read_body(request.receive, headers, most)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"a body has at most {most} bytes here")
