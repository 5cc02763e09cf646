"""The closing words: what the bought labels were worth, what became of the answers, whether the server agrees. It prints nothing."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from service.client import Summary
from service.demo.arms import SEEDS, Comparison
from service.demo.ledger import Ledger
from service.demo.plan import SHORTEST
from service.demo.sets import CURRENCY, PRICE

_CAPTION = (
    f"Random and every label are simulated at their best: the same model, all answers right and {SHORTEST} samples late. "
    f"Random is the mean of {SEEDS} seeds, interpolated where it is as accurate."
)


def value_table(ledger: Ledger, comparison: Comparison) -> Table:
    """Accuracy, labels and money of the arms."""
    table = Table(
        "", title="What the labels were worth", title_justify="left", title_style="bold", caption=_CAPTION, caption_justify="left"
    )
    for heading in ("accuracy", "errors", "labels", f"{CURRENCY} at {PRICE:.2f}"):
        table.add_column(heading, justify="right")
    mine, n = ledger.accuracy, ledger.total
    table.add_row("[bold]askwhen[/], over HTTP", *_figures(mine, n, ledger.labels), style="green")
    table.add_row("random, as many labels", *_figures(comparison.random_accuracy, n, ledger.labels))
    needs = comparison.random_needs(mine)
    if needs is not None and needs > ledger.labels:
        table.add_row("random, as accurate", *_figures(mine, n, round(needs), about="~"))
    table.add_row("every label", *_figures(comparison.every.accuracy, n, n))
    return table


def verdict(ledger: Ledger, comparison: Comparison) -> Text:
    """The same in words."""
    saved = ledger.total - ledger.labels
    gain = ledger.accuracy - comparison.random_accuracy
    words = Text()
    words.append(f"{saved:,} of {ledger.total:,} labels saved", style="bold green")
    share = ledger.accuracy / max(1e-9, comparison.every.accuracy)
    words.append(
        f" ({saved / ledger.total:.0%}, {CURRENCY} {saved * PRICE:,.2f}), for {share:.1%} of the accuracy that every label gives; "
    )
    words.append(f"{abs(gain) * 100:.1f} points {'above' if gain >= 0 else 'below'} random asking at the same cost.")
    return words


def answers_table(ledger: Ledger) -> Table:
    """What became of questions and answers."""
    table = Table(title="Questions and answers", title_justify="left", title_style="bold", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in _happened(ledger):
        table.add_row(*row)
    return table


def _happened(ledger: Ledger) -> Iterator[tuple[str, str, str]]:
    why = ", ".join(f"{reason} {count}" for reason, count in ledger.reasons.most_common())
    yield "questions asked", str(ledger.asked), why
    yield "answered", str(ledger.labels), f"{ledger.out_of_order} of them out of order"
    for outcome, count in ledger.outcomes.most_common():
        yield f"  {outcome}", str(count), _MEANINGS.get(outcome, "")
    yield "never answered", str(ledger.open), "still open on the server"


_MEANINGS = {
    "learned": "taught the model, each once",
    "duplicate": "delivered twice, learned once",
    "corrected": "wrong at first: the model was rebuilt without it",
    "late": "after its question had expired",
}


def differences(ledger: Ledger, summary: Summary) -> list[str]:
    """Where the server counts otherwise than the demo."""
    mine = {"seen": ledger.seen, "asked": ledger.asked, "open": ledger.open}
    return [
        f"{name}: {count:,} here, {getattr(summary, name):,} on the server"
        for name, count in mine.items()
        if getattr(summary, name) != count
    ]


def _figures(accuracy: float, n: int, labels: int, about: str = "") -> tuple[str, str, str, str]:
    return f"{accuracy:.1%}", f"{round((1 - accuracy) * n):,}", f"{about}{labels:,}", f"{about}{labels * PRICE:,.2f}"
