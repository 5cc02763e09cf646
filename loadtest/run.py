"""`make loadtest`: a day of traffic, then the ceiling, against a fresh server or, with `--url`, against one that runs.

A fresh server's folder is temporary, and `askwhen verify` has the last word on it. Everything is bounded in time, and stops whatever
happens.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from loadtest import ceiling
from loadtest.server import serving
from loadtest.target import ForeignServer, Target, check

SCENARIO = Path(__file__).with_name("locustfile.py")
GRACE = 60.0  # seconds that a day may take longer than it was told
DRAIN = "5"  # seconds that users have to finish what they began


def day(url: str, given: argparse.Namespace, *, cleanup: bool) -> int:
    """Run the day in a process of its own, since it replaces Python's sockets by gevent's; gives its exit code."""
    command = [sys.executable, "-m", "locust", "--locustfile", str(SCENARIO), "--headless", "--only-summary", "--skip-log-setup"]
    command += ["--stop-timeout", DRAIN, "--host", url, "--users", str(given.users), "--day-seconds", str(given.day_seconds)]
    command += ["--cleanup"] * cleanup + ["--i-own-this-server"] * given.i_own_this_server
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "ASKWHEN_KEY": given.key}
    return subprocess.run(command, env=environment, check=False, timeout=given.day_seconds + GRACE).returncode


def top(url: str, given: argparse.Namespace, *, cleanup: bool) -> int:
    """Run the ceiling; gives its exit code."""
    options = ["--url", url, "--key", given.key, "--seconds", str(given.wrk_seconds)]
    return ceiling.main([*options, *["--cleanup"] * cleanup, *["--i-own-this-server"] * given.i_own_this_server])


def both(url: str, given: argparse.Namespace, *, cleanup: bool) -> Iterator[int]:
    """The exit codes of both loads, each under its heading."""
    _say(f"a day in {given.day_seconds:g} s, {given.users} shops at noon, against {url}")
    yield day(url, given, cleanup=cleanup)
    _say(f"the ceiling, {given.wrk_seconds} s")
    yield top(url, given, cleanup=cleanup)


def fresh(given: argparse.Namespace) -> Iterator[int]:
    """Both loads against a server of their own, then its exit code and the proof that its log gives what was served."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with serving(data) as server:
            yield from both(server.url, given, cleanup=False)
            yield server.stop()
        _say("askwhen verify")
        yield subprocess.run([sys.executable, "-m", "service", "verify", "--data", str(data)], check=False).returncode


def running(given: argparse.Namespace) -> Iterator[int]:
    """Both loads against the server at `--url`, whose streams are removed in the end."""
    url = check(given.url, owned=given.i_own_this_server)
    Target(url, given.key).answers()
    yield from both(url, given, cleanup=True)


def _say(heading: str) -> None:
    print(f"\n== {heading}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all; 0 if nothing failed, 2 if the address is refused or nobody answers there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running server (default: start a fresh one)")
    parser.add_argument("--key", default=os.environ.get("ASKWHEN_KEY", ""), help="API key (or ASKWHEN_KEY)")
    parser.add_argument("--users", type=int, default=20, help="shops that post at noon, ten orders a second each")
    parser.add_argument("--day-seconds", type=float, default=75.0)
    parser.add_argument("--wrk-seconds", type=int, default=10)
    parser.add_argument("--short", action="store_true", help="a day of 20 seconds, a ceiling of 3")
    parser.add_argument("--i-own-this-server", action="store_true", help="load a server that is not on the loopback")
    given = parser.parse_args(arguments)
    if given.short:
        given.day_seconds, given.wrk_seconds = 20.0, 3
    try:
        codes = list(fresh(given) if given.url is None else running(given))
    except (ForeignServer, httpx.HTTPError) as error:
        print(f"loadtest: {error}", file=sys.stderr)
        return 2
    return int(any(codes))


if __name__ == "__main__":
    raise SystemExit(main())
