"""`askwhen answer`, in reading order: read the file, look at the stream, answer, sum up. Returns an exit code."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.client import ONCE, Client, ClientError
from service.demo.answering import Answering, Tally
from service.demo.interrupts import gently
from service.demo.labelfile import Label, read_labels
from service.demo.screen import console as new_console
from service.demo.screen import is_live
from service.tabular import BadFile

REFUSED, UNUSABLE, INTERRUPTED = 1, 2, 130

_SHOWN = 5  # ids in a message


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    stream: str
    file: Path
    url: str
    key: str | None
    label: str
    id: str
    labeler: str | None
    follow: bool
    limit: int | None


def answer(options: Options) -> int:
    """Answer; 0 if the server took every answer, 1 if it refused some, 2 if there was nothing to work with."""
    console = new_console()
    try:
        labels = read_labels(options.file, options.id, options.label)
        return _Command(options, labels, console).run()
    except (ClientError, BadFile) as error:
        Console(stderr=True, highlight=False).print(f"askwhen: {error}", style="red", markup=False, soft_wrap=True)
        return UNUSABLE
    except KeyboardInterrupt:
        return INTERRUPTED


class _Command:
    def __init__(self, options: Options, labels: dict[str, Label], console: Console) -> None:
        self._options = options
        self._labels = labels
        self._console = console

    def run(self) -> int:
        options = self._options
        with Client(options.url, options.key, retries=ONCE) as first:  # a wrong address is said at once
            first.page(options.stream, limit=1)
        with Client(options.url, options.key) as client:
            answering = Answering(client, options.stream, self._labels, labeler=options.labeler, limit=options.limit)
            try:
                with gently() as wish, self._shown(f"{options.stream}: answering") as watcher:
                    answering.work(watcher, wish, follow=options.follow)
            finally:
                self._sum_up(answering.tally)
        return REFUSED if answering.tally.refusals else 0

    @contextlib.contextmanager
    def _shown(self, words: str) -> Iterator["_Bar"]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, disable=not is_live(self._console)) as progress:
            yield _Bar(progress, words)

    def _sum_up(self, tally: Tally) -> None:
        table = Table("outcome", "answers")
        table.columns[1].justify = "right"
        for outcome, count in tally.outcomes.most_common():
            table.add_row(outcome, f"{count:,}")
        if tally.refusals:
            table.add_row("refused", f"{len(tally.refusals):,}", style="red")
        if tally.sent:
            self._console.print(table)
        else:
            self._console.print("Nothing to answer.")
        for sample_id, why in list(tally.refusals.items())[:_SHOWN]:
            self._console.print(f"refused: {sample_id}: {why}", style="red", markup=False, soft_wrap=True)
        if tally.unknown:
            shown = ", ".join(sorted(tally.unknown)[:_SHOWN]) + (", ..." if len(tally.unknown) > _SHOWN else "")
            words = f"{len(tally.unknown):,} open questions are not in {self._options.file.name}: {shown}"
            self._console.print(words, style="yellow", markup=False, soft_wrap=True)


class _Bar:
    """Shows the answers as a progress bar."""

    def __init__(self, progress: Progress, words: str) -> None:
        self._progress = progress
        self._expected = 0
        self._task = progress.add_task(words, total=0)

    def expect(self, answers: int) -> None:
        """More are known with every page."""
        self._expected = max(self._expected, answers)
        self._progress.update(self._task, total=self._expected)

    def sent(self, tally: Tally) -> None:
        """One more."""
        self._progress.update(self._task, completed=tally.sent)
