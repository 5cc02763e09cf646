"""How long a connection may be idle: by a clock that the tests turn."""

import asyncio

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from service.api.replies import Reply
from service.wire import Wire

PATIENCE = 75
REQUEST = b"POST /v1/streams/s/samples HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Timer:
    """What a loop calls at its time, unless it is cancelled."""

    def __init__(self, at, call):
        """Keep both."""
        self.at, self.call, self.cancelled = at, call, False

    def cancel(self):
        """Never call."""
        self.cancelled = True


class Task:
    """One that never ends."""

    def add_done_callback(self, call):
        """Never call."""


class Loop:
    """As much of an event loop as a connection needs."""

    def __init__(self):
        """Begin at 0."""
        self.now, self.timers = 0.0, []

    def time(self):
        """Seconds."""
        return self.now

    def call_later(self, seconds, call):
        """Call in so many seconds."""
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def call_soon(self, call):
        """Call before time goes on."""
        return self.call_later(0.0, call)

    def create_task(self, task):
        """Make no task, so that it never runs."""
        task.close()
        return Task()

    def until(self, now):
        """Let time go on, calling what is due in its order."""
        while due := sorted((timer for timer in self.waiting if timer.at <= now), key=lambda timer: timer.at):
            self.timers.remove(due[0])
            self.now = max(self.now, due[0].at)
            due[0].call()
        self.now = now

    @property
    def waiting(self):
        """Timers that will call."""
        return [timer for timer in self.timers if not timer.cancelled]


class Transport(asyncio.Transport):
    """Takes what is sent."""

    def __init__(self):
        """Begin open."""
        super().__init__()
        self.sent, self.closed = b"", False

    def write(self, data):
        """Keep it."""
        self.sent += data

    def is_closing(self):
        """Whether it was closed."""
        return self.closed

    def close(self):
        """Close it."""
        self.closed = True

    def resume_reading(self):
        """Go on."""


class App:
    """Answers at once, or never."""

    answer = Reply(b"{}")

    def at_once(self, _scope, _body):
        """The answer."""
        return self.answer

    async def __call__(self, _scope, _receive, _send):
        """Never called, for tasks do not run here."""


@pytest.fixture
def app():
    """An app that answers at once."""
    return App()


@pytest.fixture
def wire(app):
    """A new connection at time 0."""
    config = Config(app, http="httptools", ws="none", lifespan="off", timeout_keep_alive=PATIENCE, log_config=None)
    config.load()
    config.loaded_app = app
    made = Wire(config, ServerState(), {}, Loop())
    made.connection_made(Transport())
    return made


def test_nobody_says_anything(wire):
    """Then the connection is closed when patience ends."""
    wire.loop.until(PATIENCE - 1)
    assert not wire.transport.closed

    wire.loop.until(PATIENCE)
    assert wire.transport.closed


def test_patience_begins_with_the_last_answer(wire):
    """However many there were, by one timer."""
    for at in (10, 50, 60):
        wire.loop.until(at)
        wire.data_received(REQUEST)
        wire.loop.until(at)
    assert wire.transport.sent.count(b"200 OK") == 3
    assert len(wire.loop.waiting) == 1

    wire.loop.until(60 + PATIENCE - 1)
    assert not wire.transport.closed
    wire.loop.until(60 + PATIENCE)
    assert wire.transport.closed


def test_a_request_in_work_takes_as_long_as_it_takes(wire, app):
    """Patience begins when it is answered."""
    app.answer = None
    wire.data_received(REQUEST)
    wire.loop.until(10 * PATIENCE)
    assert not wire.transport.closed

    wire.cycle.response_complete = True
    wire.on_response_complete()
    wire.loop.until(11 * PATIENCE - 1)
    assert not wire.transport.closed
    wire.loop.until(11 * PATIENCE)
    assert wire.transport.closed


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_a_lost_connection_leaves_no_timer(wire, error):
    """Whatever ended it."""
    wire.data_received(REQUEST)
    wire.loop.until(1)
    wire.connection_lost(error)

    assert wire.loop.waiting == []
