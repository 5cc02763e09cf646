"""The command line: options in, one call, words out. `askwhen --help` shows it all."""

import gc
import ipaddress
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from service import __version__
from service.core.errors import AskwhenError
from service.settings import Settings, load

app = typer.Typer(name="askwhen", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
_console = Console()
_errors = Console(stderr=True)

DataSet = Literal["shuttle", "phishing", "image-segments", "bananas"]
Data = Annotated[Path, typer.Option("--data", help="Folder of the log and its snapshots.", exists=True, file_okay=False)]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Decide, for every event of a stream, whether a label for it is worth paying for, and learn from every answer."""
    if version:
        _console.print(__version__)
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 8000).")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the log and its snapshots (default askwhen-data).")] = None,
    insecure: Annotated[bool | None, typer.Option("--insecure", help="Listen on any address although nothing asks for a key.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.", exists=True, dir_okay=False)] = None,
) -> None:
    """Run the service. SIGTERM drains and exits with 0."""
    gc.disable()  # until all is loaded, see `Service.start`
    from service import server

    try:
        settings = load(config, {"host": host, "port": port, "data": data, "insecure": insecure})
    except ValidationError as error:
        raise _failed("; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())) from None
    _refuse_open_door(settings)
    try:
        server.serve(settings)
    except AskwhenError as error:
        raise _failed(str(error)) from None


@app.command()
def verify(data: Data) -> None:
    """Fold the log again and compare: transcripts of what was served, snapshots, the budget. Exits 0 only if all agree."""
    from service import audit

    table = Table("stream", "events", "labels", "transcripts", "snapshots", "verdict")
    faults = 0
    try:
        for finding in audit.verify(data):
            faults += len(finding.faults)
            verdict = "; ".join(finding.faults) or "as the log says"
            table.add_row(finding.stream, *map(str, finding[1:5]), verdict)
    except AskwhenError as error:
        raise _failed(str(error)) from None
    _console.print(table)
    if faults:
        raise typer.Exit(1)


@app.command()
def backup(
    data: Data, output: Annotated[Path, typer.Option("-o", "--output", help="File to write; it must not exist yet.", dir_okay=False)]
) -> None:
    """Copy the log, consistent as of one moment, while the server runs.

    To restore, put the file into an empty data folder as askwhen.db.
    """
    from service.adapters.sqlite import backup as copy_log
    from service.adapters.sqlite import database_of

    try:
        copy_log(database_of(data), output)
    except AskwhenError as error:
        raise _failed(str(error)) from None
    _console.print(f"{output} ({output.stat().st_size:,} bytes)")


@app.command()
def demo(
    dataset: Annotated[DataSet, typer.Option(help="Real data that is streamed to the service.")] = "shuttle",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the service running, and say how to reach and stop it.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the picture.", file_okay=False)] = Path("askwhen-demo"),
    limit: Annotated[int | None, typer.Option(min=100, help="Samples to send (default: all; of shuttle the first 10,000).")] = None,
    rate: Annotated[float, typer.Option(min=0.001, max=1, help="Share of the samples that may be asked.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Repeats who answers when, and which answers are wrong.")] = 1,
) -> None:
    """Show the service at work: a real server, real data over HTTP, late and wrong answers, and what the labels were worth."""
    from service.demo import command

    raise typer.Exit(command.demo(command.Options(dataset, keep, out, limit, rate, seed)))


@app.command()
def answer(
    stream: Annotated[str, typer.Argument(help="Stream whose open questions are answered.")],
    file: Annotated[Path, typer.Argument(help="Labels by id: .csv or .jsonl, either may be gzipped.")],
    url: Annotated[str, typer.Option(help="The service.")] = "http://127.0.0.1:8000",
    label: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    id_: Annotated[str, typer.Option("--id", help="Column of the samples' ids.")] = "id",
    labeler: Annotated[str | None, typer.Option(help="Who answers.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on and answer questions as they are asked.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Answers to send at most.")] = None,
) -> None:
    """Answer a stream's open questions from a file, the most useful first.

    Exits with 1 if the service refused an answer, with 2 if there was nothing to work with.
    """
    from service.demo import answer_command

    raise typer.Exit(answer_command.answer(answer_command.Options(stream, file, url, label, id_, labeler, follow, limit)))


def _refuse_open_door(settings: Settings) -> None:
    if not settings.insecure and not _is_loopback(settings.host):
        raise _failed(f"{settings.host} can be reached from elsewhere and nothing asks for a key; listen on 127.0.0.1, or say --insecure")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _failed(message: str) -> typer.Exit:
    _errors.print(f"askwhen: {message}", style="red", soft_wrap=True, markup=False, highlight=False)
    return typer.Exit(2)
