"""The first to see a request: it counts, checks the key, and answers samples and labels itself; everything else is FastAPI's.

A function of plain ASGI, since a sample's whole decision costs less than a framework's route around it.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.types import ASGIApp

from service.api.bodies import Headers, Receive, headers_of
from service.api.errors import Overloaded, of_anything
from service.api.intake import Intake
from service.api.replies import Reply, Send
from service.api.scopes import needed
from service.api.turns import Turns
from service.guard import Guard, Pass, Scope

_STREAMS = "/v1/streams/"
_INGEST = frozenset({Scope.INGEST})
_LABEL = frozenset({Scope.LABEL})

Request = MutableMapping[str, Any]
Refused = Callable[[int], None]


class Edge:
    """An ASGI app in front of another one."""

    def __init__(self, inner: ASGIApp, samples: Intake, labels: Intake, guard: Guard, turns: Turns, most: int, refused: Refused) -> None:
        """Send everything but samples and labels to `inner`; at most `most` requests are in work at once."""
        self._inner = inner
        self._samples = samples
        self._labels = labels
        self._guard = guard
        self._turns = turns
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
            path: str = scope["path"]
            try:
                headers = headers_of(scope["headers"])
                intake, scopes, stream = self._way(scope["method"], path)
                granted = self._admitted(headers, scopes)
                reply = None if intake is None else await intake.reply(stream, path, headers, receive, granted)
            except Exception as error:  # noqa: BLE001 - every error has an answer
                reply = self._refusal(error, path)
            if reply is None:
                await self._inner(scope, receive, send)
            else:
                await reply.send(send)
        finally:
            self._working -= 1

    def at_once(self, scope: Request, body: bytes) -> Reply | Awaitable[Reply] | None:
        """The answer to a complete request that brings one sample as JSON; None for any other, which goes the way of ASGI.

        It is the way of ASGI without its messages: the same checks in the same order, and the same taker.
        """
        path: str = scope["path"]
        if scope["method"] != "POST" or not path.startswith(_STREAMS):
            return None
        intake, scopes, stream = self._way("POST", path)
        raw = scope["headers"]
        headers = dict(raw)
        if intake is not self._samples or len(headers) < len(raw) or not intake.takes_at_once(headers, body):
            return None
        self._turns.others += 1
        try:
            self._admitted(headers, scopes)
            answer = intake.take(stream, headers, body)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            return self._refusal(error, path)
        return Reply(answer) if isinstance(answer, bytes) else self._waited(answer, path)

    async def _waited(self, answer: Awaitable[bytes], path: str) -> Reply:
        self._working += 1
        try:
            return Reply(await answer)
        except Exception as error:  # noqa: BLE001 - the same
            return self._refusal(error, path)
        finally:
            self._working -= 1

    def _refusal(self, error: Exception, path: str) -> Reply:
        reply = of_anything(error, path)
        self._refused(reply.status)
        return reply

    def _way(self, method: str, path: str) -> tuple[Intake | None, frozenset[Scope] | None, str]:
        """Who takes a request in (None: FastAPI), the scopes that it needs, and its stream."""
        if method == "POST" and path.startswith(_STREAMS):
            if path.endswith("/samples") and "/" not in (stream := path[12:-8]):
                return self._samples, _INGEST, stream
            if path.endswith("/labels") and "/" not in (stream := path[12:-7]):
                return self._labels, _LABEL, stream
        return None, needed(method, path), ""

    def _admitted(self, headers: Headers, scopes: frozenset[Scope] | None) -> Pass | None:
        if scopes is None:  # whoever watches the server is answered also where it is busy
            return None
        if self._working > self._most:
            raise Overloaded(f"the server is busy with {self._most} requests; try again")
        if self._guard.open:
            return None
        granted = self._guard.admit(headers.get(b"authorization"), scopes, time.monotonic())
        if granted is not None:
            granted.spend(1)
        return granted
