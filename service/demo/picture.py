"""The picture: accuracy over labels bought, and over the stream. It draws what it is given; matplotlib is loaded when it is needed.

Left, what labels are worth: a point is the accuracy over the whole stream of runs with that many labels. Right, how the same accuracy
came about: over a moving window, with the moments of the questions below.
"""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from service.demo.arms import Comparison, Point
from service.demo.errors import NoPicture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ASKWHEN, _RANDOM, _EVERY = "#0b7285", "#e8590c", "#495057"
_INK, _FAINT = "#212529", "#dee2e6"
_DASHED = (0, (4, 3))
_WINDOWS = (5_000, 2_000, 1_000, 500, 250, 100, 50, 20)  # samples
_WINDOWS_A_STREAM = 12  # at least
_WORTH_SAYING = 1.2  # times the labels
_DOTS = 150  # an inch


class Live(NamedTuple):
    """The run that was seen."""

    dataset: str
    correct: Sequence[int]  # 0 or 1 a sample
    asked: Sequence[int]  # places of the questions
    labels: int

    @property
    def accuracy(self) -> float:
        """Over all samples."""
        return sum(self.correct) / len(self.correct)


def draw(live: Live, comparison: Comparison, path: Path) -> None:
    """Write the picture; raises `NoPicture` where matplotlib is not installed."""
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to load
        from matplotlib.figure import Figure  # noqa: PLC0415 - the same
    except ImportError:
        raise NoPicture("no picture without matplotlib: pip install 'askwhen[report]'") from None
    with rc_context(
        {"font.size": 10, "text.color": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK, "axes.edgecolor": _FAINT}
    ):
        figure = Figure(figsize=(12, 5.4), dpi=_DOTS, facecolor="white")
        worth, along = figure.subplots(1, 2, gridspec_kw={"left": 0.06, "right": 0.97, "top": 0.76, "bottom": 0.11, "wspace": 0.16})
        n = len(live.correct)
        figure.text(0.06, 0.925, f"{live.dataset}: {live.labels:,} labels instead of {n:,}", fontsize=17, weight="bold")
        figure.text(0.06, 0.872, _subtitle(live, comparison), fontsize=11, color=_EVERY)
        _worth(worth, live, comparison)
        _along(along, live, comparison)
        figure.savefig(path)


def _subtitle(live: Live, comparison: Comparison) -> str:
    return (
        f"{live.accuracy:.1%} of all {len(live.correct):,} samples predicted right before any label of them;  "
        f"random asking, as many labels: {comparison.random_accuracy:.1%};  every label: {comparison.every.accuracy:.1%}"
    )


def _worth(axes: "Axes", live: Live, comparison: Comparison) -> None:
    every, n = comparison.every.accuracy, len(live.correct)
    _frame(axes, "Accuracy over the whole stream, by labels bought", "labels bought")
    axes.set_xscale("log", subs=[])
    axes.xaxis.set_major_formatter(_count)
    axes.set_xlim(min(point.labels for point in (*comparison.random_points, *comparison.asking_points)) / 1.3, n * 1.6)
    axes.set_xticks(_round_numbers(*axes.get_xlim()))
    axes.axhline(every, color=_EVERY, linestyle=_DASHED, linewidth=1.2, zorder=1)
    this = Point(live.labels, live.accuracy, live.accuracy, live.accuracy)
    _line(axes, [*comparison.random_points, Point(n, every, every, every)], _RANDOM, "random asking")
    _line(axes, sorted([*comparison.asking_points, this]), _ASKWHEN, "askwhen, other budgets simulated")
    axes.plot(
        [this.labels],
        [this.accuracy],
        marker="*",
        markersize=20,
        color=_ASKWHEN,
        markeredgecolor="white",
        linestyle="none",
        zorder=6,
        label="this run",
    )
    axes.plot([n], [every], marker="o", markersize=8, color=_EVERY, linestyle="none", zorder=5, label="every label")
    axes.legend(loc="lower right", frameon=False)
    _gap(axes, this, comparison.random_needs(live.accuracy))


def _gap(axes: "Axes", this: Point, needs: float | None) -> None:
    """An arrow from this run to as good a random one."""
    if needs is None or needs < this.labels * _WORTH_SAYING:
        return
    arrow = {"arrowstyle": "->", "color": _INK, "shrinkA": 10, "shrinkB": 0}
    axes.annotate("", (needs, this.accuracy), (this.labels, this.accuracy), arrowprops=arrow, zorder=5)
    words = f"random needs {needs / this.labels:.1f} times the labels\nto be as good as this run"
    axes.text(0.97, 0.34, words, transform=axes.transAxes, ha="right", weight="bold")


def _along(axes: "Axes", live: Live, comparison: Comparison) -> None:
    n = len(live.correct)
    window = next(size for size in _WINDOWS if size * _WINDOWS_A_STREAM <= n or size == _WINDOWS[-1])
    _frame(axes, f"Accuracy along the stream, over the last {window:,} samples", "samples")
    mine, every = _moving(live.correct, window), _moving(comparison.every.correct, window)
    random = list(zip(*(_moving(run.correct, window) for run in comparison.random), strict=True))
    mean = [fmean(at) for at in random]
    places = range(window, n + 1)
    axes.fill_between(places, [min(at) for at in random], [max(at) for at in random], color=_RANDOM, alpha=0.15, linewidth=0)
    axes.plot(places, mean, color=_RANDOM, linewidth=1.6, label="random asking, as many labels")
    axes.plot(places, every, color=_EVERY, linewidth=1.2, linestyle=_DASHED, label="every label")
    axes.plot(places, mine, color=_ASKWHEN, linewidth=2.2, label="askwhen, this run")
    axes.set_xlim(0, n)
    low = min(*mine[window:], *every[window:], *mean[window:])  # the first steps of all are steep, and below the edge
    axes.set_ylim(low - 0.45 * (1.0 - low), 1.0 + 0.03 * (1.0 - low))
    axes.vlines(live.asked, 0, 0.05, transform=axes.get_xaxis_transform(), color=_ASKWHEN, linewidth=0.5, alpha=0.6)
    axes.annotate("questions", (0, 0.055), (4, 0), xycoords="axes fraction", textcoords="offset points", color=_ASKWHEN, fontsize=9)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.06), frameon=False, reverse=True)


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 and so on.

    >>> _round_numbers(8, 120)
    [10, 20, 50, 100]
    """
    return [step * 10**power for power in range(12) for step in (1, 2, 5) if low <= step * 10**power <= high]


def _moving(correct: Sequence[int], window: int) -> list[float]:
    sums = [0, *accumulate(correct)]
    return [(after - before) / window for before, after in zip(sums, sums[window:], strict=False)]


def _line(axes: "Axes", points: Sequence[Point], colour: str, name: str) -> None:
    labels = [point.labels for point in points]
    axes.fill_between(labels, [point.low for point in points], [point.high for point in points], color=colour, alpha=0.15, linewidth=0)
    axes.plot(labels, [point.accuracy for point in points], color=colour, linewidth=2, marker="o", markersize=4, label=name)


def _count(value: float, _: object) -> str:
    return f"{value:,.0f}"


def _frame(axes: "Axes", title: str, along: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, pad=10)
    axes.set_xlabel(along)
    axes.grid(color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.xaxis.set_major_formatter(_count)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.4g}%")
