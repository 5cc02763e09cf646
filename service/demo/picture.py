"""The picture: accuracy over labels bought, and over the stream. It draws what it is given; matplotlib is loaded when it is needed.

Left, what labels are worth: a point is the accuracy over the whole stream of runs with that many labels. Right, how the same accuracy
came about: over a moving window, with the moments of the questions below.
"""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from service.demo.arms import Comparison, Point
from service.demo.errors import ClientError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ASKWHEN, _RANDOM, _EVERY = "#0b7285", "#e8590c", "#495057"
_INK, _FAINT = "#212529", "#dee2e6"
_WINDOWS = 20  # a stream has this many windows one after the other
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
    """Write the picture; raises `ClientError` where matplotlib is not installed."""
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to load
        from matplotlib.figure import Figure  # noqa: PLC0415 - the same
    except ImportError:
        raise ClientError("no picture without matplotlib: pip install 'askwhen[report]'") from None
    style = {
        "font.size": 10,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.edgecolor": _FAINT,
    }
    with rc_context(style):
        figure = Figure(figsize=(12, 5.4), dpi=_DOTS, facecolor="white")
        worth, stream = figure.subplots(1, 2, gridspec_kw={"left": 0.06, "right": 0.97, "top": 0.76, "bottom": 0.11, "wspace": 0.16})
        n = len(live.correct)
        figure.text(0.06, 0.925, f"{live.dataset}: {live.labels:,} labels instead of {n:,}", fontsize=17, weight="bold")
        figure.text(0.06, 0.872, _subtitle(live, comparison), fontsize=11, color=_EVERY)
        _worth(worth, live, comparison)
        _stream(stream, live, comparison)
        figure.savefig(path)


def _subtitle(live: Live, comparison: Comparison) -> str:
    return (
        f"{live.accuracy:.1%} of all {len(live.correct):,} samples predicted right before any label of them;  random asking, as many labels: "
        f"{comparison.random_accuracy:.1%};  every label: {comparison.every.accuracy:.1%}"
    )


def _worth(axes: "Axes", live: Live, comparison: Comparison) -> None:
    every = comparison.every
    _frame(axes, "Accuracy over the whole stream, by labels bought")
    axes.set_xscale("log")
    axes.axhline(every.accuracy, color=_EVERY, linestyle=(0, (4, 3)), linewidth=1.2, zorder=1)
    _say(axes, "every label", (axes.get_xlim()[0], every.accuracy), _EVERY, (4, 5))
    _line(axes, comparison.random_points, _RANDOM)
    mine = sorted([*comparison.asking_points, Point(live.labels, live.accuracy, live.accuracy, live.accuracy)])
    _line(axes, mine, _ASKWHEN)
    axes.plot([live.labels], [live.accuracy], marker="*", markersize=19, color=_ASKWHEN, markeredgecolor="white", zorder=5)
    _gap(axes, live, comparison)
    axes.set_xlabel("labels bought")
    _plain_counts(axes)
    last = comparison.random_points[-1]
    _say(axes, "random asking", (last.labels, last.accuracy), _RANDOM, (4, -16))
    _say(axes, "askwhen", (mine[0].labels, mine[0].accuracy), _ASKWHEN, (-4, 12))


def _gap(axes: "Axes", live: Live, comparison: Comparison) -> None:
    """An arrow from this run to as good a random one."""
    needs = comparison.random_needs(live.accuracy)
    if needs is None or needs <= live.labels:
        return
    axes.annotate(
        "", (needs, live.accuracy), (live.labels, live.accuracy), arrowprops={"arrowstyle": "->", "color": _INK, "shrinkA": 9, "shrinkB": 0}
    )
    middle = (live.labels * needs) ** 0.5
    _say(axes, f"random needs {needs / live.labels:.1f} times the labels", (middle, live.accuracy), _INK, (0, -14), align="center")


def _stream(axes: "Axes", live: Live, comparison: Comparison) -> None:
    window = max(20, len(live.correct) // _WINDOWS)
    _frame(axes, f"Accuracy along the stream, over the last {window:,} samples")
    random = [_moving(run.correct, window) for run in comparison.random]
    places = range(window, len(live.correct) + 1)
    axes.fill_between(
        places,
        [min(at) for at in zip(*random, strict=True)],
        [max(at) for at in zip(*random, strict=True)],
        color=_RANDOM,
        alpha=0.15,
        linewidth=0,
    )
    axes.plot(places, [sum(at) / len(at) for at in zip(*random, strict=True)], color=_RANDOM, linewidth=1.6, label="random asking")
    axes.plot(places, _moving(comparison.every.correct, window), color=_EVERY, linewidth=1.2, linestyle=(0, (4, 3)), label="every label")
    axes.plot(places, _moving(live.correct, window), color=_ASKWHEN, linewidth=2.2, label="askwhen")
    axes.set_xlim(0, len(live.correct))
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.12 * (high - low), high)
    axes.vlines(live.asked, 0, 0.05, transform=axes.get_xaxis_transform(), color=_ASKWHEN, linewidth=0.5, alpha=0.7)
    axes.annotate("questions", (0, 0.06), (4, 0), xycoords="axes fraction", textcoords="offset points", color=_ASKWHEN, fontsize=9)
    axes.set_xlabel("samples")
    _plain_counts(axes)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.08), frameon=False, reverse=True)


def _moving(correct: Sequence[int], window: int) -> list[float]:
    sums = [0, *accumulate(correct)]
    return [(after - before) / window for before, after in zip(sums, sums[window:], strict=False)]


def _line(axes: "Axes", points: Sequence[Point], colour: str) -> None:
    labels = [point.labels for point in points]
    axes.fill_between(labels, [point.low for point in points], [point.high for point in points], color=colour, alpha=0.15, linewidth=0)
    axes.plot(labels, [point.accuracy for point in points], color=colour, linewidth=2, marker="o", markersize=4)


def _frame(axes: "Axes", title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, pad=10)
    axes.grid(color=_FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if round(value * 100, 6) % 1 == 0 else f"{value:.1%}")


def _plain_counts(axes: "Axes") -> None:
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _say(axes: "Axes", words: str, at: tuple[float, float], colour: str, offset: tuple[float, float], align: str = "left") -> None:
    axes.annotate(words, at, offset, textcoords="offset points", color=colour, ha=align, fontsize=10)
