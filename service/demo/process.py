"""A real server as a child process: started, waited for, stopped by its process id. It speaks to it through its port and signals only."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from service.client import Client
from service.demo.errors import ServerFailed

_START = 60.0  # seconds until it must be ready
_STOP = 20.0  # seconds until it must be gone; it drains for 10
_POLL = 0.05  # seconds
_TAIL = 12  # lines of its log that explain a failure


class ServerProcess:
    """`askwhen serve` on a free port of this machine, in a session of its own: Ctrl-C reaches it through `stop` alone."""

    def __init__(self, data: Path, log: Path) -> None:
        """Start it; it writes its log to the file `log`."""
        self.data = data
        self._log = log
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "service", "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(data)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ready(self) -> None:
        """Wait until it has loaded everything; raises `ServerFailed` with the end of its log."""
        deadline = time.monotonic() + _START
        with Client(self.url) as client:
            while not client.ready():
                if self._process.poll() is not None:
                    raise ServerFailed(f"the server ended with exit code {self._process.returncode}:\n{self._tail()}")
                if time.monotonic() > deadline:
                    raise ServerFailed(f"the server was not ready within {_START:.0f} s:\n{self._tail()}")
                time.sleep(_POLL)

    def stop(self) -> None:
        """End it: politely, and by force if it takes too long."""
        self._process.terminate()
        try:
            self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def let_go(self) -> None:
        """Leave it running when this program ends."""
        self._process.returncode = 0  # else Popen warns that it still runs

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_TAIL:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
