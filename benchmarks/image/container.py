"""An image's process as an engine would start it, by bubblewrap: a read-only root, one volume, namespaces of its own, no rights.

Its network is a loopback of its own too, so it keeps its port whatever else listens on the machine.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.image.store import Image

PATIENCE = 60.0  # seconds that a process may take to be ready or to end
_STUBBORN = 15.0  # seconds after which nobody waits for an end any more
PAUSE = 0.02  # seconds between two looks
_SWITCH = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")  # to become the image's user and to give every right away


class Container:
    """One run of an image over a data folder. Its environment is the image's, and what the caller adds."""

    def __init__(self, image: Image, data: Path, environment: dict[str, str], command: Sequence[str] = ()) -> None:
        """Start it; `command` takes the place of the image's CMD."""
        self.config = image.config
        self.environment = dict(entry.split("=", 1) for entry in self.config["Env"]) | environment
        (self.volume,) = self.config["Volumes"]
        self.user, self.group = map(int, self.config["User"].split(":"))
        os.chown(data, self.user, self.group)
        self.output = data.with_suffix(".output")
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        program = [*become, *self.config["Entrypoint"], *(command or self.config["Cmd"])]
        read, write = os.pipe()
        sandbox = ["bwrap", "--info-fd", str(write), *self._sandbox(image.root, data), "--", *program]
        with self.output.open("w") as out, os.fdopen(read) as told:
            self.process = subprocess.Popen(sandbox, pass_fds=[write], stdout=out, stderr=out)
            os.close(write)
            self.pid = int(json.loads(told.read())["child-pid"])

    def _sandbox(self, root: Path, data: Path) -> Iterator[str]:
        yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--as-pid-1")
        yield from ("--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev")
        yield from ("--perms", "1777", "--tmpfs", "/dev/shm")  # noqa: S108 - as engines have it: semaphores live there
        yield from ("--bind", str(data), self.volume, "--chdir", self.config["WorkingDir"], "--clearenv")
        for name, value in self.environment.items():
            yield from ("--setenv", name, value)
        for right in _SWITCH:
            yield from ("--cap-add", right)

    def inside(self, *command: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of the image beside its process, as the same user unless told otherwise."""
        enter = [
            f"--setuid={self.user if user is None else user}",
            f"--setgid={self.group}",
            "--root",
            "--wd",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
        ]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return subprocess.run([*self.network, *enter, "env", "-i", *variables, *command], capture_output=True, text=True, check=False)

    @property
    def network(self) -> list[str]:
        """What to put before a command of this machine so that the container's loopback is its own."""
        return ["nsenter", f"--target={self.pid}", "--net"]

    def processes(self) -> Iterator[dict[str, str]]:
        """The kernel's status of each process of the container, as seen from outside."""
        own = Path(f"/proc/{self.pid}/ns/pid").readlink()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "ns/pid").readlink() == own:
                    yield dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
            except OSError:
                continue  # it has ended meanwhile, or is not ours to look at

    def ready(self, url: str) -> float:
        """Wait for a 200; gives the seconds since the call, or raises `RuntimeError` with what the container said."""
        begun = time.monotonic()
        while self.process.poll() is None and time.monotonic() - begun < PATIENCE:
            if self.curl(url).returncode == 0:
                return time.monotonic() - begun
            time.sleep(PAUSE)
        raise RuntimeError(f"the container did not become ready:\n{self.output.read_text()}")

    def curl(self, url: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Ask from outside the sandbox, over its loopback."""
        return subprocess.run([*self.network, "curl", "--silent", "--fail", *options, url], capture_output=True, text=True, check=False)

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM to the image's process alone; gives its exit code and the seconds it took. One that stays is killed."""
        begun = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        try:
            self.process.wait(_STUBBORN)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.wait(), time.monotonic() - begun

    def kill(self) -> None:
        """End it at once. A process that has changed its user would outlive bwrap; the namespace dies with its first process."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()


def once(image: Image, data: Path, *command: str) -> tuple[int, str]:
    """Run another command than the image's own over a data folder, to its end; gives its exit code and what it said."""
    container = Container(image, data, {}, command)
    try:
        return container.process.wait(PATIENCE), container.output.read_text()
    finally:
        container.kill()


@contextmanager
def running(image: Image, data: Path, environment: dict[str, str]) -> Iterator[Container]:
    """A container that is gone in the end, whatever happens."""
    container = Container(image, data, environment)
    try:
        yield container
    finally:
        container.kill()
