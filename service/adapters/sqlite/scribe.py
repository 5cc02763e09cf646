"""The log's writer as a process, which has a socket to the server.

It has an interpreter of its own, so that a commit never waits for the one that decides, nor that one for a commit. It takes whatever
has come into one transaction, so that many events share one sync (group commit), and answers in order. It ends when its server does.
"""

import contextlib
import signal
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from service.adapters.sqlite.writer import Row, Writer
from service.core.errors import StorageFull, Unavailable

TOGETHER = 1_024  # rows after which a commit takes no more

_LENGTH = struct.Struct("!I")
_READ = 1 << 20  # bytes that are read at once

Order = list[Row] | None  # what to store; None to scrub what was erased


class Answer(msgspec.Struct, array_like=True, gc=False):
    """What became of the next `count` rows (none: of a wish to scrub): the first one's position, the seconds it took, or the error."""

    count: int
    first: int
    seconds: float
    error: str | None = None
    full: bool = False

    @property
    def failure(self) -> Unavailable | None:
        """The error as it is raised."""
        if self.error is None:
            return None
        return StorageFull(self.error) if self.full else Unavailable(self.error)


_encode = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(Order).decode
read_answer = msgspec.msgpack.Decoder(Answer).decode


def framed(message: object) -> bytes:
    """A message as it goes through the socket."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Puts together again what a socket cut up."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._came = bytearray()

    def take(self, data: bytes) -> Iterator[bytes]:
        """Take bytes in; gives the messages that are whole now."""
        self._came += data
        start = 0
        while (body := start + _LENGTH.size) <= len(self._came):
            end = body + _LENGTH.unpack_from(self._came, start)[0]
            if end > len(self._came):
                break
            yield bytes(self._came[body:end])
            start = end
        del self._came[:start]


def main(descriptor: str, folder: str, last: str) -> None:
    """Write until the other end of the socket is closed; a server that ends takes it along however it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever stops a server's whole group wants its log to be written
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(descriptor)) as wire:
        writer = Writer(Path(folder), int(last))
        try:
            _scrub(writer)  # what a crash left
            _serve(wire, writer)
        finally:
            writer.close()


def _serve(wire: socket.socket, writer: Writer) -> None:
    frames = Frames()
    with contextlib.suppress(ConnectionError):  # nobody waits for the answer any more
        while data := wire.recv(_READ):
            for rows in _gathered(frames.take(data)):
                wire.sendall(framed(_scrub(writer) if rows is None else _commit(writer, rows)))


def _gathered(frames: Iterable[bytes]) -> Iterator[Order]:
    """Orders as they are carried out: what came together to be stored goes into one commit."""
    rows: list[Row] = []
    for order in map(_decode_order, frames):
        if rows and (order is None or len(rows) + len(order) > TOGETHER):
            yield rows
            rows = []
        if order is None:
            yield None
        else:
            rows = rows + order if rows else order
    if rows:
        yield rows


def _commit(writer: Writer, rows: list[Row]) -> Answer:
    started = time.perf_counter()
    try:
        first = writer.commit(rows)
    except Unavailable as error:
        return _failed(len(rows), error)
    return Answer(len(rows), first, time.perf_counter() - started)


def _scrub(writer: Writer) -> Answer:
    try:
        writer.scrub()
    except Unavailable as error:
        return _failed(0, error)
    return Answer(0, 0, 0.0)


def _failed(count: int, error: Unavailable) -> Answer:
    return Answer(count, 0, 0.0, str(error), isinstance(error, StorageFull))
