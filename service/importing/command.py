"""`askwhen import`, in reading order: look at the stream, open the file, teach, sum up. Returns an exit code."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as Summary

from service.client import ONCE, Client, ClientError
from service.importing.lesson import Columns, Lesson, Tally
from service.tabular import BadFile, Table, table

REFUSED, UNUSABLE, INTERRUPTED = 1, 2, 130

_SHOWN = 5  # refused rows
_STEP = 100  # rows between two looks of the bar


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    stream: str
    file: Path
    url: str
    key: str | None
    label: str
    id: str | None
    labeler: str | None
    chunk: int


def import_file(options: Options) -> int:
    """Import; 0 if the server took every row, 1 if it refused some, 2 if there was nothing to work with or it could not go on."""
    return _Command(options).run()


class _Command:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._console = Console(highlight=False)
        self._errors = Console(stderr=True, highlight=False)

    def run(self) -> int:
        options = self._options
        columns = Columns(options.file, options.label, options.id, options.labeler)
        try:
            with table(options.file, columns.needed) as rows, self._connected() as client:
                return self._teach(Lesson(client, options.stream, columns, chunk=options.chunk), rows)
        except (ClientError, BadFile) as error:
            self._errors.print(f"askwhen: {error}", style="red", markup=False, soft_wrap=True)
            return UNUSABLE
        except KeyboardInterrupt:
            self._errors.print("interrupted; run it again to go on", style="yellow")
            return INTERRUPTED

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Client]:
        options = self._options
        with Client(options.url, options.key, retries=ONCE) as first:  # a wrong address is said at once
            first.page(options.stream, limit=1)  # a key that may label may do this
        with Client(options.url, options.key) as client:
            yield client

    def _teach(self, lesson: Lesson, rows: Table) -> int:
        try:
            with self._bar(rows) as show:
                for tally in lesson.teach(rows):
                    show(tally)
        finally:
            self._sum_up(lesson.tally)
        if not lesson.tally.answered:
            self._errors.print(f"askwhen: no row of {self._options.file.name} has a label", style="red", markup=False, soft_wrap=True)
            return UNUSABLE
        return REFUSED if lesson.tally.refused else 0

    @contextlib.contextmanager
    def _bar(self, rows: Table) -> Iterator[Callable[[Tally], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        live = self._errors.is_terminal and not self._errors.is_dumb_terminal
        with Progress(*columns, console=self._errors, disable=not live) as progress:
            task = progress.add_task(f"{self._options.stream}: importing", total=1.0)

            def show(tally: Tally) -> None:
                if tally.answered % _STEP == 0:
                    progress.update(task, completed=rows.share, description=f"{self._options.stream}: {tally.answered:,} rows")

            yield show
            progress.update(task, completed=1.0)

    def _sum_up(self, tally: Tally) -> None:
        summary = Summary("outcome", "rows")
        summary.columns[1].justify = "right"
        for outcome, count in tally.outcomes.most_common():
            summary.add_row(outcome, f"{count:,}")
        if tally.without_label:
            summary.add_row("without a label", f"{tally.without_label:,}", style="dim")
        if tally.refused:
            summary.add_row("refused", f"{tally.refused:,}", style="red")
        if summary.row_count:
            self._console.print(summary)
        for refusal in tally.refusals[:_SHOWN]:
            self._say_refused(f"line {refusal.line}: {refusal.detail}")
        if tally.refused > _SHOWN:
            self._say_refused(f"and {tally.refused - _SHOWN:,} more")

    def _say_refused(self, words: str) -> None:
        self._console.print(f"refused: {words}", style="red", markup=False, soft_wrap=True)
