"""The comparison as Markdown and as a figure. It shows what it is given, losses as plainly as wins."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.label_efficiency.compare import Gain, Point, Row, Runs, at, comparable
from benchmarks.label_efficiency.jobs import DEFAULT, FULL, RANDOM, Job
from benchmarks.label_efficiency.peers import PEERS
from benchmarks.label_efficiency.verdict import Bar

_OURS, _RANDOM, _PEER, _FULL = "#0b7285", "#e8590c", "#868e96", "#495057"
_MARKERS = "osv^Dx"
_SHARES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)


def what_was_run(runs: Runs, model: str) -> Iterator[str]:
    """Say of how many seeds and samples the figures are."""
    jobs = [job for job in runs if job.model == model and not job.delay]
    lengths = {job.stream: runs[job].n for job in jobs}
    listed = ", ".join(f"{stream} {length:,}" for stream, length in sorted(lengths.items()))
    yield f"Samples: {listed}.\n"
    for rule in sorted({job.rule for job in jobs} - {FULL}):
        seeds = {budget: len({job.seed for job in jobs if (job.rule, job.budget) == (rule, budget)}) for budget in _budgets(jobs, rule)}
        yield f"- {rule}: {', '.join(f'{budget:.1%} x {count}' for budget, count in seeds.items())} (budget x seeds)"
    yield ""


def _budgets(jobs: Iterable[Job], rule: str) -> list[float]:
    return sorted({job.budget for job in jobs if job.rule == rule})


def rows_table(rows: Sequence[Row], streams: int, share: float) -> Iterator[str]:
    """The rules at a share of labels bought."""
    yield f"At {share:.0%} of the labels ({streams} streams):\n"
    yield "| rule | accuracy | average rank | default's lead, points | default ahead on | p |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        name = f"**{row.rule}** (default)" if row.rule == DEFAULT else row.rule
        rest = "| | | |" if row.rule == DEFAULT else f"| {100 * row.lead:+.2f} | {row.wins} of {streams} | {row.p:.3f} |"
        yield f"| {name} | {row.accuracy:.2%} | {row.rank:.2f} {rest}"
    yield ""


def stream_table(drawn: Mapping[str, Mapping[str, Sequence[Point]]], ceiling: Mapping[str, float], share: float) -> Iterator[str]:
    """Accuracy by stream at a share, the best of a stream in bold type; where a rule did not get there, what it got to."""
    rules = [DEFAULT, RANDOM, *(rule for rule in drawn if rule not in (DEFAULT, RANDOM))]
    yield f"By stream at {share:.0%}, accuracy in %:\n"
    yield f"| stream | {' | '.join(rules)} | every label |"
    yield "|---" * (len(rules) + 2) + "|"
    for stream in sorted(drawn[DEFAULT]):
        values = {rule: at(drawn[rule][stream], share) for rule in rules if stream in drawn[rule]}
        best = max(values.values())
        cells = (_cell(values.get(rule), best) for rule in rules)
        yield f"| {stream} | {' | '.join(cells)} | {100 * ceiling[stream]:.1f} |"
    yield ""


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return ""
    text = f"{100 * value:.1f}"
    return f"**{text}**" if value == best else text


def gains_table(gains: Mapping[tuple[int, float, str], Gain], budgets: Iterable[float]) -> Iterator[str]:
    """The default against random asking with as many labels, in points with intervals of 95 %."""
    budgets = list(budgets)
    yield f"| delay | stream | {' | '.join(f'budget {budget:.0%}' for budget in budgets)} |"
    yield "|---" * (len(budgets) + 2) + "|"
    groups = sorted({(delay, stream) for delay, _, stream in gains}, key=lambda group: (group[0], group[1] == "mean", group[1]))
    for delay, stream in groups:
        cells = [_interval(gains.get((delay, budget, stream))) for budget in budgets]
        yield f"| {delay} | {stream} | {' | '.join(cells)} |"
    yield ""


def _interval(gain: Gain | None) -> str:
    return "" if gain is None else f"{100 * gain.mean:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f})"


def bars_table(bars: Iterable[Bar]) -> Iterator[str]:
    """The bars."""
    yield "| bar, points | wanted | seen | |"
    yield "|---|---|---|---|"
    for bar in bars:
        yield f"| {bar.name} | {bar.wanted} | {bar.seen} | {'reached' if bar.reached else '**missed**'} |"
    yield ""


def draw(drawn: Mapping[str, Mapping[str, Sequence[Point]]], ceiling: Mapping[str, float], path: Path) -> None:
    """Write the figure: mean accuracy over the share of labels bought, a line a rule from where it can buy so little on every stream."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to load

    figure = Figure(figsize=(11, 5.4), dpi=150, facecolor="white", layout="constrained")
    axes = figure.subplots()
    streams = list(drawn[DEFAULT])
    rules = [rule for rule in (*PEERS, RANDOM, DEFAULT) if rule in drawn and all(stream in drawn[rule] for stream in streams)]
    for place, rule in enumerate(rules):
        colour = {DEFAULT: _OURS, RANDOM: _RANDOM}.get(rule, _PEER)
        shares = [share for share in _SHARES if all(comparable(rule, drawn[rule][stream], share) for stream in streams)]
        means = [100 * fmean(at(drawn[rule][stream], share) for stream in streams) for share in shares]
        label = f"askwhen's default ({rule})" if rule == DEFAULT else rule
        width = 2.4 if rule == DEFAULT else 1.2
        axes.plot([100 * x for x in shares], means, color=colour, marker=_MARKERS[place % len(_MARKERS)], ms=4, lw=width, label=label)
    axes.axhline(100 * fmean(ceiling[stream] for stream in streams), color=_FULL, ls="--", lw=1, label="every label, best learning rate")
    axes.set_xscale("log")
    axes.set_xticks([100 * share for share in _SHARES], [f"{share:.0%}" for share in _SHARES], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("labels really bought, of all samples")
    axes.set_ylabel(f"accuracy over all samples, mean of {len(streams)} streams, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dee2e6")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    figure.savefig(path)
