"""Proof that the serving state was the log's: transcripts, snapshots and the budget, recomputed from the log alone."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from service.adapters.snapshots import FileSnapshots
from service.adapters.sqlite import SqliteReader, database_of
from service.core.events import Asked, Checkpoint, Event
from service.core.learner import Learner
from service.core.rebuild import EVERYTHING, fold

_HAIR = 1e-6  # labels; what is due is a float


class Finding(NamedTuple):
    """What an audit says of one stream: how much was compared, and every contradiction."""

    stream: str
    events: int
    labels: int
    transcripts: int
    snapshots: int
    faults: list[str]


def verify(folder: Path) -> Iterator[Finding]:
    """Fold the log of every stream and compare; a running server is not disturbed."""
    reader = SqliteReader(database_of(folder))
    try:
        for stream in reader.streams():
            yield _Audit(reader, FileSnapshots(folder), stream).run()
    finally:
        reader.close()


class _Audit:
    def __init__(self, reader: SqliteReader, snapshots: FileSnapshots, stream: str) -> None:
        self._reader = reader
        self._stream = stream
        self._faults: list[str] = []
        self._events = 0
        self._checkpoints: dict[int, list[Checkpoint]] = defaultdict(list)
        for _, event in self._read(0, EVERYTHING):
            if isinstance(event, Checkpoint):
                self._checkpoints[event.through].append(event)
        self._snapshots = {
            learner.anchor: learner.fingerprint() for learner in snapshots.all(stream, lambda seq: reader.get(stream, [seq])[0])
        }
        self._compared = [0, 0]

    def _read(self, after: int, upto: int) -> Iterator[tuple[int, Event]]:
        return self._reader.read(self._stream, after, upto)

    def run(self) -> Finding:
        learner = fold(self._read, witness=self._witness)
        transcripts, snapshots = self._compared
        return Finding(self._stream, self._events, learner.labels, transcripts, snapshots, self._faults)

    def _witness(self, seq: int, event: Event, learner: Learner) -> None:
        self._events += 1
        if isinstance(event, Checkpoint):
            return
        for checkpoint in self._checkpoints.get(seq, ()):
            self._compared[0] += 1
            if checkpoint.transcript != learner.transcript:
                self._faults.append(f"run {checkpoint.run} served another state than the log gives at event {seq}")
        if seq in self._snapshots:
            self._compared[1] += 1
            if self._snapshots[seq] != learner.fingerprint():
                self._faults.append(f"the snapshot at event {seq} holds another state than the log gives")
        if isinstance(event, Asked):
            budget = learner.budget
            mark = event.mark
            due = mark.earned + mark.rate * (mark.seen - mark.since)
            if budget.asked - budget.given_back > due + budget.spec.burst + _HAIR:
                self._faults.append(f"event {seq} asked more than the budget allowed")
