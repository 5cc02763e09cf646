"""The first to see a request: it counts, checks the key, and answers samples and labels itself; everything else is FastAPI's.

A function of plain ASGI, since a sample's whole decision costs less than a framework's route around it.
"""

import time
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp

from service.api.bodies import Receive, headers_of
from service.api.errors import Overloaded, of_anything
from service.api.intake import Intake
from service.api.replies import Reply, Send
from service.api.scopes import needed
from service.guard import Guard, Scope

_STREAMS = "/v1/streams/"
_INGEST = frozenset({Scope.INGEST})
_LABEL = frozenset({Scope.LABEL})

Request = MutableMapping[str, Any]
Refused = Callable[[int], None]


class Edge:
    """An ASGI app in front of another one."""

    def __init__(self, inner: ASGIApp, samples: Intake, labels: Intake, guard: Guard, most: int, refused: Refused) -> None:
        """Send everything but samples and labels to `inner`; at most `most` requests are in work at once."""
        self._inner = inner
        self._samples = samples
        self._labels = labels
        self._guard = guard
        self._most = most
        self._refused = refused
        self._working = 0

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        self._working += 1
        try:
            reply = await self._reply(scope, receive)
            if reply is None:
                await self._inner(scope, receive, send)
            else:
                await reply.send(send)
        finally:
            self._working -= 1

    async def _reply(self, scope: Request, receive: Receive) -> Reply | None:
        try:
            return await self._own(scope, receive)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            reply = of_anything(error, scope["path"])
            self._refused(reply.status)
            return reply

    async def _own(self, scope: Request, receive: Receive) -> Reply | None:
        if self._working > self._most:
            raise Overloaded(f"the server is busy with {self._most} requests; try again")
        path: str = scope["path"]
        if scope["method"] == "POST" and path.startswith(_STREAMS):
            if path.endswith("/samples") and "/" not in (stream := path[12:-8]):
                return await self._take_in(self._samples, _INGEST, stream, scope, receive)
            if path.endswith("/labels") and "/" not in (stream := path[12:-7]):
                return await self._take_in(self._labels, _LABEL, stream, scope, receive)
        scopes = needed(scope["method"], path)
        if scopes is not None and not self._guard.open:
            granted = self._guard.admit(headers_of(scope["headers"]).get(b"authorization"), scopes, time.monotonic())
            if granted is not None:
                granted.spend(1)
        return None

    async def _take_in(self, intake: Intake, scopes: frozenset[Scope], stream: str, scope: Request, receive: Receive) -> Reply:
        headers = headers_of(scope["headers"])
        granted = None
        if not self._guard.open:
            granted = self._guard.admit(headers.get(b"authorization"), scopes, time.monotonic())
        return await intake.reply(stream, scope["path"], headers, receive, granted)
