"""The socket: uvicorn with the signals of a service. SIGTERM and SIGINT drain and end with exit code 0."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn

from service.bootstrap import Service
from service.settings import Settings

_DRAIN = 10  # seconds that running requests have


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal; uvicorn would raise it again at the end, and the process would not exit with 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def serve(settings: Settings) -> None:
    """Serve until a signal comes."""
    service = Service(settings)
    config = uvicorn.Config(
        service.app,
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        access_log=False,
        timeout_graceful_shutdown=_DRAIN,
        server_header=False,
    )
    _Server(config).run()
