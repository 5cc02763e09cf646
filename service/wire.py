"""uvicorn's protocol with a short cut: a whole small request that can be answered at once gets its answer where it was read.

Most samples need nothing from the disk. For them the task, the coroutines and the messages of ASGI cost more than the decision. Parsing,
pipelining and shutdown stay uvicorn's; whatever the app does not answer at once goes the way of ASGI.

What came in one turn of the loop is decided together, then answered together: a processor runs the code that it just ran twice as fast.
"""

from collections.abc import Awaitable
from typing import Any, ClassVar, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.api.replies import JSON_HEADER, Reply
from service.heads import BoundedHeads


class AtOnce(Protocol):
    """An ASGI app that can answer some requests without ASGI."""

    def at_once(self, scope: Any, body: bytes) -> Reply | Awaitable[Reply] | None:
        """Answer a request that is complete; None for one that goes the way of ASGI."""
        ...


class Wire(BoundedHeads):
    """One connection."""

    _begun: Any = None  # the app of a request whose body is still coming
    _refused: str | None = None  # what to say of bytes that are no request, once those before them have their answers
    _usual: ClassVar[tuple[list[tuple[bytes, bytes]], bytes]] = ([], b"")
    _round: ClassVar[list[tuple["Wire", RequestResponseCycle, AtOnce]]] = []  # whole requests that came in this turn of the loop

    def data_received(self, data: bytes) -> None:
        """Read; a request that is not whole by now is begun as ever."""
        super().data_received(data)
        if self._begun is not None:
            app, self._begun = self._begun, None
            super()._start_asgi_task(self.cycle, app)

    def on_message_complete(self) -> None:
        """Have a request that came in one piece answered in this round."""
        super().on_message_complete()
        if self._begun is not None:
            app, self._begun = self._begun, None
            if self.flow.write_paused:  # its client does not read: ASGI waits for it
                super()._start_asgi_task(self.cycle, app)
                return
            if not self._round:
                self.loop.call_soon(self._play_round)
            self._round.append((self, self.cycle, app))

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, after what came before it has its answer."""
        self._play_round()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body and not self.transport.is_closing():
            self._refused = msg
            self.flow.pause_reading()
        else:
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Go on with what came behind, and refuse what was no request there."""
        super().on_response_complete()
        if self._refused is not None and self.cycle.response_complete:
            message, self._refused = self._refused, None
            super().send_400_response(message)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle is self.cycle and cycle.more_body and not cycle.waiting_for_100_continue and hasattr(app, "at_once"):
            self._begun = app
        else:
            super()._start_asgi_task(cycle, app)

    @classmethod
    def _play_round(cls) -> None:
        round_, cls._round = cls._round, []
        answers = [(wire, cycle, app, app.at_once(cycle.scope, bytes(cycle.body))) for wire, cycle, app in round_]
        for wire, cycle, app, answer in answers:
            wire.tell(cycle, app, answer)

    def tell(self, cycle: RequestResponseCycle, app: Any, answer: Reply | Awaitable[Reply] | None) -> None:
        """Send what was answered, at once or when it is there; without an answer the request goes the way of ASGI."""
        if answer is None:
            super()._start_asgi_task(cycle, app)
        elif isinstance(answer, Reply):
            self._write(cycle, answer)
        else:
            task = self.loop.create_task(self._write_later(cycle, answer))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    @classmethod
    def _usual_head(cls, default_headers: list[tuple[bytes, bytes]]) -> bytes:
        """The head of a plain answer up to its length, which is made once as long as uvicorn's headers are the same list: a second."""
        if cls._usual[0] is not default_headers:
            cls._usual = default_headers, _head(200, [*default_headers, JSON_HEADER]) + b"content-length: "
        return cls._usual[1]

    async def _write_later(self, cycle: RequestResponseCycle, answer: Awaitable[Reply]) -> None:
        self._write(cycle, await answer)

    def _write(self, cycle: RequestResponseCycle, reply: Reply) -> None:
        cycle.response_started = cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        if reply.plain and cycle.keep_alive:
            self.transport.write(b"%b%d\r\n\r\n%b" % (self._usual_head(cycle.default_headers), len(reply.body), reply.body))
        else:
            own = reply.head() if cycle.keep_alive else [*reply.head(), (b"connection", b"close")]
            self.transport.write(_head(reply.status, [*cycle.default_headers, *own]) + b"\r\n" + reply.body)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in headers])
