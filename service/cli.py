"""The command line: options in, one call, words out. `askwhen --help` shows it all."""

import ipaddress
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from service import __version__, audit, server
from service.adapters.sqlite import backup as copy_log
from service.adapters.sqlite import database_of
from service.core.errors import AskwhenError
from service.settings import Settings, load

app = typer.Typer(name="askwhen", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
_console = Console()
_errors = Console(stderr=True)

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
    """Copy the log, consistent as of one moment, while the server runs. To restore, put the file into an empty data folder as askwhen.db."""
    try:
        copy_log(database_of(data), output)
    except AskwhenError as error:
        raise _failed(str(error)) from None
    _console.print(f"{output} ({output.stat().st_size:,} bytes)")


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
