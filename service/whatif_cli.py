"""`askwhen whatif` as the command line has it: options in, one call. What it does stands in `service.whatif`."""

from pathlib import Path
from typing import Annotated

import typer

from service.options import Data, share


def whatif(
    stream: Annotated[str, typer.Argument(help="Stream whose past is replayed.")],
    data: Data,
    budget: Annotated[
        list[float] | None,
        typer.Option(parser=share, metavar="RATE", help="Share of the samples that may be asked, repeatable.", show_default=False),
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Query rule, repeatable.", show_default=False)] = None,
    exploration: Annotated[
        list[float] | None,
        typer.Option(parser=share, metavar="SHARE", help="Share of the budget that is asked at random, repeatable.", show_default=False),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Model by name, or JSON as in a configuration, repeatable.", show_default=False)
    ] = None,
    patch: Annotated[
        list[str] | None, typer.Option(help="Anything else: JSON as for PATCH on the stream, repeatable.", show_default=False)
    ] = None,
    replays: Annotated[int, typer.Option(min=2, max=100, help="Replays with coins of their own.")] = 6,
    json: Annotated[Path | None, typer.Option(help="Write the figures as JSON.", show_default=False)] = None,
) -> None:
    """Estimate from a stream's log what another budget, rule, exploration or model would have come to, while the server runs.

    Options combine. Exits with 2 where the log does not support an answer, and says what it would support.
    """
    from service.whatif import command, plan

    some = (budget or (), rule or (), exploration or (), model or (), patch or ())
    raise typer.Exit(command.whatif(plan.Options(stream, data, *some, replays, json)))
