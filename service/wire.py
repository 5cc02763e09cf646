"""HTTP/1.1 as uvicorn speaks it, with what it leaves open: bounds on a request's head, and problems for what is no HTTP at all.

Requests are answered elsewhere.
"""

from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.errors import MEDIA_TYPE, problem

MAX_HEAD = 65_536  # bytes of a request line and its headers that arrive in more than one piece
MAX_HEADERS = 100


class Protocol(HttpToolsProtocol):
    """A connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._heading = False
        self._head = 0  # bytes
        self._refusal = HTTPStatus.BAD_REQUEST

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which keeps a head in memory until it is complete."""
        super().data_received(data)
        if self._heading:
            self._head += len(data)
            if self._head > MAX_HEAD and not self.transport.is_closing():
                self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                self.send_400_response(f"a request's line and headers have at most {MAX_HEAD} bytes here")

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._heading, self._head = True, 0

    def on_headers_complete(self) -> None:
        """Raise, which the parser turns into a refusal, where there are too many."""
        self._heading = False
        if len(self.headers) > MAX_HEADERS:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise ValueError
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and close."""
        reply = problem(self._refusal, msg, "/")
        line = f"HTTP/1.1 {self._refusal.value} {self._refusal.phrase}\r\nConnection: close\r\n"
        head = f"{line}Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(reply.body)}\r\n\r\n"
        self.transport.write(head.encode() + reply.body)
        self.transport.close()
