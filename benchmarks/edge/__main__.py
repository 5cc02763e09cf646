"""The speed of the HTTP edge against its bars: `python -m benchmarks.edge [--short] [--report-only] [--only PART ...] [--json FILE]`.

One core serves, the other loads; all targets are measured in turn in one run, figures are medians of rounds, and what is judged are
ratios. Exits 1 where a bar is missed, and 2, without a verdict, where something else had the cores meanwhile.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from benchmarks.edge import batches, disturbances, latency, observing, throughput, verdict
from benchmarks.edge.targets import LOAD_CORE, STREAM, Service, Target, askwhen, baseline, client, make_stream, stay_on
from benchmarks.parallel import pin_hash_seed

_OFTEN = {"ASKWHEN_SNAPSHOT_SECONDS": "0.5"}  # one server writes snapshots as often as it looks, the others as they do by default
_WIDTH = 150  # columns of the tables in a file


class Extent(NamedTuple):
    """How long and how large a run is; times in seconds."""

    rounds: int
    load: int
    arrivals: float
    batch: float
    two_cores: bool
    scale: disturbances.Scale


FULL = Extent(5, 10, 10.0, 5.0, True, disturbances.Scale(5_000_000, 50_000))
SHORT = Extent(3, 2, 2.0, 1.0, False, disturbances.Scale(1_000_000, 5_000))


class Bench:
    """One run: what was found, the bars, and what had to be left out."""

    def __init__(self, extent: Extent, folder: Path, console: Console) -> None:
        """Begin with nothing found."""
        self.extent = extent
        self.folder = folder
        self.console = console
        self.bars: list[verdict.Bar] = []
        self.doubts: list[str] = []
        self.found: dict[str, Any] = {}

    def load(self) -> None:
        """Every target with wrk."""
        with baseline("empty") as empty, baseline("echo") as echo, self._serving("throughput") as service:
            found = throughput.measure([empty, echo, service.target], self.extent.rounds, self.extent.load)
            asked = f"asked: {_asked_share(service.target):.1%} of all samples"
        self.console.print(verdict.throughput_table(found), asked, sep="\n")
        doubts = verdict.robbed({name: one.share for name, one in found.items()})
        self._keep("throughput", found, verdict.of_throughput(found), doubts)

    def in_batches(self) -> None:
        """NDJSON against River's loop."""
        with self._serving("batches") as service:
            try:
                batches.make_stream(service)
            except batches.NotTakenError as error:
                self.console.print(f"[yellow]batches left out: {error}")
                return
            found = batches.measure(service, self.extent.rounds, self.extent.batch)
        self.console.print(verdict.batches_table(found))
        self._keep("batches", found, verdict.of_batches(found), verdict.robbed(found.shares))

    def arrivals(self) -> None:
        """A constant arrival rate, at half of what the empty endpoint takes."""
        with (
            baseline("empty") as empty,
            baseline("echo") as echo,
            self._serving("plain") as plain,
            self._serving("often", **_OFTEN) as often,
        ):
            scenarios = list(self._scenarios(plain, often))
            most = throughput.measure([empty], self.extent.rounds, self.extent.load)["empty"].rate
            found = latency.measure([empty, echo], scenarios, most / 2, self.extent.rounds, self.extent.arrivals)
        self.console.print(verdict.latency_table(found), verdict.durable_line(found), sep="\n")
        self._keep("latency", found, verdict.of_latency(found), verdict.late(found))

    def observe(self) -> None:
        """The observer alone."""
        found = observing.microseconds(self.extent.rounds)
        self.console.print(f"metrics cost {found:.2f} us a sample")
        self._keep("metrics", found, verdict.of_metrics(found))

    def _scenarios(self, plain: Service, often: Service) -> Iterator[latency.Scenario]:
        """The service at rest and disturbed, where it can be; last with its other process on the other core."""
        yield latency.Scenario("askwhen", plain, None)
        several = [
            (often, disturbances.SNAPSHOTS),
            (often, disturbances.LEARNING),
            (plain, disturbances.REPLAY),
            (plain, disturbances.BATCHES),
            (plain, disturbances.REFUSALS),
        ]
        for service, disturbance in several:
            self.console.print(f"preparing: {disturbance.name}")
            try:
                disturbance.prepare(service, self.extent.scale)
            except batches.NotTakenError as error:
                self.console.print(f"[yellow]left out: {disturbance.name}: {error}")
                continue
            yield latency.Scenario(f"askwhen while {disturbance.name}", service, disturbance)
        for service, disturbance in (several[0], several[2]) if self.extent.two_cores else []:
            yield latency.Scenario(f"the same with two cores, while {disturbance.name}", service, disturbance, LOAD_CORE)

    @contextlib.contextmanager
    def _serving(self, name: str, **settings: str) -> Iterator[Service]:
        """A service with the stream that is measured, on a data folder of its own."""
        with askwhen(self.folder / name, settings) as service:
            with client(service.target) as http:
                make_stream(http, STREAM, {})
            yield service

    def _keep(self, part: str, found: object, bars: list[verdict.Bar], doubts: Sequence[str] = ()) -> None:
        self.found[part] = msgspec.to_builtins(found)
        self.bars += bars
        self.doubts += doubts
        for doubt in doubts:
            self.console.print(f"[yellow]doubtful: {doubt}")


PARTS: dict[str, Callable[[Bench], None]] = {
    "throughput": Bench.load,
    "batches": Bench.in_batches,
    "latency": Bench.arrivals,
    "metrics": Bench.observe,
}


def _asked_share(target: Target) -> float:
    with client(target) as http:
        summary = http.get(f"/v1/streams/{STREAM}").raise_for_status().json()["summary"]
    return float(summary["asked"] / summary["seen"])


def main() -> int:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer and shorter rounds, a smaller forest and history")
    parser.add_argument("--report-only", action="store_true", help="judge nothing: exit 0 whatever the figures are")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--folder", type=Path, help="where data folders go, on the disk that is to be measured")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pin_hash_seed()
    stay_on(LOAD_CORE)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench = Bench(SHORT if options.short else FULL, Path(folder), console)
        for part in options.only:
            PARTS[part](bench)
    console.print(verdict.verdict_table(bench.bars))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(bench.found), indent=1) + b"\n")
    if options.report_only:
        return 0
    return 2 if bench.doubts else int(not all(bar.holds for bar in bench.bars))


if __name__ == "__main__":
    raise SystemExit(main())
