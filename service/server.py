"""The socket: uvicorn with the signals of a service. SIGTERM and SIGINT drain and end with exit code 0."""

import asyncio
import contextlib
import logging
import signal
import ssl
import sys
from collections.abc import Iterator
from typing import Any

import structlog
import uvicorn

from service.bootstrap import Service
from service.core.errors import Unusable
from service.settings import Settings
from service.wire import Wire

_DRAIN = 4  # seconds that running requests have; engines kill after 10
_SWITCH = 0.0005  # seconds that a thread which reads the log waits for a busy loop to let it go on
_KEEP_ALIVE = 75  # seconds that an idle connection stays open: longer than the minute after which proxies give theirs up


def _log_plainly(level: str) -> None:
    """One line of JSON an event (readable text on a terminal), uvicorn's own among them.

    Tracebacks come without local variables, which would hold people's data and take long to draw.
    """
    terminal = sys.stderr.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer()
    )
    chain: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([] if terminal else [structlog.processors.format_exc_info]),
    ]
    structlog.configure(
        processors=[*chain, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=chain))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal; uvicorn would raise it again at the end, and the process would not exit with 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _tls(settings: Settings) -> dict[str, Any]:
    if settings.ssl_certfile is None:
        if settings.ssl_keyfile or settings.ssl_keyfile_password or settings.ssl_ca_certs:
            raise Unusable("TLS needs a certificate: set ssl_certfile as well")
        return {}
    password = None if settings.ssl_keyfile_password is None else settings.ssl_keyfile_password.get_secret_value()
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.ssl_ca_certs)
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password or "")
    except OSError as error:  # ssl.SSLError is one
        raise Unusable(f"the certificate, its key or the authorities cannot be used: {error}") from None
    return {
        "ssl_certfile": settings.ssl_certfile,
        "ssl_keyfile": settings.ssl_keyfile,
        "ssl_keyfile_password": password,
        "ssl_ca_certs": None if settings.ssl_ca_certs is None else str(settings.ssl_ca_certs),
        "ssl_cert_reqs": ssl.CERT_NONE if settings.ssl_ca_certs is None else ssl.CERT_REQUIRED,
    }


def serve(settings: Settings) -> None:
    """Serve until a signal comes."""
    _log_plainly(settings.log_level)
    tls = _tls(settings)
    sys.setswitchinterval(_SWITCH)
    service = Service(settings)
    config = uvicorn.Config(
        service.app,
        http=Wire,
        host=settings.host,
        port=settings.port,
        log_config=None,
        ws="none",
        access_log=False,
        proxy_headers=False,  # nobody asks where a request came from
        timeout_graceful_shutdown=_DRAIN,
        timeout_keep_alive=_KEEP_ALIVE,
        server_header=False,
        **tls,
    )
    _Server(config).run()
