"""Thousands of generated requests against a real server: `python -m loadtest.fuzz`. The document at `/openapi.json` must tell the truth.

schemathesis makes valid and invalid requests from the document, alone and in sequences, and holds every answer against it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import httpx

from loadtest.fuzz_hooks import HELD
from loadtest.server import serving

EXAMPLES, SHORT = 400, 15  # most examples of a path in a phase
ENOUGH = 5_000  # examples of a whole run
SEED = "1"


class Found(NamedTuple):
    """How many examples were generated, and how many kinds of failures they showed; whether the server lived on, and its log is right."""

    generated: int
    failures: int
    ready: bool
    verified: bool


def key_of(data: Path) -> str:
    """A key that opens everything."""
    command = [sys.executable, "-m", "service", "keys", "create", "fuzz", "--scope", "admin", "--data", str(data)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def schemathesis(url: str, key: str, report: Path, examples: int) -> None:
    """Run every phase and every check, and write a report."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {key}"]
    command += ["--checks", "all", "--max-examples", str(examples), "--seed", SEED, "--generation-database", "none"]
    command += ["--continue-on-failure", "--warnings", "off", "--report", "json", "--report-json-path", str(report)]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "loadtest.fuzz_hooks", "PYTHONPATH": str(Path.cwd())}
    subprocess.run(command, check=False, env=environment, cwd=report.parent)  # it keeps a cache where it runs


def fuzz(folder: Path, examples: int) -> Found:
    """Fuzz a server of its own."""
    data, report = folder / "data", folder / "report.json"
    key = key_of(data)
    with serving(data) as server:
        headers = {"Authorization": f"Bearer {key}"}
        httpx.put(f"{server.url}/v1/streams/{HELD}", json={}, headers=headers).raise_for_status()
        schemathesis(server.url, key, report, examples)
        ready = httpx.get(f"{server.url}/readyz").is_success
    verified = subprocess.run([sys.executable, "-m", "service", "verify", "--data", str(data)], check=False).returncode == 0
    told = json.loads(report.read_text())
    return Found(told["test_cases"]["generated"], len(told["failures"]) + len(told["errors"]), ready, verified)


def main() -> int:
    """Fuzz; exits with 0 only if nothing was found, enough was tried, and the server is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few examples, for CI")
    short = parser.parse_args().short
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(Path(folder), SHORT if short else EXAMPLES)
    enough = short or found.generated >= ENOUGH
    print(f"{found.generated} examples, {found.failures} kinds of failures, ready: {found.ready}, log verified: {found.verified}")
    return 0 if enough and not found.failures and found.ready and found.verified else 1


if __name__ == "__main__":
    raise SystemExit(main())
