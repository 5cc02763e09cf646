"""The runs as `--json` writes them: one flat record a run."""

from collections.abc import Iterator
from typing import Any

from service.simulate.plan import Job
from service.simulate.verdict import Study
from service.simulate.work import Found, FoundErrors


def records(study: Study) -> Iterator[dict[str, Any]]:
    """A record for every run that was asked for, by rule, budget and seed."""
    yield from (_record(study, job) for job in study.plan.asked_for)


def _record(study: Study, job: Job) -> dict[str, Any]:
    run, options = study.found[job], study.plan.options
    record = {
        "rule": job.rule,
        "model": options.model,
        "measure": options.measure,
        "budget": job.budget,
        "seed": job.seed,
        "delay": options.delay,
        "lost": options.lost,
        "n": run.n,
    }
    bought = {"labels": run.labels, "learned": run.learned, "rate": run.rate}
    told = _of_errors(study, run, bought) if isinstance(run, FoundErrors) else _of_classes(study, run, bought)
    return {**record, **told, "microseconds_per_decision": run.microseconds}


def _of_classes(study: Study, run: Found, bought: dict[str, Any]) -> dict[str, Any]:
    return {
        "accuracy": run.accuracy,
        "kappa": run.kappa,
        "macro_f1": run.macro_f1,
        **bought,
        "accuracy_estimate": run.estimate.accuracy,
        "accuracy_low": run.estimate.low,
        "accuracy_high": run.estimate.high,
        "accuracy_naive": run.estimate.naive,
        "estimate_reason": run.estimate.reason,
        "accuracy_every_label": study.every.score,
    }


def _of_errors(study: Study, run: FoundErrors, bought: dict[str, Any]) -> dict[str, Any]:
    """Of numbers; `inside` is the share of labels within the interval that was told of each."""
    return {
        "task": study.plan.task,
        "mae": run.mae,
        "rmse": run.rmse,
        "inside": run.inside,
        **bought,
        "mae_estimate": run.estimate.mae,
        "mae_low": run.estimate.low,
        "mae_high": run.estimate.high,
        "mae_naive": run.estimate.naive,
        "rmse_estimate": run.estimate.rmse,
        "rmse_low": run.estimate.rmse_low,
        "rmse_high": run.estimate.rmse_high,
        "inside_estimate": run.estimate.inside,
        "estimate_reason": run.estimate.reason,
        "mae_every_label": -study.every.score,
    }
