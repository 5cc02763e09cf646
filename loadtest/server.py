"""A real server in a process of its own, for load and fault tests. It speaks the public HTTP API and imports nothing of the service."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import httpx

_START = 60.0  # seconds that a server may take to be ready
_STOP = 30.0  # seconds that a server may take to drain
_NONE: Mapping[str, str] = MappingProxyType({})


def free_port() -> int:
    """A port of the loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One run of `askwhen serve` over a data folder."""

    def __init__(self, data: Path, *options: str, settings: Mapping[str, str] = _NONE, under: Sequence[str] = ()) -> None:
        """Start it, with variables of its own and `under` another command, such as `taskset`; `ready` waits until it answers."""
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        environment = {**os.environ, "PYTHONHASHSEED": "0", **settings}
        command = [*under, sys.executable, "-m", "service", "serve", "--data", str(data), "--port", str(port), *options]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def ready(self) -> "Server":
        """Wait until the server is ready; raises `RuntimeError` with its last words if it ends before."""
        until = time.monotonic() + _START
        while time.monotonic() < until:
            if self.process.poll() is not None:
                message = f"the server ended with {self.process.returncode}: {self.process.stderr.read() if self.process.stderr else ''}"
                raise RuntimeError(message)
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").is_success:
                    return self
            time.sleep(0.05)
        self.kill()
        message = "the server did not become ready"
        raise RuntimeError(message)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self._gone()

    def stop(self) -> int:
        """Ask it to drain and end; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._gone()

    def limit_files(self, size: int) -> None:
        """Let no file that its processes write grow beyond so many bytes; -1 for no limit."""
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for process in (self.process.pid, *map(int, (task / "children").read_text().split())):
                resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _gone(self) -> int:
        with self.process:
            return self.process.wait(_STOP)


@contextlib.contextmanager
def serving(data: Path, *options: str, settings: Mapping[str, str] = _NONE, under: Sequence[str] = ()) -> Iterator[Server]:
    """A ready server that is stopped in the end, whatever happens."""
    server = Server(data, *options, settings=settings, under=under)
    try:
        yield server.ready()
    finally:
        if server.process.poll() is None:
            server.stop()
