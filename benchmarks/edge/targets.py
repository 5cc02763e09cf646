"""The servers under test, each pinned to the server core, and the streams that are made in them. What is measured stands elsewhere."""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import httpx

from benchmarks.edge import workload
from loadtest.server import Server, free_port, serving

SERVER_CORE, LOAD_CORE = 0, 1
STREAM = "orders"
LABELS = 400  # taught before anything is measured
# A linear model, as the loops beside it have.
_CONFIG: Mapping[str, object] = MappingProxyType({"model": {"type": "logistic"}, "budget": {"rate": 0.05, "max_open": 1_000_000}})
# The loop, HTTP parser and silence that the service has.
_UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--no-server-header")
_PATIENCE = 30.0  # seconds that a server may take to answer


class Target(NamedTuple):
    """Where samples go, the key that they go with, and the process that takes them."""

    name: str
    url: str
    process: int
    authorization: str = ""

    @property
    def samples(self) -> str:
        """The path that is measured."""
        return f"{self.url}/v1/streams/{STREAM}/samples"

    @property
    def headers(self) -> dict[str, str]:
        """What a client of any other path sends."""
        return {"Authorization": self.authorization} if self.authorization else {}


class Service(NamedTuple):
    """A running askwhen, as a target and as a process."""

    target: Target
    server: Server
    data: Path


def on_core(core: int) -> tuple[str, ...]:
    """The command under which a program stays on one core."""
    return ("taskset", "-c", str(core))


def stay_on(core: int) -> None:
    """Keep this process, and all that it starts without another word, on one core; raises `SystemExit` where there is only one."""
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"please install: {', '.join(missing)} (Debian: apt-get install wrk util-linux)")
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("the benchmark needs two cores: one for the server, one for the load")
    os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def baseline(name: str) -> Iterator[Target]:
    """Run `empty` or `echo` of `benchmarks.edge.baselines` on the server core."""
    port = free_port()
    program = [sys.executable, "-m", "uvicorn", f"benchmarks.edge.baselines:{name}", "--port", str(port), *_UVICORN]
    with subprocess.Popen([*on_core(SERVER_CORE), *program]) as process:
        target = Target(name, f"http://127.0.0.1:{port}", process.pid)
        try:
            _answers(target)
            yield target
        finally:
            process.terminate()


def _answers(target: Target) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            httpx.post(target.samples, json={"features": {}}).raise_for_status()
            return
        time.sleep(0.05)
    message = f"{target.name} does not answer"
    raise RuntimeError(message)


@contextlib.contextmanager
def askwhen(data: Path, settings: Mapping[str, str]) -> Iterator[Service]:
    """Run the service on the server core, with a key where it has keys; its other process is on that core as well."""
    authorization = _authorization(data)
    with serving(data, settings=settings, under=on_core(SERVER_CORE)) as server:
        yield Service(Target("askwhen", server.url, server.process.pid, authorization), server, data)


def _authorization(data: Path) -> str:
    """The header of a new key; none where this askwhen has no `keys` command."""
    program = [sys.executable, "-m", "service", "keys"]
    if subprocess.run([*program, "--help"], capture_output=True, check=False).returncode:
        return ""
    options = ["bench", "--scope", "ingest", "--scope", "admin", "--data", str(data)]
    made = subprocess.run([*program, "create", *options], capture_output=True, check=True, text=True)
    return f"Bearer {made.stdout.strip()}"


def client(target: Target) -> httpx.Client:
    """A client for what is not measured."""
    return httpx.Client(base_url=target.url, headers=target.headers, timeout=120.0)


def make_stream(http: httpx.Client, name: str, config: Mapping[str, object], labels: int = LABELS, *, seed: int = 2) -> None:
    """Make a stream and teach it so many labels, which bring their features along.

    Questions may pile up for as long as the benchmark runs, as if nobody answered: they never stop the asking.
    """
    http.put(f"/v1/streams/{name}", json={**_CONFIG, **config}).raise_for_status()
    for number, (features, label) in enumerate(itertools.islice(workload.samples(seed), labels)):
        teach(http, name, f"taught-{number}", label, features)


def teach(http: httpx.Client, stream: str, sample_id: str, label: str, features: workload.Features | None = None) -> str:
    """Post a label; gives its outcome."""
    body = {"sample_id": sample_id, "label": label, "labeler": "bench", **({} if features is None else {"features": features})}
    answer = http.post(f"/v1/streams/{stream}/labels", json=body).raise_for_status()
    return str(answer.json()["outcome"])
