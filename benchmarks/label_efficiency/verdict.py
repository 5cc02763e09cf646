"""The bars, and whether they are reached. Figures come in; nothing is run here."""

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.label_efficiency.compare import Gain, Row
from benchmarks.label_efficiency.jobs import DEFAULT, RANDOM
from benchmarks.label_efficiency.peers import PEERS

_LEADS = {0.05: (0.035, 0.055, 0.045), 0.10: (0.025, 0.04, 0.025)}  # over the best peer, over random, at most below full supervision
_WORST = -0.005  # the lower bound of the gain over random, on every stream


class Bar(NamedTuple):
    """A bar, what was seen, and whether that is enough."""

    name: str
    wanted: str
    seen: str
    reached: bool


def leads(rows: Iterable[Row], share: float, ceiling: float) -> list[Bar]:
    """The bars on accuracy at a share; `ceiling` is full supervision's mean."""
    by_rule = {row.rule: row for row in rows}
    ours, peers = by_rule[DEFAULT], [row for rule, row in by_rule.items() if rule in PEERS]
    first = min(row.rank for row in by_rule.values() if row.rule == RANDOM or row.rule in PEERS or row.rule == DEFAULT)
    at = f"at {share:.0%} of the labels"
    bars = [Bar(f"average rank {at}", "best", f"{ours.rank:.2f} (best {first:.2f})", ours.rank <= first)]
    if share not in _LEADS:
        return bars
    over_peer, over_random, below_full = _LEADS[share]
    if peers:
        best = max(peers, key=lambda row: row.accuracy)
        bars.append(_at_least(f"over the best peer, {best.rule}, {at}", best.lead, over_peer))
    bars.append(_at_least(f"over random {at}", by_rule[RANDOM].lead, over_random))
    gap = ceiling - ours.accuracy
    bars.append(Bar(f"below full supervision {at}", f"<= {100 * below_full:.1f}", f"{100 * gap:+.2f}", gap <= below_full))
    return bars


def never_worse(gains: dict[tuple[int, float, str], Gain], delay: int, budgets: Iterable[float]) -> list[Bar]:
    """The bar on the gain over random on every stream."""
    bars = []
    for budget in budgets:
        lows = {stream: gain.low for (late, rate, stream), gain in gains.items() if (late, rate) == (delay, budget) and stream != "mean"}
        if lows:
            worst = min(lows, key=lambda stream: lows[stream])
            name = f"lower bound against random, budget {budget:.0%}, delay {delay}, every stream"
            bars.append(Bar(name, f"> {100 * _WORST:.1f}", f"{100 * lows[worst]:+.2f} ({worst})", lows[worst] > _WORST))
    return bars


def _at_least(name: str, seen: float, wanted: float) -> Bar:
    return Bar(name, f">= {100 * wanted:.1f}", f"{100 * seen:+.2f}", seen >= wanted)
