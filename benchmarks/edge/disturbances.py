"""What goes on in a server while its answers are timed: snapshots of a forest, rebuilds of a long history, large batches.

Each works in a thread of the benchmark, behind the generator in priority, until it is told to stop, and says how often it happened:
a latency beside something that did not happen is worth nothing.
"""

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from benchmarks.edge import batches, workload
from benchmarks.edge.targets import Service, client, teach
from benchmarks.edge.wire import Connection, RefusedError, head_of, post, post_all

FOREST, HISTORY = "forest", "history"
BATCH_LINES = 10_000
_BEHIND = 10  # niceness: the generator goes first
_TRICKLE = 0.5  # seconds between labels of the forest: one for every look at whether a snapshot is due
_LEARNING = 0.05  # the same where what is watched is the learning
_LOOK = 0.1  # seconds between looks whether a rebuild or snapshot is over
_PATIENCE = 60.0  # seconds that a snapshot may take
_MOST_LABELS = 20_000  # labels after which a forest must be large enough
_STEP = 250  # labels of a forest between looks at its snapshot
_PAUSE = 0.002  # seconds between bad requests
_TEACHERS = 16  # connections

_serial = itertools.count()


class Scale(NamedTuple):
    """How large things are: bytes of the forest's snapshot, labels of the history."""

    forest: int
    history: int


class Disturbance(NamedTuple):
    """A name, what prepares a server for it, and what it does until the event is set: it gives how often it happened.

    `judged` is whether the bar speaks of it.
    """

    name: str
    prepare: Callable[[Service, Scale], None]
    run: Callable[[Service, threading.Event], int]
    judged: bool = True


class Times:
    """How often a disturbance happened."""

    def __init__(self) -> None:
        """Not yet."""
        self.count = 0


@contextlib.contextmanager
def disturbing(service: Service, disturbance: Disturbance) -> Iterator[Times]:
    """Disturb a server for as long as the body runs; what went wrong there is raised at its end."""
    stop, times, wrong = threading.Event(), Times(), list[Exception]()

    def work() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BEHIND)
        try:
            times.count = disturbance.run(service, stop)
        except Exception as error:  # noqa: BLE001 - it is raised where the benchmark looks
            wrong.append(error)

    thread = threading.Thread(target=work, name=disturbance.name)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()
    if wrong:
        raise wrong[0]


# Snapshots


def grow_forest(service: Service, scale: Scale) -> None:
    """Teach a forest until its snapshot is large enough."""
    labels = workload.samples(seed=3)
    with client(service.target) as http:
        http.put(f"/v1/streams/{FOREST}", json={"model": {"type": "adaptive-random-forest"}}).raise_for_status()
        for taught in range(0, _MOST_LABELS, _STEP):
            post_all(service.target, labels_of(service, FOREST, itertools.islice(labels, _STEP), taught), _TEACHERS)
            _wait_for_snapshot(http)
            if _largest(service.data) >= scale.forest:
                return
    message = f"after {_MOST_LABELS} labels the forest's snapshot has only {_largest(service.data)} bytes"
    raise RuntimeError(message)


def _wait_for_snapshot(http: httpx.Client) -> None:
    """Wait until the next snapshot is written; it may lag behind by the labels of one step."""
    before, until = written(http, FOREST), time.monotonic() + _PATIENCE
    while written(http, FOREST) < before + 1:
        if time.monotonic() > until:
            message = "no snapshot of the forest is written"
            raise RuntimeError(message)
        time.sleep(_LOOK)


def snapshots(service: Service, stop: threading.Event) -> int:
    """Let labels trickle into the forest; gives the number of snapshots that were written."""
    with client(service.target) as http:
        before = written(http, FOREST)
        learning(service, stop, _TRICKLE)
        return written(http, FOREST) - before


def learning(service: Service, stop: threading.Event, seconds: float = _LEARNING) -> int:
    """Teach the forest a label every so many seconds; gives their number."""
    labels, taught = workload.samples(seed=4), 0
    with client(service.target) as http:
        while not stop.wait(seconds):
            features, label = next(labels)
            teach(http, FOREST, f"trickle-{next(_serial)}", label, features)
            taught += 1
    return taught


def written(http: httpx.Client, stream: str) -> int:
    """How many snapshots of a stream were written since the start."""
    wanted = f'askwhen_snapshot_seconds_count{{stream="{stream}"}} '
    lines = http.get("/metrics").raise_for_status().text.splitlines()
    return next((int(float(line.removeprefix(wanted))) for line in lines if line.startswith(wanted)), 0)


def _largest(data: Path) -> int:
    return max((path.stat().st_size for path in (data / "snapshots" / FOREST).glob("*.snapshot")), default=0)


# Rebuilds


def teach_history(service: Service, scale: Scale) -> None:
    """Teach a stream many labels."""
    with client(service.target) as http:
        http.put(f"/v1/streams/{HISTORY}", json={"model": {"type": "logistic"}}).raise_for_status()
    post_all(service.target, labels_of(service, HISTORY, itertools.islice(workload.samples(seed=5), scale.history)), _TEACHERS)


def corrections(service: Service, stop: threading.Event) -> int:
    """Correct one of the first labels whenever no rebuild runs; gives the number of rebuilds that were begun."""
    begun = 0
    with client(service.target) as http:
        while not stop.wait(_LOOK):
            if not http.get(f"/v1/streams/{HISTORY}").raise_for_status().json()["summary"]["rebuilding"]:
                begun += _correct(http)
    return begun


def _correct(http: httpx.Client) -> bool:
    sample_id = f"{HISTORY}-{next(_serial)}"
    return any(teach(http, HISTORY, sample_id, label) == "corrected" for label in ("ok", "fraud"))


def labels_of(service: Service, stream: str, samples: Iterable[tuple[workload.Features, str]], first: int = 0) -> Iterator[bytes]:
    """Requests that teach labels whose samples are numbered from `first`."""
    head = head_of(service.target, f"/v1/streams/{stream}/labels")
    for number, (features, label) in enumerate(samples, first):
        body = {"sample_id": f"{stream}-{number}", "label": label, "labeler": "bench", "features": features}
        yield post(head, workload.encoded(body).encode())


# Batches


def make_bulk(service: Service, _: Scale) -> None:
    """Make the stream that batches go to."""
    batches.make_stream(service)


def large_batches(service: Service, stop: threading.Event) -> int:
    """Send one large batch after the other; gives their number."""
    connection, sent = Connection(service.target), 0
    with contextlib.closing(connection):
        while not stop.is_set():
            batches.check(connection.exchange(batches.request(service.target, BATCH_LINES)), BATCH_LINES)
            sent += 1
    return sent


# Bad requests


_BAD = (
    (422, b'{"features": {"x": 1e999}}'),
    (422, b'{"features": {"x": 1, "x": 2}}'),
    (422, b'{"features":' + b"[" * 1_000 + b"]" * 1_000 + b"}"),
    (422, b'{"features": {"x": "' + b":" * 50_000 + b'"}, "fields": 1}'),
    (422, b"\xff" * 10_000),
    (413, b" " * 2_000_000),
)


def nothing(_service: Service, _scale: Scale) -> None:
    """Nothing has to be prepared."""


def bad_requests(service: Service, stop: threading.Event) -> int:
    """Send one bad request after the other, some hundreds a second; gives their number. Raises where one is taken."""
    head, connection, sent = head_of(service.target, urlsplit(service.target.samples).path), Connection(service.target), 0
    with contextlib.closing(connection):
        while not stop.wait(_PAUSE):
            status, body = _BAD[sent % len(_BAD)]
            try:
                connection.exchange(post(head, body))
            except RefusedError as refused:
                if refused.status != status:
                    raise
            else:
                message = "a bad request was taken"
                raise RuntimeError(message)
            sent += 1
    return sent


SNAPSHOTS = Disturbance("a forest is snapshotted", grow_forest, snapshots)
LEARNING = Disturbance("a forest learns 20 labels a second", nothing, learning, judged=False)
REPLAY = Disturbance("a correction is replayed", teach_history, corrections)
BATCHES = Disturbance("10,000-line batches come in", make_bulk, large_batches)
REFUSALS = Disturbance("bad requests pour in", nothing, bad_requests)
