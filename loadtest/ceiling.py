"""The ceiling: as many samples as a server takes, each with an id of its own, by wrk and `ceiling.lua`; then a readable summary.

wrk is a program of the system. Where it is missing this says how to get it, and that is no failure.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtest.target import Budget, Target, check

SCRIPT = Path(__file__).with_name("ceiling.lua")
HOW = "wrk is not installed (Debian: apt-get install wrk; macOS: brew install wrk), so the ceiling is not measured"
GRACE = 30  # seconds that wrk may take longer than it was told


def measure(url: str, key: str, *, seconds: int, connections: int, cleanup: bool) -> tuple[dict[str, Any], Budget]:
    """Load a stream of its own; gives what wrk said and the stream's account."""
    target, stream = Target(url, key), f"ceiling-{secrets.token_hex(4)}"
    target.create(stream, {"classes": ["ok", "fraud"]})
    try:
        options = ["--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--latency", "--script", str(SCRIPT)]
        command = ["wrk", *options, url, "--", f"/v1/streams/{stream}/samples", secrets.token_hex(4)]
        said = subprocess.run(
            command, env={**os.environ, "ASKWHEN_KEY": key}, check=True, capture_output=True, text=True, timeout=seconds + GRACE
        ).stdout
        return json.loads(said.splitlines()[-1]), target.budget(stream)
    finally:
        if cleanup:
            target.remove(stream)


def summary(found: dict[str, Any], budget: Budget, connections: int) -> list[str]:
    """The lines that tell a reader how it went."""
    return [
        f"ceiling   {found['requests'] / found['seconds']:,.0f} samples/s over {connections} connections for {found['seconds']:.0f} s",
        f"          p50 {found['p50']:.1f} ms, p95 {found['p95']:.1f} ms, p99 {found['p99']:.1f} ms, longest {found['max']:.1f} ms",
        f"          {found['refused']} refused, {found['broken']} broken connections, {found['late']} timed out",
        f"budget    {budget}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if every sample was taken and the budget held, or if there is no wrk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", default=os.environ.get("ASKWHEN_KEY", ""), help="API key (or ASKWHEN_KEY)")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--cleanup", action="store_true", help="delete the stream in the end")
    parser.add_argument("--i-own-this-server", action="store_true", help="load a server that is not on the loopback")
    given = parser.parse_args(arguments)
    url = check(given.url, owned=given.i_own_this_server)
    if shutil.which("wrk") is None:
        print(HOW)
        return 0
    found, budget = measure(url, given.key, seconds=given.seconds, connections=given.connections, cleanup=given.cleanup)
    print(*summary(found, budget, given.connections), sep="\n", flush=True)
    return 0 if found["requests"] and budget.held and not found["refused"] + found["broken"] + found["late"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
