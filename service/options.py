"""Options that several commands have. Nothing is done here."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option("--data", help="Folder of the log and its snapshots.", exists=True, file_okay=False)]


def share(text: str | float) -> float:
    """A share as `0.05` or `5%`."""
    words = str(text).strip()
    try:
        share = float(words.removesuffix("%")) / (100 if words.endswith("%") else 1)
    except ValueError:
        raise typer.BadParameter(f"{words!r} is no share; give one such as 0.05 or 5%") from None
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"{words} is no share of 0 to 1; for 5 % give 0.05 or 5%")
    return share
