"""The plots of the page: what labels are worth, how it goes along the stream, calibration, and what the bought labels tell."""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from service.simulate.figure import Figure
from service.simulate.plan import RANDOM as RANDOM_RULE
from service.simulate.report.ink import BEST, EVERY, FAINT, INK, OTHER, PAPER, RANDOM, frame, label_ends, percents, svg
from service.simulate.scores import BINS, Bin, window_of
from service.simulate.verdict import Point, Study
from service.simulate.work import Found, FoundErrors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHED = (0, (4, 3))
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of shares
_HEIGHT = 3.3  # inches
_FEWEST, _LEAST = 10, 0.002  # samples of a bin, and their share
_ROW = 0.27  # inches of a rule's line


def worth(study: Study) -> str:
    """The figure against labels bought, every rule a line."""
    figure = study.figure
    sign = figure.sign

    def draw(axes: "Axes") -> None:
        best, every = study.standings[0], sign * study.every.score
        frame(axes, "labels bought, share of all samples", f"{figure.name} over all samples")
        axes.set_xscale("log")
        axes.axhline(every, color=EVERY, linestyle=_DASHED, linewidth=1.2)
        for other in study.standings[1:]:
            if other.rule != RANDOM_RULE:
                _line(axes, other.points, sign, OTHER, width=1.0, marker=2.5)
        _line(axes, study.random, sign, RANDOM, width=1.8, marker=4.0)
        if best.rule != RANDOM_RULE:
            _line(axes, best.points, sign, BEST, width=2.4, marker=5.0, band=True)
            last, aside = best.points[-1], -1 if len(best.points) > 1 else 1
            words: Any = {"color": BEST, "weight": "bold", "ha": "right" if aside < 0 else "left"}
            axes.annotate(best.rule, (last.place, sign * last.score), (aside * 7, 7), textcoords="offset points", **words)
        shares = [point.place for point in (*study.random, *(point for one in study.standings for point in one.points))]
        _log_ticks(axes, min(shares) / 1.15, max(shares) * 1.15)
        _scale(axes, figure)
        axes.annotate(
            "every label", (0.01, every), (0, 3), xycoords=axes.get_yaxis_transform(), textcoords="offset points", color=EVERY, va="bottom"
        )
        label_ends(axes, _HEIGHT, [(sign * study.random[-1].score, "random", RANDOM)])

    return svg("worth", f"{figure.name.capitalize()} against labels bought", _HEIGHT, draw)


def _scale(axes: "Axes", figure: Figure) -> None:
    if figure.share:
        axes.yaxis.set_major_formatter(percents)


def _line(axes: "Axes", points: Sequence[Point], sign: float, colour: str, *, width: float, marker: float, band: bool = False) -> None:
    shares = [point.place for point in points]
    if band:
        axes.fill_between(
            shares, [sign * point.low for point in points], [sign * point.high for point in points], color=colour, alpha=0.18, linewidth=0
        )
    axes.plot(
        shares,
        [sign * point.score for point in points],
        color=colour,
        linewidth=width,
        marker="o",
        markersize=marker,
        markeredgecolor=PAPER,
        markeredgewidth=0.6,
    )


def _log_ticks(axes: "Axes", low: float, high: float) -> None:
    axes.set_xlim(low, high)
    axes.set_xticks([tick for tick in _TICKS if low <= tick <= high])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(percents)


def along(study: Study) -> str:
    """The figure along the stream, over a window: the recommended rule, random asking, every label."""
    figure = study.figure

    def draw(axes: "Axes") -> None:
        advice = study.advice
        frame(axes, f"samples seen; {figure.name} is over the last {window_of(study.n):,}", figure.name)
        ends = [_course(axes, [study.every], figure.sign, EVERY, "every label")]
        ends.append(_course(axes, study.runs(RANDOM_RULE, advice.point.budget), figure.sign, RANDOM, "random"))
        if advice.rule != RANDOM_RULE:
            ends.append(_course(axes, study.runs(advice.rule, advice.point.budget), figure.sign, BEST, advice.rule))
        axes.set_xlim(0, study.n)
        axes.set_ylim(_floor(study, advice.point.budget) if figure.share else 0.0, None)
        axes.xaxis.set_major_formatter(_thousands)
        axes.locator_params(axis="x", nbins=5)
        _scale(axes, figure)
        label_ends(axes, _HEIGHT, ends)

    return svg("along", f"{figure.name.capitalize()} along the stream", _HEIGHT, draw)


def _course(axes: "Axes", runs: Sequence[Found | FoundErrors], sign: float, colour: str, name: str) -> tuple[float, str, str]:
    places = [place for place, _ in runs[0].course]
    columns = list(zip(*([sign * score for _, score in run.course] for run in runs), strict=True))
    mean = [fmean(column) for column in columns]
    if len(runs) > 1:
        low, high = [min(column) for column in columns], [max(column) for column in columns]
        axes.fill_between(places, low, high, color=colour, alpha=0.16, linewidth=0)
    dashed = _DASHED if colour == EVERY else "solid"
    axes.plot(places, mean, color=colour, linewidth=2.0 if colour == BEST else 1.4, linestyle=dashed)
    return mean[-1], name, colour


def _floor(study: Study, budget: float) -> float:
    """The least accuracy after the first steps, which are steep and below the edge."""
    runs = [study.every, *study.runs(RANDOM_RULE, budget), *study.runs(study.advice.rule, budget)]
    later = [score for run in runs for _, score in run.course[len(run.course) // 20 :]]
    return max(0.0, min(later) - 0.15 * (max(later) - min(later)) - 0.005)


def _thousands(value: float, _: object = None) -> str:
    return f"{value:,.0f}"


def calibration(study: Study, every: Found) -> str:
    """The reliability diagram: how often predictions of some confidence are right; `every` is the run with every label."""

    def draw(axes: "Axes") -> None:
        advice = study.advice
        frame(axes, "confidence of the prediction", "share that was right")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1.4, zorder=1)
        of_every = telling(every.bins)
        mine = telling(bins_of(study))
        ends = [_diagram(axes, of_every, EVERY, "every label"), _diagram(axes, mine, BEST, advice.rule)]
        low = min(one.confidence for one in (*of_every, *mine))
        axes.set_xlim(low - 0.04, 1.0)
        axes.set_ylim(max(0.0, min(low, *(one.accuracy for one in (*of_every, *mine))) - 0.05), 1.02)
        axes.annotate("as sure as right", (low + 0.6 * (1 - low),) * 2, (0, -5), textcoords="offset points", va="top", alpha=0.7)
        axes.xaxis.set_major_formatter(percents)
        axes.yaxis.set_major_formatter(percents)
        label_ends(axes, _HEIGHT, ends)

    return svg("calibration", "Calibration: confidence against the share that was right", _HEIGHT, draw)


def _diagram(axes: "Axes", bins: Sequence[Bin], colour: str, name: str) -> tuple[float, str, str]:
    confidences, accuracies = [one.confidence for one in bins], [one.accuracy for one in bins]
    most = max(one.samples for one in bins)
    axes.plot(confidences, accuracies, color=colour, linewidth=1.6, linestyle=_DASHED if colour == EVERY else "solid", zorder=2)
    sizes = [12 + 70 * one.samples / most for one in bins]
    axes.scatter(confidences, accuracies, sizes, color=colour, edgecolors=PAPER, linewidths=0.8, zorder=3)
    return accuracies[-1], name, colour


def bins_of(study: Study) -> list[Bin]:
    """The bins of the recommended rule's runs."""
    runs = study.runs(study.advice.rule, study.advice.point.budget)
    return pooled([run.bins for run in runs if isinstance(run, Found)])


def pooled(diagrams: Sequence[Sequence[Bin]]) -> list[Bin]:
    """Put the bins of several runs together."""
    parts: list[list[Bin]] = [[] for _ in range(BINS)]
    for one in (one for bins in diagrams for one in bins):
        parts[min(BINS - 1, int(one.confidence * BINS))].append(one)
    return [_together(part) for part in parts if part]


def telling(bins: Sequence[Bin]) -> list[Bin]:
    """The bins with enough samples to be drawn; all of them where none has."""
    least = max(_FEWEST, _LEAST * sum(one.samples for one in bins))
    return [one for one in bins if one.samples >= least] or list(bins)


def _together(part: Sequence[Bin]) -> Bin:
    count = sum(one.samples for one in part)
    return Bin(count, sum(one.samples * one.confidence for one in part) / count, sum(one.samples * one.accuracy for one in part) / count)


def told(study: Study) -> str | None:
    """What the bought labels alone tell of the figure, beside the truth; None where they tell nothing of any rule."""
    rows, figure = list(_told(study)), study.figure
    if not rows:
        return None

    def draw(axes: "Axes") -> None:
        frame(axes, f"{figure.name} over all samples", None)
        for height, (_, run) in enumerate(rows):
            said = figure.told(run.estimate)
            ends = [figure.sign * (end or 0.0) for end in (said.low, said.high)]
            axes.plot(ends, [height, height], color=BEST, linewidth=2.2, solid_capstyle="butt")
            axes.plot([figure.sign * (said.score or 0.0)], [height], marker="o", markersize=7.5, color=BEST, markeredgecolor=PAPER)
            axes.plot([figure.sign * run.score], [height], marker="|", markersize=13, markeredgewidth=1.8, color=INK)
            if said.naive is not None:
                axes.plot([figure.sign * said.naive], [height], marker="x", markersize=5.5, markeredgewidth=1.6, color=RANDOM)
        axes.set_yticks(range(len(rows)), [rule for rule, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", nbins=5)
        if figure.share:
            axes.xaxis.set_major_formatter(percents)

    return svg("told", f"Estimated {figure.name} with its interval, the truth, and the naive figure", 0.7 + _ROW * len(rows), draw)


def _told(study: Study) -> Iterator[tuple[str, Found | FoundErrors]]:
    for standing in study.standings:
        run = study.runs(standing.rule, study.advice.point.budget)[0]
        if study.figure.told(run.estimate).score is not None:
            yield standing.rule, run
