"""What a terminal shows: how far the runs are, then the tables and the recommendation."""

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
from service.simulate.words import accuracy, headline, interval, percent, sentences

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
    name, share = survey.majority
    cut = " (the file has more: --rows takes more)" if survey.cut else ""
    read = f"{origin.path.name}: {survey.rows:,} rows{cut}, {len(survey.features)} features"
    return f"{read}; label: column {origin.label!r}, {len(survey.classes)} classes, {name!r} in {percent(share)} of the rows"


def show(console: Console, study: Study, survey: Survey, options: Options) -> None:
    """Print everything."""
    console.print(_by_budget(study))
    console.print(_in_detail(study, wide=console.width >= _WIDE))
    console.print(Text(headline(study), style="bold green"), soft_wrap=True)
    for sentence in sentences(study, survey, options):
        console.print(Text(sentence), soft_wrap=True)  # what is copied has no line breaks of ours


def _by_budget(study: Study) -> Table:
    table = _table("Accuracy over all samples, by budget")
    for budget in study.plan.budgets:
        table.add_column(percent(budget), justify="right")
    for place, standing in enumerate(study.standings):
        table.add_row(standing.rule, *(accuracy(point.accuracy) for point in standing.points), style="green" if place == 0 else None)
    table.add_section()
    table.add_row("every label", *("" for _ in study.plan.budgets[1:]), accuracy(study.every.accuracy))
    return table


def _in_detail(study: Study, *, wide: bool) -> Table:
    budget = study.advice.point.budget
    table = _table(f"With a budget of {percent(budget)}")
    for heading in ("accuracy", "points\nabove\nrandom", "labels", "macro\nF1", "kappa", "µs", *(["estimate (95 %)"] if wide else [])):
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
    """A rule under one budget: accuracy, points above random asking for as many labels, labels, macro-F1, kappa, cost, estimate."""
    point = standing.at(budget)
    gain = 100 * (point.accuracy - study.random_with(point.labels))
    told = study.runs(standing.rule, budget)[0].estimate
    return (
        standing.rule,
        accuracy(point.accuracy),
        f"{gain:+.1f}",
        f"{point.labels:,.0f}",
        f"{point.macro_f1:.3f}",
        f"{point.kappa:.3f}",
        f"{point.microseconds:.0f}",
        interval(told),
    )
