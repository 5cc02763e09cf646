"""The runs as `--json` writes them: one flat record a run."""

from collections.abc import Iterator
from typing import Any

from service.simulate.plan import Job
from service.simulate.verdict import Study


def records(study: Study) -> Iterator[dict[str, Any]]:
    """A record for every run that was asked for, by rule, budget and seed."""
    yield from (_record(study, job) for job in study.plan.asked_for)


def _record(study: Study, job: Job) -> dict[str, Any]:
    run, options = study.found[job], study.plan.options
    return {
        "rule": job.rule,
        "model": options.model,
        "measure": options.measure,
        "budget": job.budget,
        "seed": job.seed,
        "delay": options.delay,
        "lost": options.lost,
        "n": run.n,
        "accuracy": run.accuracy,
        "kappa": run.kappa,
        "macro_f1": run.macro_f1,
        "labels": run.labels,
        "learned": run.learned,
        "rate": run.rate,
        "accuracy_estimate": run.estimate.accuracy,
        "accuracy_low": run.estimate.low,
        "accuracy_high": run.estimate.high,
        "accuracy_naive": run.estimate.naive,
        "estimate_reason": run.estimate.reason,
        "accuracy_every_label": study.every.accuracy,
        "microseconds_per_decision": run.microseconds,
    }
