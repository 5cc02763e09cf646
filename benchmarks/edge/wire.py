"""Keep-alive HTTP/1.1 over raw sockets, for a client that must cost next to nothing. It knows no workload and measures nothing."""

import select
import socket
from collections import deque
from collections.abc import Iterable
from urllib.parse import urlsplit

from benchmarks.edge.targets import Target

_CHUNK = 262_144  # bytes read at once
_PATIENCE = 120.0  # seconds without an answer


class Connection:
    """One connection with at most one request under way."""

    def __init__(self, target: Target) -> None:
        """Connect."""
        parts = urlsplit(target.url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def fileno(self) -> int:
        """The socket's number, for `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def send(self, request: bytes) -> None:
        """Send a whole request."""
        self._socket.sendall(request)

    def receive(self) -> bytes | None:
        """Read what is there; the body once it is complete. Raises `RuntimeError` for any status but 200."""
        chunk = self._socket.recv(_CHUNK)
        if not chunk:
            message = "the server hung up"
            raise RuntimeError(message)
        self._received += chunk
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return None
        self._received = b""
        if not head.startswith(b"HTTP/1.1 200"):
            raise RefusedError(head, body)
        return body

    def exchange(self, request: bytes) -> bytes:
        """Send a request and wait for the body of its answer."""
        self.send(request)
        while (body := self.receive()) is None:
            pass
        return body


class RefusedError(RuntimeError):
    """An answer that is no 200."""

    def __init__(self, head: bytes, body: bytes) -> None:
        """Keep the status."""
        super().__init__(f"{head.splitlines()[0].decode()}: {body[:300].decode()}")
        self.status = int(head.split(maxsplit=2)[1])


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.index(b"content-length:") + len(b"content-length:")
    return int(lowered[at:].split(b"\r", 1)[0])


def head_of(target: Target, path: str, media_type: str = "application/json") -> bytes:
    """The head of a POST but for the value of its last field, Content-Length."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {urlsplit(target.url).netloc}", f"Content-Type: {media_type}"]
    lines += [f"Authorization: {target.authorization}"] if target.authorization else []
    return "\r\n".join([*lines, "Content-Length: "]).encode()


def post(head: bytes, body: bytes) -> bytes:
    """A whole request."""
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


def post_all(target: Target, requests: Iterable[bytes], connections: int) -> None:
    """Send all requests, so many at once, and wait until each is answered with 200."""
    everyone = [Connection(target) for _ in range(connections)]
    idle, busy = deque(everyone), set[Connection]()
    for request in requests:
        while not idle:
            _wait(idle, busy)
        connection = idle.popleft()
        connection.send(request)
        busy.add(connection)
    while busy:
        _wait(idle, busy)
    for connection in everyone:
        connection.close()


def _wait(idle: deque[Connection], busy: set[Connection]) -> None:
    readable, _, _ = select.select(list(busy), [], [], _PATIENCE)
    if not readable:
        message = "no answer"
        raise RuntimeError(message)
    for connection in readable:
        if connection.receive() is not None:
            busy.discard(connection)
            idle.append(connection)
