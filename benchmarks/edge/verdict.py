"""The figures against the bars, and how both are shown. It measures nothing."""

from collections.abc import Iterable, Mapping
from statistics import median
from typing import NamedTuple

from rich.table import Table

from benchmarks.edge.batches import Found as Batches
from benchmarks.edge.latency import Found as Latency
from benchmarks.edge.throughput import Throughput

_LATE = 0.2  # of the empty endpoint's p99: how late a generator may be
_MOST = 0.9  # of the time: what a server works that is loaded and undisturbed


class Bar(NamedTuple):
    """A figure that must be at least (or at most) so much."""

    name: str
    figure: float
    bound: float
    at_least: bool = True

    @property
    def holds(self) -> bool:
        """Whether it is met."""
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound


def of_throughput(found: Mapping[str, Throughput]) -> list[Bar]:
    """The service against both baselines."""
    return [
        Bar("samples/s over those of an empty FastAPI endpoint", _over(found, "askwhen", "empty"), 2.0),
        Bar("samples/s over those of a bare ASGI echo", _over(found, "askwhen", "echo"), 0.45),
    ]


def of_batches(found: Batches) -> list[Bar]:
    """Batches against River's loop."""
    return [Bar("samples/s in NDJSON batches of 1,000 over those of River's loop", found.ratio, 0.40)]


def of_latency(found: Latency) -> list[Bar]:
    """Every scenario against the empty endpoint, and what a question's durable answer adds.

    The 99th percentile of what a question adds is set against that of the disk: a question waits for one fsync at least, its own or
    its group's, and a slow one is as slow for both.
    """
    empty, plain = found.scenarios["empty"].p99, found.scenarios["askwhen"]
    judged = [(name, told) for name, told in found.scenarios.items() if told.judged]
    bars = [Bar(f"p99 of {name}, over the empty endpoint's", told.p99 / empty, 1.0, at_least=False) for name, told in judged]
    if plain.asked_p99 is not None:
        bars.append(
            Bar("p99 that a durable answer adds, in p99 of fsync", (plain.asked_p99 - plain.p99) / found.fsync.p99, 3.0, at_least=False)
        )
    return bars


def of_metrics(microseconds: float) -> list[Bar]:
    """What observing costs."""
    return [Bar("microseconds a sample for metrics", microseconds, 3.0, at_least=False)]


def throughput_table(found: Mapping[str, Throughput]) -> Table:
    """One row a target."""
    columns = ("Samples/s", "Rounds", "p50, ms", "p99, ms", "CPU, us", "Core", "Over empty", "Over echo", "Both by CPU")
    shown = Table("Target", *columns, title="Throughput, wrk, 16 connections")
    for name, one in found.items():
        rounds = _range(one.rates)
        ratios = [f"{_over(found, name, base):.2f} x" for base in ("empty", "echo")]
        ratios.append(" ".join(f"{found[base].cpu / one.cpu:.2f} x" for base in ("empty", "echo")))
        shown.add_row(name, f"{one.rate:,.0f}", rounds, _ms(one.p50), _ms(one.p99), f"{1e6 * one.cpu:.0f}", f"{one.share:.0%}", *ratios)
    return shown


def batches_table(found: Batches) -> Table:
    """One row a side."""
    shown = Table("", "Samples/s", "Rounds", "CPU, us", "Core", "Over River", "By CPU", title="NDJSON batches of 1,000")
    for name, sides in found.sides.items():
        rates, cpu = [side.rate for side in sides], 1e6 * median(side.cpu for side in sides)
        ratio = found.ratio if name == "askwhen" else 1.0
        by_cpu = median(side.cpu for side in found.sides["River"]) * 1e6 / cpu
        shown.add_row(
            name, f"{median(rates):,.0f}", _range(rates), f"{cpu:.1f}", f"{found.shares[name]:.0%}", f"{ratio:.2f} x", f"{by_cpu:.2f} x"
        )
    return shown


def latency_table(found: Latency) -> Table:
    """One row a scenario; times in ms."""
    columns = ("p50", "p99", "p99.9", "p99 over empty", "p99 asked", "Happened", "Lag p99", "Waited")
    title = f"Latency of samples not asked, ms, at {found.rate:,.0f} arrivals a second"
    shown = Table("Scenario", *columns, title=title)
    empty = found.scenarios["empty"].p99
    for name, told in found.scenarios.items():
        times = (_ms(told.p50), _ms(told.p99), _ms(told.p999), f"{told.p99 / empty:.2f} x")
        asked = "" if told.asked_p99 is None else _ms(told.asked_p99)
        shown.add_row(name, *times, asked, f"{told.times or ''}", _ms(told.lag_p99), f"{told.waited:.0f}")
    return shown


def late(found: Latency) -> list[str]:
    """Why latencies are not to be trusted: the generator was late itself, or others had a part of the servers' core."""
    limit = _LATE * found.scenarios["empty"].p99
    doubts = [
        f"the generator itself was {_ms(told.lag_p99)} ms late at p99 ({name}); something else runs on its core"
        for name, told in found.scenarios.items()
        if told.lag_p99 > limit
    ]
    if found.foreign > 1 - _MOST:
        doubts.append(f"others had up to {found.foreign:.0%} of the server core while the baselines were measured")
    return doubts


def robbed(shares: Mapping[str, float]) -> list[str]:
    """Why rates are not to be trusted: a server was not kept busy, or did not have its core. Takes shares of a core by name."""
    return [
        f"{name} was at work for only {share:.0%} of the time; something else had a core, and only CPU times can be compared"
        for name, share in shares.items()
        if share < _MOST
    ]


def durable_line(found: Latency) -> str:
    """What a durable answer adds, beside fsync."""
    plain, disk = found.scenarios["askwhen"], found.fsync
    if plain.asked_p99 is None:
        return "nothing was asked"
    adds = plain.asked_p99 - plain.p99
    return (
        f"a question's durable answer adds {_ms(adds)} ms at p99; an append of 4 KiB with its fsync takes {_ms(disk.p50)} ms "
        f"(p99 {_ms(disk.p99)} ms): {adds / disk.p50:.1f} medians, {adds / disk.p99:.1f} p99s"
    )


def verdict_table(bars: Iterable[Bar]) -> Table:
    """One row a bar."""
    shown = Table("Bar", "Measured", "Wanted", "Verdict", title="Verdict")
    for bar in bars:
        wanted = f"{'>=' if bar.at_least else '<='} {bar.bound:.2f}"
        shown.add_row(bar.name, f"{bar.figure:.2f}", wanted, "[green]holds[/]" if bar.holds else "[bold red]missed[/]")
    return shown


def _over(found: Mapping[str, Throughput], name: str, base: str) -> float:
    """The median of the ratios round by round: what the machine did meanwhile is in both."""
    return median(one / other for one, other in zip(found[name].rates, found[base].rates, strict=True))


def _range(rates: Iterable[float]) -> str:
    ordered = sorted(rates)
    return f"{ordered[0]:,.0f} - {ordered[-1]:,.0f}"


def _ms(seconds: float) -> str:
    return f"{1_000 * seconds:.2f}"
