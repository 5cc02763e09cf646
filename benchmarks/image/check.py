"""`make image-check`: build the image and run it as an engine would, without one. A line a check; the exit code is the verdict.

Needs root, buildah, debootstrap, bubblewrap and curl; it leaves nothing behind but the base's archive in the user's cache.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.image import base, pipsettings
from benchmarks.image.container import PATIENCE, PAUSE, Container, once, running
from benchmarks.image.store import Image, Store, store

ROOT = Path(__file__).parent.parent.parent
URL = "http://127.0.0.1:8000"
LONGEST_STOP = 5.0  # seconds
RIGHTS = ("CapEff", "CapPrm", "CapBnd", "CapAmb")
CLOSED = ("/", "/opt", "/opt/askwhen/bin", "/etc", "/tmp", "/var/tmp")  # noqa: S108 - nobody writes there
TOOLS = ("pip", "hatchling", "setuptools", "pytest", "ruff")


class Finding(NamedTuple):
    """What was looked at, whether it is as it should be, and what was seen."""

    subject: str
    good: bool
    seen: str


def access(image: Image, data: Path) -> str:
    """Make the first key, as the README says; gives the header that carries it."""
    (volume,) = image.config["Volumes"]
    code, said = once(image, data, "keys", "create", "check", "--scope", "admin", "--data", volume)
    keys = [line for line in said.splitlines() if line.startswith("askwhen_")]
    if code or not keys:
        message = f"no key could be made: {said}"
        raise RuntimeError(message)
    return f"Authorization: Bearer {keys[0]}"


def built(images: Store) -> Iterator[Finding | Image]:
    """Build it; ends with the image."""
    begun = time.monotonic()
    name = images.build(ROOT, images.base(base.archive()), pipsettings.mounts(images.folder))
    yield Finding("builds", True, f"in {time.monotonic() - begun:.0f} s, the base included")
    image = images.open(name)
    sizes = f"{image.size / 1e6:.0f} MB, compressed {sum(image.layers) / 1e6:.0f} MB, of which {image.layers[0] / 1e6:.0f} MB are the base"
    yield Finding("size", True, sizes)
    yield image


def confined(container: Container) -> Iterator[Finding]:
    """Nobody is root, no right is left, and only the volume can be written."""
    processes = list(container.processes())
    users = {number for process in processes for number in process["Uid"].split()}
    resident = sum(int(process["VmRSS"].split()[0]) for process in processes) / 1_000
    seen = f"{len(processes)} processes with uid {', '.join(users)}, {resident:.0f} MB resident"
    yield Finding("non-root", users == {str(container.user)} != {"0"}, seen)
    rights = {process[name] for process in processes for name in RIGHTS}
    yield Finding("no capabilities", {int(right, 16) for right in rights} == {0}, f"{', '.join(RIGHTS)}: {', '.join(rights)}")
    for user, who in ((container.user, "its user"), (0, "root")):
        written = [folder for folder in CLOSED if container.inside("touch", f"{folder}/x", user=user).returncode == 0]
        yield Finding(
            f"read-only root for {who}", not written, f"{' '.join(written or CLOSED)} {'can' if written else 'cannot'} be written"
        )
    done = container.inside("touch", f"{container.volume}/x")
    yield Finding("volume", done.returncode == 0, done.stderr or f"{container.volume} can be written")


def complete(container: Container) -> Iterator[Finding]:
    """The image has what runs, compiled, and nothing that builds or tests."""
    script = f"import importlib.util as u; print(*[name for name in {TOOLS} if u.find_spec(name)])"
    tools = container.inside("python", "-c", script).stdout.strip()
    yield Finding("no tools", not tools, tools or f"none of {', '.join(TOOLS)}")
    done = container.inside("python", "-v", "-c", "import service.bootstrap, service.workshop, pyarrow.parquet")
    sources = [line for line in done.stderr.splitlines() if line.startswith("# code object from /")]
    yield Finding(
        "compiled", done.returncode == 0 and not sources, f"{len(sources)} modules compiled at the start" if sources else "all modules"
    )


def healthy(container: Container, since: float) -> Iterator[Finding]:
    """It becomes ready, and its own health check says so."""
    container.ready(f"{URL}/readyz")
    yield Finding("/readyz", True, f"200 after {time.monotonic() - since:.2f} s")
    begun = time.monotonic()
    done = container.inside(*container.config["Healthcheck"]["Test"][1:])
    yield Finding("HEALTHCHECK", done.returncode == 0, done.stderr or f"succeeds in {time.monotonic() - begun:.2f} s")


def example(container: Container, header: str) -> Finding:
    """Every command of the README, by the very test that keeps the README true."""
    command = [*container.network, sys.executable, "-m", "pytest", "-q", "tests/test_docs.py", "-k", "worked_example"]
    environment = {**os.environ, "README_SERVER": URL, "README_HEADER": header}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return Finding("README's example", done.returncode == 0, done.stdout.splitlines()[-1] if done.returncode == 0 else done.stdout)


def stopped(container: Container) -> Finding:
    """SIGTERM reaches the process and ends it in order."""
    code, seconds = container.stop()
    return Finding("SIGTERM", code == 0 and seconds < LONGEST_STOP, f"exit code {code} after {seconds:.2f} s")


def state(container: Container, header: str) -> dict[str, Any]:
    """What the example left on the server."""
    return dict(json.loads(container.curl(f"{URL}/v1/streams/fraud", "-H", header).stdout))


def corrected(container: Container, header: str) -> Finding:
    """The other process can start and work: it rebuilds the model without the answer that the example corrects."""
    until = time.monotonic() + PATIENCE
    while (rebuilding := state(container, header)["summary"]["rebuilding"]) and time.monotonic() < until:
        time.sleep(PAUSE)
    return Finding(
        "rebuilds", not rebuilding, "the corrected model has taken over" if not rebuilding else container.output.read_text()[-2_000:]
    )


def lived(image: Image, data: Path) -> Iterator[Finding]:
    """The life of a container, and of its successor on the same volume."""
    header = access(image, data)
    begun = time.monotonic()
    with running(image, data, {}) as container:
        yield from healthy(container, begun)
        yield from complete(container)
        yield example(container, header)
        yield corrected(container, header)
        before = state(container, header)
        yield from confined(container)
        yield stopped(container)
    code, said = once(image, data, "verify", "--data", container.volume)
    yield Finding("verify", code == 0, "the log gives what was served" if code == 0 else said)
    begun = time.monotonic()
    with running(image, data, {}) as container:
        yield from healthy(container, begun)
        after = state(container, header)
        yield Finding("data survive", before == after, f"the stream is as it was: {json.dumps(after['summary'])}")
        yield stopped(container)


def findings() -> Iterator[Finding]:
    """All of them, in order; a build or a start that fails is the last."""
    try:
        with store() as images:
            for finding in built(images):
                if isinstance(finding, Finding):
                    yield finding
                else:
                    (data := images.folder / "data").mkdir()
                    yield from lived(finding, data)
    except RuntimeError as error:
        yield Finding("goes through", False, str(error))


def main() -> None:
    """Print each finding as it comes."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if os.geteuid() != 0:
        raise SystemExit("image-check: root is needed to build and to confine (try sudo)")
    faults = 0
    for subject, good, seen in findings():
        faults += not good
        print(f"{'ok  ' if good else 'FAIL'} {subject:28} {seen}", flush=True)
    print(f"image-check: {'FAIL, ' + str(faults) + ' faults' if faults else 'the image is as it should be'}")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
