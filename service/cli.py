"""The command line: options in, one call, words out. `askwhen --help` shows it all."""

import gc
import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from service import __version__
from service.core.errors import AskwhenError
from service.keys_cli import app as keys
from service.options import Data
from service.settings import CallerSettings, Settings, load
from service.simulate_cli import simulate
from service.whatif_cli import whatif

app = typer.Typer(name="askwhen", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(keys)
app.command()(simulate)
app.command()(whatif)
_console = Console()
_errors = Console(stderr=True)

DataSet = Literal["shuttle", "phishing", "image-segments", "bananas"]
Url = Annotated[str, typer.Option(help="The service.")]
Key = Annotated[str | None, typer.Option(help="Key that the service asks for (default: the variable ASKWHEN_KEY).", show_default=False)]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Decide, for every event of a stream, whether a label for it is worth paying for, and learn from every answer."""
    os.umask(0o077)  # what a command writes holds people's data and the coin's secret: it is its owner's alone
    if version:
        _console.print(__version__)
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 8000).")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the log and its snapshots (default askwhen-data).")] = None,
    insecure: Annotated[bool | None, typer.Option("--insecure", help="Listen on any address although nothing asks for a key.")] = None,
    ssl_certfile: Annotated[
        Path | None, typer.Option(help="Certificate chain (PEM); with it the server speaks TLS.", dir_okay=False)
    ] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="Private key of the certificate (PEM).", dir_okay=False)] = None,
    ssl_ca_certs: Annotated[
        Path | None, typer.Option(help="Authorities (PEM) that must have signed clients' certificates.", dir_okay=False)
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.", exists=True, dir_okay=False)] = None,
) -> None:
    """Run the service. SIGTERM drains and exits with 0."""
    gc.disable()  # until all is loaded, see `Service.start`
    from service import server

    given = {"host": host, "port": port, "data": data, "insecure": insecure}
    tls = {
        "ssl_certfile": ssl_certfile,
        "ssl_keyfile": ssl_keyfile,
        "ssl_ca_certs": ssl_ca_certs,
    }
    try:
        settings = load(config, given | tls)
    except ValidationError as error:
        raise _failed("; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())) from None
    try:
        _refuse_open_door(settings)
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
def export(
    stream: Annotated[str, typer.Argument(help="Stream whose labelled data is written.")],
    data: Data,
    format_: Annotated[Literal["jsonl", "csv", "parquet"], typer.Option("--format", help="How it is written.")] = "jsonl",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write (default: standard output).", dir_okay=False)] = None,
) -> None:
    """Write a stream's labelled data, one row a sample, while the server runs.

    Rows have the label that stands, who gave it, how and with which probability it was asked for, and every feature.
    """
    from service.export import command

    shown = _errors.is_terminal and (output is not None or not sys.stdout.isatty())
    try:
        with Progress(console=_errors, transient=True, disable=not shown) as progress:
            count = command.export(
                data, stream, format_, output, lambda items, total, words: progress.track(items, total=total, description=words)
            )
    except AskwhenError as error:
        raise _failed(str(error)) from None
    if output is not None:
        _console.print(f"{output} ({count:,} labelled samples)", markup=False, highlight=False, soft_wrap=True)


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
    file: Annotated[Path, typer.Argument(help="Labels by id: .csv, .jsonl (either may be gzipped) or .parquet.")],
    url: Url = "http://127.0.0.1:8000",
    key: Key = None,
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

    key = key or CallerSettings().key
    raise typer.Exit(answer_command.answer(answer_command.Options(stream, file, url, key, label, id_, labeler, follow, limit)))


@app.command("import")
def import_(
    stream: Annotated[str, typer.Argument(help="Stream that learns.")],
    file: Annotated[Path, typer.Argument(help="Labelled samples, one a row: .csv, .jsonl (either may be gzipped) or .parquet.")],
    url: Url = "http://127.0.0.1:8000",
    key: Key = None,
    label: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    id_: Annotated[str | None, typer.Option("--id", help="Column of the samples' ids (default: the file's name and the row).")] = None,
    labeler: Annotated[str | None, typer.Option(help="Who labelled them.")] = None,
    chunk: Annotated[int, typer.Option(min=1, max=10_000, help="Rows a request.")] = 1_000,
) -> None:
    """Teach a stream of a running service from a file of labelled samples: every other column is a feature.

    What was imported before is known by its id and harms nothing, so an import that was interrupted is simply run again.
    Exits with 1 if the service refused a row, with 2 if there was nothing to work with.
    """
    from service.importing import command

    key = key or CallerSettings().key
    raise typer.Exit(command.import_file(command.Options(stream, file, url, key, label, id_, labeler, chunk)))


def _refuse_open_door(settings: Settings) -> None:
    from service.adapters.keys import SqliteKeys

    if not settings.insecure and not _is_loopback(settings.host) and not SqliteKeys(settings.data).all():
        raise _failed(
            f"{settings.host} can be reached from elsewhere and nothing asks for a key; make one with "
            f"`askwhen keys create NAME --scope admin --data {settings.data}`, listen on 127.0.0.1, or say --insecure"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _failed(message: str) -> typer.Exit:
    _errors.print(f"askwhen: {message}", style="red", soft_wrap=True, markup=False, highlight=False)
    return typer.Exit(2)
