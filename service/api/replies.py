"""An answer before it is sent, and how it is sent over ASGI. It knows neither paths nor what an answer says."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

from fastapi.responses import Response

JSON = "application/json"
NDJSON = "application/x-ndjson"

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PART = 131_072  # bytes that are sent at once
JSON_HEADER = (b"content-type", b"application/json")


class Reply(NamedTuple):
    """Status, body and headers of an answer."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def plain(self) -> bool:
        """Whether it is JSON that went well, with no headers of its own."""
        return self.status == 200 and self.media_type is JSON and not self.headers  # noqa: PLR2004 - the commonest

    def response(self) -> Response:
        """Return it as FastAPI's routes give it."""
        return Response(self.body, self.status, dict(self.headers), self.media_type)

    def head(self) -> list[tuple[bytes, bytes]]:
        """Return its headers as they go over the wire."""
        kind = JSON_HEADER if self.media_type is JSON else (b"content-type", self.media_type.encode())
        headers = [kind, (b"content-length", b"%d" % len(self.body))]
        if self.headers:
            headers += [(name.lower().encode(), value.encode()) for name, value in self.headers]
        return headers

    async def send(self, send: Send) -> None:
        """Send it as the whole answer to a request; others get the loop between the parts of a long one."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.head()})
        last = max(0, len(self.body) - 1) // _PART
        for part in range(last):
            await send({"type": "http.response.body", "body": self.body[part * _PART : (part + 1) * _PART], "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": self.body[last * _PART :]})
