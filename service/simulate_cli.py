"""`askwhen simulate` as the command line has it: options in, one call. What it does stands in `service.simulate`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from service.options import share


def _option(words: str, **more: Any) -> Any:
    return typer.Option(help=words, show_default=False, **more)


Samples = Annotated[
    Path, typer.Argument(help="Labelled samples in the order of the stream: .csv, .jsonl (either may be gzipped) or .parquet.")
]
Label = Annotated[str | None, _option("Column of the labels (default: label, target, class or y, else the last).")]
Model = Annotated[
    str, _option("Model: a name of the catalogue, or JSON as under `model` in a stream's configuration (default: the task's).")
]
Rules = Annotated[list[str] | None, _option("Query rule, repeatable (default: all).")]
Measure = Annotated[str, _option("Measure of utility (default: the task's).")]
Budgets = Annotated[
    list[float] | None,
    _option("Share of the samples that may be asked, repeatable (default: 1, 2, 5, 10 %).", parser=share, metavar="RATE"),
]
Delay = Annotated[int, typer.Option(min=0, max=10**9, help="Samples by which a label comes late.")]
Lost = Annotated[float, typer.Option(parser=share, metavar="SHARE", help="Share of the questions that nobody answers.")]
Seeds = Annotated[list[int] | None, _option("Seed, repeatable (default: 0, 1, 2).")]
Exploration = Annotated[
    float | None, _option("Share of the budget that is asked at random (default: the service's).", parser=share, metavar="SHARE")
]
Price = Annotated[float | None, _option("Price of a label.", min=0, max=10**9)]
Json = Annotated[Path | None, _option("Write a record a run: an array, or lines for .jsonl.")]
Report = Annotated[Path | None, _option("Write a page with plots: one HTML file that needs no network.")]
Rows = Annotated[int | None, _option("Rows to read (default: 200,000, of wide files fewer).", min=2)]
Jobs = Annotated[int | None, _option("Processes side by side (default: one a core).", min=1, max=256)]
Task = Annotated[Literal["classification", "regression"] | None, _option("Whether labels are classes or numbers (default: as they look).")]


def simulate(
    file: Samples,
    label: Label = None,
    model: Model = "",
    rule: Rules = None,
    measure: Measure = "",
    budget: Budgets = None,
    delay: Delay = 0,
    lost: Lost = 0.0,
    seed: Seeds = None,
    exploration: Exploration = None,
    price: Price = None,
    json: Json = None,
    report: Report = None,
    rows: Rows = None,
    jobs: Jobs = None,
    task: Task = None,
) -> None:
    """Tell what each query rule and budget would have bought on a labelled file, and which to take.

    Every run goes through the whole file as the service would: a sample is predicted, perhaps asked about, and then learned. Accuracy
    counts all samples. Exits with 2 if there was nothing to work with.
    """
    from service.simulate import command, plan

    compared = (rule or (), measure, budget or plan.BUDGETS, delay, lost, seed or plan.SEEDS, exploration)
    raise typer.Exit(command.simulate(plan.Options(file, label, model, *compared, price, json, report, rows, jobs, task)))
