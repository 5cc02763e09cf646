"""The page put together. What comes from the file (its name, columns, classes) is escaped by the template, like everything else."""

import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import msgspec

from service import __version__
from service.core.errors import Invalid
from service.simulate.report import plots
from service.simulate.scores import calibration_error
from service.simulate.screen import row
from service.simulate.source import Source, Survey
from service.simulate.verdict import Study
from service.simulate.words import headline, percent, sentences
from service.simulate.work import Found

_CLASSES = 12  # that are named


def check() -> None:
    """Raise `Invalid` where the page could not be made."""
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise Invalid("/report", f"--report needs the extra `report` ({' and '.join(missing)}): pip install 'askwhen[report]'")


def page(study: Study, survey: Survey, origin: Source) -> str:
    """Return the page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - an extra
    from markupsafe import Markup  # noqa: PLC0415 - the same

    loader = FileSystemLoader(Path(__file__).parent)
    template = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    told = plots.told(study)
    drawn = {"worth": plots.worth(study), "along": plots.along(study)}
    if isinstance(study.every, Found):
        drawn["calibration"] = plots.calibration(study, study.every)
    written: str = template.get_template("page.html").render(
        advice=study.advice,
        budget=percent(study.advice.point.budget),
        details=[row(study, standing, study.advice.point.budget) for standing in study.standings],
        figures=_figures(study),
        headline=headline(study),
        made=list(_made(study, survey, origin)),
        name=origin.path.name,
        plots={name: Markup(drawing) for name, drawing in drawn.items()},  # noqa: S704 - our own drawings, without a word of the file
        reason=study.runs(study.advice.rule, study.advice.point.budget)[0].estimate.reason,
        sentences=sentences(study, survey, study.plan.options),
        told=Markup(told) if told else None,  # noqa: S704 - the same
        wrong=_calibration(study, study.every) if isinstance(study.every, Found) else None,
        figure=study.figure,
        **_by_budget(study),
    )
    return written.replace(" %", "\N{NO-BREAK SPACE}%")


def _figures(study: Study) -> list[tuple[str, str]]:
    advice = study.advice
    return [
        (f"with {advice.rule}", study.figure.text(advice.point.score)),
        ("of the labels", percent(advice.point.share)),
        ("random, as many labels", study.figure.text(advice.random)),
        ("every label", study.figure.text(study.every.score)),
    ]


def _by_budget(study: Study) -> dict[str, object]:
    return {
        "budgets": [percent(budget) for budget in study.plan.budgets],
        "standings": [
            (one.rule, [(study.figure.text(point.score), percent(point.share)) for point in one.points]) for one in study.standings
        ],
        "every": study.figure.text(study.every.score),
    }


def _calibration(study: Study, every: Found) -> tuple[str, str]:
    """How far confidence and accuracy are apart, with the recommended rule and with every label."""
    return f"{100 * calibration_error(plots.bins_of(study)):.1f}", f"{100 * calibration_error(every.bins):.1f}"


def _made(study: Study, survey: Survey, origin: Source) -> Iterator[tuple[str, str]]:
    options = study.plan.options
    yield "Command", options.command()
    yield "File", f"{origin.path.name}, {survey.rows:,} rows{' (the file has more)' if survey.cut else ''}, {len(survey.features)} features"
    yield "Label", f"column {origin.label}"
    yield "Classes" if survey.classes else "Labels", _classes(survey) if survey.classes else survey.about
    yield "Model", options.model if "type" in study.plan.model else msgspec.json.encode(study.plan.model).decode()
    yield "Seeds", ", ".join(map(str, study.plan.seeds))
    yield "Answers", f"{options.delay:,} samples late, {percent(options.lost)} of the questions never answered"
    yield "Runs", f"{len(study.found)}; every one predicts each sample before it may learn it"
    yield "Made by", f"askwhen {__version__}, River {version('river')}, Python {platform.python_version()}"
    yield "Made at", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _classes(survey: Survey) -> str:
    ordered = sorted(survey.classes.items(), key=lambda item: -item[1])
    named = ", ".join(f"{name} {percent(count / survey.rows)}" for name, count in ordered[:_CLASSES])
    return f"{len(ordered)}: {named}{' and others' if len(ordered) > _CLASSES else ''}"
