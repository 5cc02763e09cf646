"""`askwhen demo`, in reading order: start a server, send it a stream, compare, report, draw, stop the server. Returns an exit code."""

import contextlib
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from service.client import Client, ClientError, Summary
from service.demo import arms, picture, report, sets
from service.demo.errors import DemoError, NoPicture
from service.demo.ledger import Ledger
from service.demo.plan import SHORTEST, Plan
from service.demo.process import ServerProcess
from service.demo.screen import console as new_console
from service.demo.screen import is_live, screen, watched
from service.demo.session import play, sample_id
from service.simulate.pool import interruptible

FAILED, INTERRUPTED = 1, 130


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    dataset: sets.Name
    keep: bool
    out: Path
    limit: int | None
    rate: float
    seed: int


def demo(options: Options) -> int:
    """Run the demo; 0 if all went well, also without a picture."""
    console = new_console()
    try:
        with interruptible():
            options.out.mkdir(parents=True, exist_ok=True)
            return _Demo(options, console).run()
    except (ClientError, DemoError, OSError) as error:
        console.print(f"askwhen: {error}", style="red", markup=False, soft_wrap=True)
        return FAILED
    except KeyboardInterrupt:
        console.print("interrupted; the server it started is stopped", style="yellow")
        return INTERRUPTED


class _Demo:
    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        limit = options.limit or sets.SETS[options.dataset].limit
        self._pairs = sets.pairs(options.dataset, limit)
        self._config = sets.config(options.dataset, options.rate)
        self._ledger = Ledger(len(self._pairs))

    def run(self) -> int:
        """Everything, with the server's life around it."""
        with contextlib.ExitStack() as ending:
            folder = Path(tempfile.mkdtemp(prefix="askwhen-demo-"))
            ending.callback(shutil.rmtree, folder, ignore_errors=True)
            server = ServerProcess(folder / "data", folder / "server.log")
            ending.callback(server.stop)
            faults = self._stream(server)
            self._compare()
            if self._options.keep:
                ending.pop_all()
                server.let_go()
                self._say_how_to_go_on(server)
        return FAILED if faults else 0

    # --- the stream ----------------------------------------------------------------------------------------------------------

    def _stream(self, server: ServerProcess) -> list[str]:
        options, ledger = self._options, self._ledger
        with self._waiting("starting a server"):
            server.ready()
        classes = sorted({str(label) for _, label in self._pairs})
        with Client(server.url) as client:
            client.put(options.dataset, self._config)
            with screen(self._console, ledger, self._title(server)) as shown, watched(shown):
                play(client, options.dataset, self._pairs, Plan(options.seed, classes), ledger)
            return self._agree(self._settled(client))

    def _settled(self, client: Client) -> Summary:
        """The server's account, once the last correction is rebuilt into the model."""
        deadline = time.monotonic() + 30.0
        while True:
            summary = client.get(self._options.dataset).summary
            if not summary.rebuilding or time.monotonic() > deadline:
                return summary
            time.sleep(0.1)

    def _agree(self, summary: Summary) -> list[str]:
        console, faults = self._console, report.differences(self._ledger, summary)
        console.print()
        console.print(report.answers_table(self._ledger))
        if faults:
            console.print(f"The server counts otherwise: {'; '.join(faults)}", style="bold red")
        else:
            console.print(f"The server counts the same: {summary.seen:,} seen, {summary.asked} asked, {summary.open} open.", style="dim")
        return faults

    def _title(self, server: ServerProcess) -> str:
        options = self._options
        about = sets.SETS[options.dataset].about
        return f"{options.dataset}: {about} Budget {options.rate:.1%} of the samples and {sets.BURST} to begin with. Server: {server.url}"

    # --- what it was worth ---------------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        console, ledger, options = self._console, self._ledger, self._options
        with self._comparing() as step:
            found = arms.compare(options.dataset, ledger.total, self._config, ledger.labels, SHORTEST, step)
        console.print()
        console.print(report.value_table(ledger, found))
        console.print(report.verdict(ledger, found))
        path = options.out / f"{options.dataset}.png"
        asked = [place for place, bought in enumerate(ledger.bought) if bought]
        try:
            picture.draw(picture.Live(options.dataset, ledger.correct, asked, ledger.labels), found, path)
            console.print(f"Picture: {path}", soft_wrap=True)
        except NoPicture as error:
            console.print(str(error), style="red", markup=False)

    @contextlib.contextmanager
    def _comparing(self) -> Iterator[arms.Step]:
        words = "simulating the same stream with every label, random labels and other budgets"
        if not is_live(self._console):
            self._console.print(f"{words} ...", soft_wrap=True)
            yield lambda _done, _total: None
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(words, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    def _waiting(self, words: str) -> contextlib.AbstractContextManager[object]:
        return self._console.status(words) if is_live(self._console) else contextlib.nullcontext()

    # --- afterwards ----------------------------------------------------------------------------------------------------------

    def _say_how_to_go_on(self, server: ServerProcess) -> None:
        stream, (features, _) = self._options.dataset, self._pairs[-1]
        body = msgspec.json.encode({"id": sample_id(stream, self._ledger.total), "features": features}).decode()
        path = f"{server.url}/v1/streams/{stream}"
        for line in (
            "",
            f"The service goes on: {server.url}/docs",
            f"  data folder  {server.data}",
            f"  process id   {server.pid} (kill {server.pid} stops it; the data folder stays)",
            "Try:",
            f"  curl {shlex.quote(f'{path}/queries?order=utility&limit=3')}",
            f"  curl -X POST -H 'Content-Type: application/json' -d {shlex.quote(body)} {path}/samples",
        ):
            self._console.print(line, soft_wrap=True, markup=False)
