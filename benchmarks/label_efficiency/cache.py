"""Figures that are there already, a JSON line each, so that a run that was interrupted resumes. Lines of other code are passed over."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.label_efficiency.jobs import Found, Job, code, run
from benchmarks.parallel import run_all


def known(jobs: Sequence[Job], path: Path) -> dict[Job, Found]:
    """Return what the file has of the jobs."""
    wanted = set(jobs)
    return {job: one for job, one in _read(path).items() if job in wanted}


def complete(jobs: Sequence[Job], path: Path, processes: int) -> dict[Job, Found]:
    """Return what came of all jobs, running those that are not in the file, and writing each there as it ends."""
    found = known(jobs, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if job not in found]
    with path.open("a", encoding="utf-8") as file:
        for job, one in run_all(run, missing, "Label efficiency", processes):
            found[job] = one
            file.write(json.dumps({"code": code(), "job": _plain(job), "found": one._asdict()}) + "\n")
            file.flush()
    return found


def _read(path: Path) -> dict[Job, Found]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {_job(line["job"]): Found(**line["found"]) for line in lines if line["code"] == code()}


def _plain(job: Job) -> dict[str, Any]:
    return {**job._asdict(), "folder": None if job.folder is None else str(job.folder)}


def _job(raw: dict[str, Any]) -> Job:
    return Job(**{**raw, "folder": None if raw["folder"] is None else Path(raw["folder"])})
