"""Snapshots as files: a header line of JSON that says what wrote them, then the frozen state. A cache; the log is the truth.

Whatever does not fit (another River or Python, a torn file, a log that was restored from elsewhere) counts as absent.
"""

import hashlib
import os
import pickle
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec

from service import __version__
from service.core.errors import AskwhenError
from service.core.events import Event, encode
from service.core.freezer import freeze, thaw
from service.core.learner import Learner

_FORMAT = 1
_KEPT = 2  # snapshots a stream

EventAt = Callable[[int], Event | None]


class Header(msgspec.Struct, frozen=True):
    """What a snapshot says of itself; `anchor` is the hash of the log's event that it stands at."""

    format: int
    askwhen: str
    river: str
    python: str
    seq: int
    anchor: str
    sha256: str


class FileSnapshots:
    """The snapshots of a data folder."""

    def __init__(self, folder: Path) -> None:
        """Keep them below the data folder."""
        self._folder = folder / "snapshots"

    def load(self, stream: str, event_at: EventAt) -> Learner | None:
        """The newest snapshot that fits, or None."""
        for path in reversed(self.paths(stream)):
            learner = _load(path, event_at)
            if learner is not None:
                return learner
        return None

    def all(self, stream: str, event_at: EventAt) -> Iterator[Learner]:
        """Every snapshot of a stream that fits, oldest first."""
        for path in self.paths(stream):
            learner = _load(path, event_at)
            if learner is not None:
                yield learner

    def save(self, stream: str, learner: Learner, event_at: EventAt) -> None:
        """Write a snapshot, anchored at the last event that no checkpoint replaces; older ones beyond two are removed."""
        event = event_at(learner.anchor)
        if event is None:
            return
        folder = self._folder / stream
        folder.mkdir(parents=True, exist_ok=True)
        state = freeze(learner.learned())
        header = _header(learner.anchor, event, state)
        path = folder / f"{learner.anchor:020d}.snapshot"
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(header) + b"\n" + state)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        for old in self.paths(stream)[:-_KEPT]:
            old.unlink(missing_ok=True)

    def drop(self, stream: str) -> None:
        """Remove a stream's snapshots."""
        for path in self.paths(stream):
            path.unlink(missing_ok=True)

    def paths(self, stream: str) -> list[Path]:
        """A stream's snapshots, oldest first."""
        return sorted((self._folder / stream).glob("*.snapshot"))


def _load(path: Path, event_at: EventAt) -> Learner | None:
    try:
        first, _, state = path.read_bytes().partition(b"\n")
        header = msgspec.json.decode(first, type=Header)
        event = event_at(header.seq)
        # The format says whether this askwhen can read it; which one wrote it is for people to know.
        expected = msgspec.structs.replace(_header(header.seq, event, state), askwhen=header.askwhen) if event is not None else None
        if header != expected:
            return None
        return Learner.of(thaw(state))
    except (
        OSError,
        msgspec.MsgspecError,
        pickle.UnpicklingError,
        AskwhenError,
        AttributeError,
        ImportError,
        KeyError,
        TypeError,
        ValueError,
    ):
        return None


def _header(seq: int, event: Event, state: bytes) -> Header:
    anchor = hashlib.sha256(encode(event)).hexdigest()
    return Header(_FORMAT, __version__, version("river"), platform.python_version(), seq, anchor, hashlib.sha256(state).hexdigest())
