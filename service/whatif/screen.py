"""What a terminal shows: how far the replays are, then a table, what was refused and why, and what was assumed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from service.whatif.finding import Finding

ASSUMED = (
    "Labels come as late as they did, and the samples are those that came.",
    "The accuracy is over all samples since the start; intervals are of 95 % and tell of a real run with coins of its own.",
)
SAME = "Another model alone learns the labels that were bought; with questions of its own it may do better."
BETWEEN = (
    "A model of fewer labels is unsure of samples that nobody was asked about, so what the log has stands in for what it would have asked: "
    "the truth lies between that and what all the labels give, and the intervals marked * allow for half of the way."
)


@contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """A bar over all replays where there is a terminal; gives what moves it by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    live = console.is_terminal and not console.is_dumb_terminal
    with Progress(*columns, console=console, transient=True, disable=not live) as bar:
        task = bar.add_task("replaying", total=total)
        yield lambda: bar.advance(task)


def introduction(stream: str, samples: int, questions: int, answers: int) -> str:
    """What is looked at."""
    return f"{stream}: {samples:,} samples, {questions:,} questions, {answers:,} answers"


def show(console: Console, now: Finding, found: Sequence[Finding], currency: str | None, *, same: bool) -> None:
    """Print everything; `same` where a model alone was changed."""
    console.print(_table([now, *(one for one in found if one.reason is None)], currency))
    for one in found:
        if one.reason is not None:
            console.print(Text(f"{one.words}: refused. {one.reason}.", style="yellow"), soft_wrap=True)
    assumed = [*ASSUMED, *([SAME] if same else []), *([BETWEEN] if any(_marked(one) for one in found) else [])]
    for sentence in assumed:
        console.print(Text(sentence, style="dim"), soft_wrap=True)


def _table(rows: Sequence[Finding], currency: str | None) -> Table:
    priced = any(row.money is not None for row in rows)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", vertical="bottom", min_width=11)
    price = [currency or "price"] if priced else []
    for heading in ("accuracy", "95 %", "points from now", "labels", *price):
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row, priced=priced), style="bold" if row is rows[0] else None)
    return table


def _cells(row: Finding, *, priced: bool) -> Iterator[str]:
    yield row.words
    if row.accuracy is None or row.low is None or row.high is None:
        yield from ("", row.reason or "", "", "")
        return
    yield _percent(row.accuracy)
    yield f"{100 * row.low:.1f} to {100 * row.high:.1f}{' *' if _marked(row) else ''}"
    yield "" if row.words == "now" else _change(row)
    yield f"{row.labels or 0:,}"
    if priced:
        yield f"{row.money or 0.0:,.2f}"


def _change(row: Finding) -> str:
    ends = [f"{100 * (end or 0.0):+.1f}" for end in (row.change, row.change_low, row.change_high)]
    return f"{ends[0]} ({ends[1]} to {ends[2]})"


def _marked(row: Finding) -> bool:
    return row.reason is None and not row.exact


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
