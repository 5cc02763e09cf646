"""What a terminal shows: how far the runs are, then the tables and the recommendation."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from service.simulate.plan import Options
from service.simulate.source import Source, Survey
from service.simulate.verdict import Standing, Study
from service.simulate.words import headline, interval, percent, sentences

_WIDE = 105  # characters; there is room for intervals then


@contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """A bar over all runs where there is a terminal; gives what moves it by one run."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    live = console.is_terminal and not console.is_dumb_terminal
    with Progress(*columns, console=console, transient=True, disable=not live) as bar:
        task = bar.add_task("simulating", total=total)
        yield lambda: bar.advance(task)


def introduction(origin: Source, survey: Survey) -> str:
    """What is read, and what was taken for the label."""
    cut = " (the file has more: --rows takes more)" if survey.cut else ""
    read = f"{origin.path.name}: {survey.rows:,} rows{cut}, {len(survey.features)} features"
    return f"{read}; label: column {origin.label!r}, {survey.about}"


def show(console: Console, study: Study, survey: Survey, options: Options) -> None:
    """Print everything."""
    console.print(_by_budget(study))
    console.print(_in_detail(study, wide=console.width >= _WIDE))
    console.print(Text(headline(study), style="bold green"), soft_wrap=True)
    for sentence in sentences(study, survey, options):
        console.print(Text(sentence), soft_wrap=True)  # what is copied has no line breaks of ours


def _by_budget(study: Study) -> Table:
    table = _table(f"{study.figure.name.capitalize()} over all samples, by budget")
    for budget in study.plan.budgets:
        table.add_column(percent(budget), justify="right")
    for place, standing in enumerate(study.standings):
        table.add_row(standing.rule, *(study.figure.text(point.score) for point in standing.points), style="green" if place == 0 else None)
    table.add_section()
    table.add_row("every label", *("" for _ in study.plan.budgets[1:]), study.figure.text(study.every.score))
    return table


def _in_detail(study: Study, *, wide: bool) -> Table:
    budget = study.advice.point.budget
    table = _table(f"With a budget of {percent(budget)}")
    figure = study.figure
    for heading in (figure.heading, figure.gained.replace(" ", "\n"), "labels", *figure.more, "µs", *(["estimate (95 %)"] if wide else [])):
        table.add_column(heading, justify="right", vertical="bottom")
    for place, standing in enumerate(study.standings):
        cells = row(study, standing, budget)
        table.add_row(*cells[: len(table.columns)], style="green" if place == 0 else None)
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule", no_wrap=True, vertical="bottom")
    return table


def row(study: Study, standing: Standing, budget: float) -> tuple[str, ...]:
    """A rule under one budget: its score, what it gains over random asking for as many labels, labels, two figures more, cost, estimate."""
    point = standing.at(budget)
    figure = study.figure
    return (
        standing.rule,
        figure.text(point.score),
        figure.gain(point.score - study.random_with(point.labels)),
        f"{point.labels:,.0f}",
        figure.beside(point.more[0]),
        "–" if math.isnan(point.more[1]) else f"{point.more[1]:.3f}",
        f"{point.microseconds:.0f}",
        interval(study, study.runs(standing.rule, budget)[0]),
    )
