"""Proof that the serving state was the log's: transcripts, snapshots and the budget, recomputed from the log alone."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from service.adapters import embedder
from service.adapters.snapshots import FileSnapshots
from service.adapters.sqlite import SqliteReader, database_of
from service.core.events import Asked, Checkpoint, Event
from service.core.learner import Learner
from service.core.rebuild import EVERYTHING, fold

_HAIR = 1e-6  # labels; what is due is a float
_TRIES = 10  # audits of a stream in which something is erased meanwhile


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
    embedder.offer()
    reader = SqliteReader(database_of(folder))
    try:
        for stream in reader.streams():
            yield _undisturbed(reader, FileSnapshots(folder), stream)
    finally:
        reader.close()


def _undisturbed(reader: SqliteReader, snapshots: FileSnapshots, stream: str) -> Finding:
    """Audit a stream, anew where an erasure came in between: the log is not the one then that was begun with."""
    erased = reader.erased(stream)
    finding = _Audit(reader, snapshots, stream).run()
    for _ in range(_TRIES):
        before, erased = erased, reader.erased(stream)
        if erased == before:
            break
        finding = _Audit(reader, snapshots, stream).run()
    return finding


class _Audit:
    def __init__(self, reader: SqliteReader, snapshots: FileSnapshots, stream: str) -> None:
        self._reader = reader
        self._stream = stream
        self._faults: list[str] = []
        self._unproven: list[str] = []  # what transcripts say otherwise
        self._events = 0
        self._checkpoints: dict[int, list[Checkpoint]] = defaultdict(list)
        for _, event in self._read(0, EVERYTHING):
            if isinstance(event, Checkpoint):
                self._checkpoints[event.through].append(event)
        self._snapshots = {learner.anchor: learner.fingerprint() for learner in snapshots.all(stream, reader)}
        self._compared = [0, 0]

    def _read(self, after: int, upto: int) -> Iterator[tuple[int, Event]]:
        return self._reader.read(self._stream, after, upto)

    def run(self) -> Finding:
        learner = fold(self._read, witness=self._witness)
        transcripts, snapshots = self._compared
        return Finding(self._stream, self._events, learner.labels, transcripts, snapshots, self._unproven + self._faults)

    def _witness(self, seq: int, event: Event, learner: Learner) -> None:
        self._events += 1
        if isinstance(event, Checkpoint):
            return
        self._compare_transcripts(seq, learner)
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

    def _compare_transcripts(self, seq: int, learner: Learner) -> None:
        if learner.unswapped == seq:  # what was served so far cannot be told any more
            self._compared[0], self._unproven = 0, []
        for checkpoint in self._checkpoints.get(seq, ()):
            self._compared[0] += bool(learner.transcript)
            if checkpoint.transcript != learner.transcript:
                self._unproven.append(f"run {checkpoint.run} served another state than the log gives at event {seq}")
