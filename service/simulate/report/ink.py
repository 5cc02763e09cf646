"""Figures as inline SVG whose colours and fonts are the page's own, so that they look right in the light and in the dark.

matplotlib draws with stand-ins, colours that nobody would use, and they become CSS variables. What is drawn stands elsewhere.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT, PAPER = "#000101", "#000102", "#000103"
BEST, RANDOM, EVERY, OTHER = "#000104", "#000105", "#000106", "#000107"

_VARIABLES: Mapping[str, str] = MappingProxyType(
    {INK: "ink", FAINT: "faint", PAPER: "paper", BEST: "best", RANDOM: "random", EVERY: "every", OTHER: "other"}
)
_FONT = re.compile(r'font-family: [^;"]*')
_WIDTH = 4.9  # inches; a phone shows it in its natural size, so that its words can be read there
_POINTS = 9.0  # of the font
_INNER = 0.8  # of a figure is within its axes
_LEADING = 1.35  # from one line of words to the next

Draw = Callable[["Axes"], None]


def svg(name: str, title: str, height: float, draw: Draw) -> str:
    """Draw a figure of so many inches; `name` keeps its ids apart from those of others on the page."""
    from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to load
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    written = io.StringIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.subplots())
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _adopted(written.getvalue(), name, title)


def _adopted(drawn: str, name: str, title: str) -> str:
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', body)
    opening = f'<svg class="plot" role="img" aria-label="{title}" xmlns:xlink="http://www.w3.org/1999/xlink" {box[0] if box else ""}>'
    body = re.sub(r"<svg[^>]*>", opening, body, count=1)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = body.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    body = _FONT.sub("font-family: var(--font)", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    return body


def frame(axes: "Axes", along: str, up: str | None) -> None:
    """A quiet frame: a grid, no box, words for both axes."""
    axes.set_xlabel(along)
    if up is not None:
        axes.set_ylabel(up)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def percents(value: float, _: object = None) -> str:
    """A tick of an axis of shares."""
    return f"{100 * value:.4g} %"


def label_ends(axes: "Axes", height: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write names beside the ends of lines, given as place, name and colour, at the right edge and clear of each other.

    `height` is the figure's, in inches.
    """
    low, high = axes.get_ylim()
    line = _LEADING * _POINTS / (72 * height * _INNER) * (high - low)
    places = spread([end[0] for end in ends], line)
    for (_, name, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            name, (1.0, place), (4, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", color=colour, va="center"
        )


def spread(heights: Sequence[float], apart: float) -> list[float]:
    """Move heights as little as needs be, so that they are so far apart.

    >>> spread([1.0, 1.0, 5.0], 1.0)
    [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(heights)), key=heights.__getitem__)
    groups: list[list[int]] = []
    for place in order:
        groups.append([place])
        while len(groups) > 1 and _top(groups[-2], heights, apart) + apart > _bottom(groups[-1], heights, apart):
            last = groups.pop()
            groups[-1] += last
    moved = list(heights)
    for group in groups:
        bottom = _bottom(group, heights, apart)
        for step, place in enumerate(group):
            moved[place] = bottom + step * apart
    return moved


def _bottom(group: Sequence[int], heights: Sequence[float], apart: float) -> float:
    return sum(heights[place] for place in group) / len(group) - apart * (len(group) - 1) / 2


def _top(group: Sequence[int], heights: Sequence[float], apart: float) -> float:
    return _bottom(group, heights, apart) + apart * (len(group) - 1)


_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "askwhen",
    "font.size": _POINTS,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,
}
