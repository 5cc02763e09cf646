"""`askwhen keys`: keys of a data folder are made, listed and revoked, beside a running server or not. It serves nothing."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from service.adapters.keys import SqliteKeys
from service.core.errors import AskwhenError
from service.guard import Scope, new_key

app = typer.Typer(name="keys", no_args_is_help=True, help="Make, list and revoke the keys that requests carry.")
_console = Console()
_errors = Console(stderr=True)

Data = Annotated[Path, typer.Option("--data", help="Folder of the log and its keys.", file_okay=False)]
_DATA = Path("askwhen-data")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use the key.")],
    scope: Annotated[
        list[Scope],
        typer.Option(help="What it opens: ingest (samples), label (queries and labels), read, admin (everything); may be repeated."),
    ],
    data: Data = _DATA,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Events a second that it may send (default: the server's key_rate).")] = None,
) -> None:
    """Make a key and print it, this once; only its hash is kept. A running server takes it within a second."""
    text, key = new_key(name, scope, time.time(), rate)
    try:
        SqliteKeys(data).add(key)
    except (AskwhenError, OSError) as error:
        raise _failed(str(error)) from None
    typer.echo(text)
    _errors.print(
        f"{key.id} ({name}) opens {', '.join(sorted(key.scopes))}. Keep it: it is not shown again.", highlight=False, markup=False
    )


@app.command("list")
def list_keys(data: Data = _DATA) -> None:
    """List the keys of a data folder: what they open, and when they were last used."""
    fixed = {name: Column(name, no_wrap=True) for name in ("id", "created", "last used", "revoked")}
    table = Table(fixed["id"], "name", "scopes", "rate", fixed["created"], fixed["last used"], fixed["revoked"])
    try:
        for key in SqliteKeys(data).all():
            rate = "" if key.rate is None else f"{key.rate:g}/s"
            times = (_day(key.created_at), _day(key.last_used_at, "%Y-%m-%d %H:%M"), _day(key.revoked_at))
            table.add_row(key.id, key.name, " ".join(sorted(key.scopes)), rate, *times)
    except AskwhenError as error:
        raise _failed(str(error)) from None
    _console.print(table if table.row_count else f"there are no keys in {data}: nothing asks for one")


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")], data: Data = _DATA) -> None:
    """Revoke a key. A running server refuses it within a second."""
    try:
        if not SqliteKeys(data).revoke(key_id, time.time()):
            raise _failed(f"there is no valid key {key_id} in {data}")
    except AskwhenError as error:
        raise _failed(str(error)) from None
    _console.print(f"{key_id} is revoked", highlight=False)


def _day(at: float | None, form: str = "%Y-%m-%d") -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime(form)


def _failed(message: str) -> typer.Exit:
    _errors.print(f"askwhen: {message}", style="red", soft_wrap=True, markup=False, highlight=False)
    return typer.Exit(2)
