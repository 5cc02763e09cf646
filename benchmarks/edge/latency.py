"""Latencies at a constant arrival rate, in interleaved rounds: an empty endpoint, and the service at rest and while it is disturbed."""

import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec

from benchmarks.edge import processes
from benchmarks.edge.arrivals import Arrivals, Spread, arrive
from benchmarks.edge.disturbances import Disturbance, disturbing
from benchmarks.edge.durable import Fsync, fsync, middle
from benchmarks.edge.targets import SERVER_CORE, Service, Target

_QUIET = 0.05  # share of a core below which a server counts as at rest
_LOOK = 0.25  # seconds between looks
_SETTLING = 30.0  # seconds that a server may take to come to rest


class Scenario(NamedTuple):
    """A server, what goes on in it, and the core of its other process."""

    name: str
    service: Service
    disturbance: Disturbance | None
    workshop: int = SERVER_CORE


class Told(msgspec.Struct, frozen=True):
    """Medians over the rounds of one scenario.

    `waited` counts arrivals that found no free connection, `times` how often the disturbance happened in all rounds; `judged` is
    whether the bar speaks of this scenario.
    """

    p50: float
    p99: float
    p999: float
    asked_p99: float | None
    lag_p99: float
    waited: float
    times: int
    judged: bool


class Found(msgspec.Struct, frozen=True):
    """All scenarios by name, those of the baselines first, at this rate; and fsync in between.

    `foreign` is the largest share of the server core that others had while a baseline was measured.
    """

    rate: float
    scenarios: dict[str, Told]
    fsync: Fsync
    foreign: float


def measure(baselines: Sequence[Target], scenarios: Sequence[Scenario], rate: float, rounds: int, seconds: float) -> Found:
    """Run every baseline and scenario once a round."""
    found: dict[str, list[tuple[Arrivals, int]]] = defaultdict(list)
    disk: list[Fsync] = []
    foreign: list[float] = []
    for number in range(rounds):
        disk.append(fsync(scenarios[0].service.data))
        for target in baselines:
            before, started = _others(target), time.monotonic()
            found[target.name].append((arrive(target, rate, seconds, number), 0))
            foreign.append((_others(target) - before) / (time.monotonic() - started))
        for scenario in scenarios:
            found[scenario.name].append(_round(scenario, rate, seconds, number))
            _come_to_rest(scenario.service)
    judged = {
        scenario.name
        for scenario in scenarios
        if scenario.workshop == SERVER_CORE and (scenario.disturbance is None or scenario.disturbance.judged)
    }
    return Found(rate, {name: _told(several, judged=name in judged) for name, several in found.items()}, middle(disk), max(foreign))


def _others(target: Target) -> float:
    """CPU seconds of the server core that were not this target's."""
    return processes.busy(SERVER_CORE) - processes.used(target.process)


def _round(scenario: Scenario, rate: float, seconds: float, seed: int) -> tuple[Arrivals, int]:
    service = scenario.service
    processes.move(service.target.process, scenario.workshop)
    if scenario.disturbance is None:
        return arrive(service.target, rate, seconds, seed), 0
    with disturbing(service, scenario.disturbance) as times:
        found = arrive(service.target, rate, seconds, seed)
    return found, times.count


def _told(rounds: Sequence[tuple[Arrivals, int]], *, judged: bool) -> Told:
    spreads: list[Spread] = [found.not_asked for found, _ in rounds]
    asked = [found.asked.p99 for found, _ in rounds if found.asked is not None]
    return Told(
        median(one.p50 for one in spreads),
        median(one.p99 for one in spreads),
        median(one.p999 for one in spreads),
        median(asked) if asked else None,
        median(found.lag.p99 for found, _ in rounds),
        median(found.waited for found, _ in rounds),
        sum(times for _, times in rounds),
        judged,
    )


def _come_to_rest(service: Service) -> None:
    """Wait until a server and what it started have nothing left to do, so that one round is none of the next one's business."""
    until = time.monotonic() + _SETTLING
    before = processes.used(service.target.process)
    while time.monotonic() < until:
        time.sleep(_LOOK)
        now = processes.used(service.target.process)
        if now - before < _QUIET * _LOOK:
            return
        before = now
