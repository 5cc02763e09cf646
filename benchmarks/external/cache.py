"""Figures that are there already, a JSON line each, so that a benchmark can be run in pieces. Delete the file when the code changes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.external.jobs import Calibrated, Job, Stacked, Window, run
from benchmarks.parallel import run_all

_SHAPES = {"calibration": Calibrated, "windows": list[Window], "stacking": Stacked}


class _Line(msgspec.Struct):
    job: msgspec.Raw
    found: msgspec.Raw


def complete(jobs: Sequence[Job], path: Path | None, processes: int) -> dict[Job, Any]:
    """What came of all jobs, and of all others in the file; those that are not in it are run, and written there as they end."""
    found = dict(map(_read, path.read_bytes().splitlines())) if path is not None and path.exists() else {}
    for job, one in run_all(run, [job for job in jobs if job not in found], "External", processes):
        found[job] = one
        if path is not None:
            with path.open("ab") as file:
                file.write(msgspec.json.encode({"job": job, "found": one}, enc_hook=str) + b"\n")
    return found


def _read(line: bytes) -> tuple[Job, Any]:
    raw = msgspec.json.decode(line, type=_Line)
    job = msgspec.json.decode(raw.job, type=Job, dec_hook=lambda kind, value: kind(value))
    return job, msgspec.json.decode(raw.found, type=_SHAPES[job.part])
