"""How much memory a server with a hundred streams holds, and whether it stays there under load. Everything goes over loopback HTTP.

The fill makes the streams, sends more ids than are remembered and answers every question. Then a bounded load goes on while resident
memory is sampled; the verdict is its growth over the last half, by a straight line through the samples. The workshop, a process of its
own, is reported apart.
"""

import argparse
import http.client
import itertools
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Any, NamedTuple

from loadtest.server import Server, serving

STREAMS = 100
REMEMBERED = 100_000  # a server's default
FILL = 110_000  # samples, so that the oldest ids are being forgotten already
POOLED = 1_000  # unasked samples a stream, so that pools are full after the fill; half of the default
FEATURES = 9
CLIENTS = 4
PERIOD = 2.0  # seconds between looks
SETTLING = 30.0  # seconds of load before the first look that counts
MOST = 0.02  # growth of the last half
MIB = 1_048_576


class Client:
    """One connection that posts orders and answers what is asked about them."""

    def __init__(self, server: Server, seed: int, numbers: Iterator[int]) -> None:
        """Connect; ids come from `numbers`."""
        self._http = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30.0)
        self._rng = random.Random(seed)
        self._numbers = numbers

    def order(self) -> None:
        """Post one order to the stream whose turn it is, and its label if that is asked for."""
        number = next(self._numbers)
        stream = f"/v1/streams/shop-{number % STREAMS}"
        features = {f"x{index}": self._rng.gauss() for index in range(FEATURES)}
        answer = self.send("POST", f"{stream}/samples", {"id": f"order-{number}", "features": features})
        if answer["query"]["ask"]:
            label = features["x0"] + features["x1"] > 0
            self.send("POST", f"{stream}/labels", {"sample_id": answer["id"], "label": label, "labeler": "driver"})

    def send(self, method: str, path: str, body: Any) -> Any:
        """Send JSON, get JSON; raises `RuntimeError` on any error."""
        self._http.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            message = f"{method} {path} got {answer.status}: {content.decode()}"
            raise RuntimeError(message)
        return json.loads(content)


class Look(NamedTuple):
    """Resident memory in bytes, `at` so many seconds."""

    at: float
    server: int
    workshop: int


def resident(pid: int) -> int:
    """A process's resident memory in bytes; 0 if it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")), 0)


def look(server: Server, started: float) -> Look:
    """Resident memory now; the workshop is the largest of the server's children, if there is one yet."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return Look(time.monotonic() - started, resident(pid), max((resident(int(child)) for child in children), default=0))


def fill(clients: Sequence[Client]) -> None:
    """Make the streams and send all of the fill's orders, as fast as they are taken."""
    for index in range(STREAMS):
        config = {"model": {"type": "logistic"}, "classes": [True, False], "pool": {"size": POOLED}}
        clients[0].send("PUT", f"/v1/streams/shop-{index}", config)
    share = FILL // len(clients)

    def work(client: Client) -> None:
        for _ in range(share):
            client.order()

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(work, clients))


def load(server: Server, clients: Sequence[Client], seconds: float, rate: float) -> list[Look]:
    """Send `rate` orders a second for so long; gives what was seen meanwhile."""
    started = time.monotonic()
    over = threading.Event()

    def work(client: Client) -> None:
        for sent in itertools.count():
            if over.wait(max(0.0, started + sent * len(clients) / rate - time.monotonic())):
                return
            client.order()

    def watch() -> list[Look]:
        looks = []
        while time.monotonic() - started < seconds:
            time.sleep(PERIOD)
            looks.append(look(server, started))
        return looks

    with ThreadPoolExecutor(len(clients)) as pool:
        working = [pool.submit(work, client) for client in clients]
        try:
            looks = watch()
        finally:
            over.set()
        for work_done in working:
            work_done.result()
    return looks


def growth(looks: Sequence[Look]) -> tuple[float, float]:
    """The server's growth over the last half: as a share of its memory, and in bytes an hour."""
    half = [seen for seen in looks if seen.at >= (looks[0].at + looks[-1].at) / 2]
    slope = linear_regression([seen.at for seen in half], [seen.server for seen in half]).slope
    return slope * (half[-1].at - half[0].at) / fmean(seen.server for seen in half), slope * 3_600


def report(filled: Look, idle: int, looks: Sequence[Look], sent: tuple[int, int], rate: float) -> bool:
    """Print the figures; gives the verdict."""
    share, hourly = growth(looks)
    for name, size in (("empty server", idle), (f"{STREAMS} streams, {REMEMBERED:,} ids", filled.server)):
        print(f"{name:34} {size / MIB:8.1f} MiB")
    print(f"{'after the load':34} {looks[-1].server / MIB:8.1f} MiB")
    print(f"{'workshop process, at most':34} {max(seen.workshop for seen in looks) / MIB:8.1f} MiB")
    print(f"load: {rate:g} samples/s for {looks[-1].at:.0f} s, {sent[0]:,} samples and {sent[1]:,} labels in all")
    for seen in looks[:: max(1, len(looks) // 12)]:
        print(f"  {seen.at:6.0f} s   server {seen.server / MIB:8.1f} MiB   workshop {seen.workshop / MIB:8.1f} MiB")
    flat = share < MOST
    print(f"growth over the last half: {share:+.2%} ({hourly / MIB:+.1f} MiB/h), bar {MOST:.0%}: {'flat' if flat else 'NOT FLAT'}")
    return flat


def totals(client: Client) -> tuple[int, int]:
    """Samples seen and labels learned, over all streams."""
    summaries = [entry["summary"] for entry in client.send("GET", "/v1/streams", None)["streams"]]
    return sum(summary["seen"] for summary in summaries), sum(summary["taught"] for summary in summaries)


def main() -> int:
    """Fill, load, report; 0 if memory stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the load")
    parser.add_argument("--rate", type=float, default=200.0, help="samples a second")
    parser.add_argument("--short", action="store_true", help="60 seconds")
    arguments = parser.parse_args()
    seconds = 60.0 if arguments.short else arguments.seconds
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "data") as server:
        idle = look(server, time.monotonic()).server
        numbers = itertools.count()
        clients = [Client(server, seed, numbers) for seed in range(CLIENTS)]
        fill(clients)
        filled = look(server, time.monotonic())
        load(server, clients, SETTLING, arguments.rate)
        looks = load(server, clients, seconds, arguments.rate)
        flat = report(filled, idle, looks, totals(clients[0]), arguments.rate)
    return 0 if flat else 1


if __name__ == "__main__":
    raise SystemExit(main())
