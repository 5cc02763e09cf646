"""uvicorn's protocol with a short cut: a whole small request that can be answered at once gets its answer where it was read.

Most samples need nothing from the disk. For them the task, the coroutines and the messages of ASGI cost more than the decision. Parsing,
keep-alive, pipelining and shutdown stay uvicorn's; whatever the app does not answer at once goes the way of ASGI.
"""

from collections.abc import Awaitable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.api.replies import Reply
from service.heads import BoundedHeads


class AtOnce(Protocol):
    """An ASGI app that can answer some requests without ASGI."""

    def at_once(self, scope: Any, body: bytes) -> Reply | Awaitable[Reply] | None:
        """Answer a request that is complete; None for one that goes the way of ASGI."""
        ...


class Wire(BoundedHeads):
    """One connection."""

    _begun: Any = None  # the app of a request whose body is still coming

    def data_received(self, data: bytes) -> None:
        """Read; a request that is not whole by now is begun as ever."""
        super().data_received(data)
        if self._begun is not None:
            app, self._begun = self._begun, None
            super()._start_asgi_task(self.cycle, app)

    def on_message_complete(self) -> None:
        """Answer a request that came in one piece."""
        super().on_message_complete()
        if self._begun is not None:
            app, self._begun = self._begun, None
            self._answer(self.cycle, app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle is self.cycle and cycle.more_body and not cycle.waiting_for_100_continue and not self.flow.write_paused:
            self._begun = app
        else:
            super()._start_asgi_task(cycle, app)

    def _answer(self, cycle: RequestResponseCycle, app: AtOnce) -> None:
        answer = app.at_once(cycle.scope, bytes(cycle.body)) if hasattr(app, "at_once") else None
        if answer is None:
            super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]
        elif isinstance(answer, Reply):
            self._write(cycle, answer)
        else:
            task = self.loop.create_task(self._write_later(cycle, answer))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    async def _write_later(self, cycle: RequestResponseCycle, answer: Awaitable[Reply]) -> None:
        self._write(cycle, await answer)

    def _write(self, cycle: RequestResponseCycle, reply: Reply) -> None:
        cycle.response_started = cycle.response_complete = True
        if cycle.disconnected:
            return
        lines = [STATUS_LINE[reply.status]]
        for name, value in cycle.default_headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in reply.head():
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        lines.append(reply.body)
        self.transport.write(b"".join(lines))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
