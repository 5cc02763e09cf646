"""The socket: uvicorn with the signals of a service. SIGTERM and SIGINT drain and end with exit code 0."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator

import structlog
import uvicorn

from service.bootstrap import Service
from service.settings import Settings

_DRAIN = 10  # seconds that running requests have


def _log_plainly(level: str) -> None:
    """One line of JSON an event; tracebacks without local variables, which would hold people's data and take long to draw."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


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
    _log_plainly(settings.log_level)
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
