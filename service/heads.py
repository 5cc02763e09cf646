"""What uvicorn's protocol leaves open: bounds on a request's head, problems for what is no HTTP at all, one timer for all of a connection.

Requests are answered elsewhere.
"""

import math
from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.errors import MEDIA_TYPE, problem

MAX_HEAD = 65_536  # bytes of a request's target and headers
MAX_HEADERS = 100
PATIENCE = 30.0  # seconds that a head may take to come
_TOO_LARGE = f"a request has at most {MAX_HEADERS} headers here, of at most {MAX_HEAD} bytes together with its target"


class BoundedHeads(HttpToolsProtocol):
    """A connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._heading = False
        self._head = 0  # bytes of an incomplete head before this piece
        self._piece = 0  # bytes
        self._refusal = HTTPStatus.BAD_REQUEST
        self._patience: TimerHandle | None = None
        self._idle_since = self.loop.time()

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for a first request no longer than for a next one."""
        super().connection_made(transport)
        self._rest(self.timeout_keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._wait_no_more()
        super().connection_lost(exc)
        super()._unset_keepalive_if_required()

    def _unset_keepalive_if_required(self) -> None:
        """Somebody is at work; the timer, which costs more than a look at the clock, goes on and finds that out."""
        self._idle_since = math.inf

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with those that are here."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
        else:
            self.server_state.total_requests += 1
            self.flow.resume_reading()
            self._idle_since = self.loop.time()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for too long."""
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0.0:
            self._rest(min(left, self.timeout_keep_alive))
        else:
            super().timeout_keep_alive_handler()

    def _rest(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which keeps a head in memory until it is complete."""
        self._piece, begun = len(data), self._heading
        super().data_received(data)
        if begun and self._heading:  # of a piece in which a head begins, the most may be the body before it
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                self.send_400_response(_TOO_LARGE)
        if self._heading and self._patience is None:
            self._patience = self.loop.call_later(PATIENCE, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._heading, self._head = True, 0

    def on_headers_complete(self) -> None:
        """Raise, which the parser turns into a refusal, where there is too much of them."""
        self._heading = False
        self._wait_no_more()
        if len(self.headers) > MAX_HEADERS or (self._head + self._piece > MAX_HEAD and self._size() > MAX_HEAD):
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError
        super().on_headers_complete()

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and close."""
        reply = problem(self._refusal, msg if self._refusal == HTTPStatus.BAD_REQUEST else _TOO_LARGE, "/")
        line = f"HTTP/1.1 {self._refusal.value} {self._refusal.phrase}\r\nConnection: close\r\n"
        head = f"{line}Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(reply.body)}\r\n\r\n"
        self.transport.write(head.encode() + reply.body)
        self.transport.close()
