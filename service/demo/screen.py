"""What a run looks like while it goes on: a live view in a terminal, an occasional line elsewhere. It reads the ledger, no more."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from service.demo.ledger import Asked, Ledger

_REDRAW = 0.125  # seconds
_LINES = 10  # in all, where there is no terminal
_BUDGET_BAR = 24  # characters


def console() -> Console:
    """Standard output; colours and control codes only in a terminal that takes them."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, force_terminal=False)


def is_live(console: Console) -> bool:
    """Whether lines may be drawn over."""
    return console.is_terminal and not console.is_dumb_terminal


class Screen(Protocol):
    """Shows a ledger again and again."""

    def show(self) -> None:
        """Show how it stands now."""


def screen(console: Console, ledger: Ledger, title: str) -> AbstractContextManager[Screen]:
    """The screen that fits the console."""
    return LiveScreen(console, ledger, title).shown() if is_live(console) else nullcontext(PlainScreen(console, ledger, title))


@contextmanager
def watched(screen: Screen) -> Iterator[None]:
    """Show it again and again while inside, and a last time at the end."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(_REDRAW):
            screen.show()

    thread = threading.Thread(target=work, name="screen", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        screen.show()


class PlainScreen:
    """A line for every tenth of the stream."""

    def __init__(self, console: Console, ledger: Ledger, title: str) -> None:
        """Say what it is about."""
        self._console = console
        self._ledger = ledger
        self._said = 0
        self._speed = _Speed()
        console.print(title, soft_wrap=True)

    def show(self) -> None:
        """Say a line if enough has happened."""
        ledger = self._ledger
        self._speed.at(ledger.seen)
        if ledger.seen * _LINES < (self._said + 1) * ledger.total:
            return
        self._said = ledger.seen * _LINES // ledger.total
        self._console.print(
            f"{ledger.seen:>6,} of {ledger.total:,} samples, {self._speed.average:,.0f}/s; accuracy {ledger.accuracy:.1%}; "
            f"asked {ledger.asked} of {ledger.allowed}, answered {ledger.labels}, open {ledger.open}; "
            f"corrected {ledger.outcomes['corrected']}, duplicate {ledger.outcomes['duplicate']}",
            soft_wrap=True,
        )


class LiveScreen:
    """A progress bar, the figures so far, the last questions."""

    def __init__(self, console: Console, ledger: Ledger, title: str) -> None:
        """Draw nothing yet."""
        self._ledger = ledger
        self._title = title
        self._speed = _Speed()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]:>7}", style="cyan"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("samples", total=ledger.total, speed="")
        self._live = Live(console=console, auto_refresh=False, get_renderable=self._view)

    @contextmanager
    def shown(self) -> Iterator[Screen]:
        """Draw while inside; the last view stays."""
        with self._live:
            yield self

    def show(self) -> None:
        """Draw."""
        seen = self._ledger.seen
        self._progress.update(self._task, completed=seen, speed=f"{self._speed.at(seen):,.0f}/s")
        self._live.refresh()

    def _view(self) -> RenderableType:
        return Group(Text(self._title, style="bold"), self._progress, Padding(self._figures(), (1, 0)), self._questions())

    def _figures(self) -> Table:
        ledger, outcomes = self._ledger, self._ledger.outcomes
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(justify="right")
        table.add_column()
        table.add_row(
            "accuracy",
            Text(f"{ledger.accuracy:.1%}", style="bold green"),
            f"over all samples so far; the last 200: {ledger.accuracy_lately:.1%}",
        )
        table.add_row("asked", Text(str(ledger.asked), style="bold"), _spent(ledger))
        table.add_row("answered", str(ledger.labels), f"{ledger.out_of_order} out of order; {ledger.open} open")
        table.add_row("learned", str(outcomes["learned"]), f"{outcomes['corrected']} corrected, {outcomes['duplicate']} duplicates ignored")
        return table

    def _questions(self) -> Table:
        table = Table(
            "last questions",
            "asked because",
            "utility",
            "model says",
            "truth",
            box=None,
            pad_edge=False,
            header_style="dim",
            padding=(0, 3, 0, 0),
        )
        for asked in list(self._ledger.last):  # a copy: another thread appends
            table.add_row(asked.sample_id, Text(asked.reason, style="yellow"), f"{asked.utility:.2f}", _guess(asked), asked.truth)
        return table


class _Speed:
    """Samples a second: on average, and over the last couple of seconds."""

    _SPAN = 2.0  # seconds

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = self._mark = clock()
        self._marked = self._seen = 0
        self._lately = 0.0

    def at(self, seen: int) -> float:
        now = self._clock()
        self._seen = seen
        if now - self._mark >= self._SPAN or not self._lately:
            self._lately = (seen - self._marked) / max(1e-6, now - self._mark)
            self._mark, self._marked = now, seen
        return self._lately

    @property
    def average(self) -> float:
        return self._seen / max(1e-6, self._clock() - self._started)


def _spent(ledger: Ledger) -> Table:
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        Bar(max(1, ledger.allowed), 0, ledger.asked, width=_BUDGET_BAR, color="cyan", bgcolor="grey23"),
        f"of {ledger.allowed} allowed so far",
    )
    return bar


def _guess(asked: Asked) -> Text:
    if asked.prediction is None:
        return Text("nothing yet", style="dim")
    return Text(asked.prediction, style="green" if asked.prediction == asked.truth else "red")
