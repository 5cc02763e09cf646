"""The other process: it folds the log beside the server, keeps snapshots and rebuilds models. No HTTP, no loop, no decisions.

Every job opens the folder anew and keeps nothing in memory, so that a hundred streams cost the second process nothing.
"""

from collections.abc import Iterable
from pathlib import Path

from service.adapters import embedder
from service.adapters.snapshots import FileSnapshots
from service.adapters.sqlite import SqliteReader, database_of
from service.core.freezer import freeze
from service.core.learner import Learner
from service.core.rebuild import Located, fold, rebuild_of, swift


def load(reader: SqliteReader, snapshots: FileSnapshots, stream: str) -> Learner:
    """A stream's learner: its snapshot, where there is one that fits, and what the log has after it."""
    embedder.offer()
    snapshot = snapshots.load(stream, reader)

    def read(after: int, upto: int) -> Iterable[Located]:
        return reader.read(stream, after, upto)

    learner = swift(read) if snapshot is None else fold(read, snapshot)
    learner.resume()
    return learner


def snapshot(folder: str, stream: str) -> int:
    """Fold a stream's log and keep a snapshot; gives the position that it stands at.

    A fold that saw an erasure come may have read what was erased before: nothing is kept then.
    """
    reader = SqliteReader(database_of(Path(folder)))
    try:
        snapshots = FileSnapshots(Path(folder))
        erased = reader.erased(stream)
        learner = load(reader, snapshots, stream)
        if reader.erased(stream) == erased:
            snapshots.save(stream, learner, reader)
        return learner.anchor
    finally:
        reader.close()


def rebuild(folder: str, stream: str, superseded: dict[int, int], through: int) -> bytes:
    """The frozen model without what was superseded up to `through`, taught all answers up to there."""
    embedder.offer()
    reader = SqliteReader(database_of(Path(folder)))
    try:
        return freeze(rebuild_of(superseded, lambda after, upto: reader.read(stream, after, upto), through, through))
    finally:
        reader.close()
