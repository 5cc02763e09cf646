"""Snapshots as files: a header line of JSON that says what wrote them, then the frozen state. A cache; the log is the truth.

Whatever does not fit (another River or Python, a torn file, a log that was restored from elsewhere) counts as absent, and so does what
stands before the last erasure of its stream: it may hold what was erased.
"""

import hashlib
import os
import pickle
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import msgspec

from service import __version__
from service.core.errors import AskwhenError
from service.core.events import Event, encode
from service.core.freezer import freeze, thaw
from service.core.learner import Learner

_FORMAT = 1
_KEPT = 2  # snapshots a stream


class Source(Protocol):
    """The log that snapshots are of."""

    def get(self, stream: str, positions: Sequence[int]) -> list[Event | None]:
        """The events at these positions."""
        ...

    def erased(self, stream: str) -> int:
        """The position of a stream's last erasure."""
        ...


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

    def load(self, stream: str, log: Source) -> Learner | None:
        """The newest snapshot that fits, or None."""
        erased = log.erased(stream)
        fitting = (_load(path, stream, log, erased) for path in reversed(self.paths(stream)))
        return next((learner for learner in fitting if learner is not None), None)

    def all(self, stream: str, log: Source) -> Iterator[Learner]:
        """Every snapshot of a stream that fits, oldest first."""
        erased = log.erased(stream)
        fitting = (_load(path, stream, log, erased) for path in self.paths(stream))
        return (learner for learner in fitting if learner is not None)

    def save(self, stream: str, learner: Learner, log: Source) -> None:
        """Write a snapshot, anchored at the last event that no checkpoint replaces; older ones beyond two are removed."""
        (event,) = log.get(stream, [learner.anchor])
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

    def drop(self, stream: str, before: int) -> None:
        """Remove a stream's snapshots from before a position, and what a crash left half written."""
        for path in [*self.paths(stream), *(self._folder / stream).glob("*.new")]:
            if path.suffix == ".new" or int(path.stem) < before:
                path.unlink(missing_ok=True)

    def tidy(self, erased: Mapping[str, int]) -> None:
        """Remove what a crash left: snapshots from before the last erasure of these streams, and those of any other stream."""
        for folder in self._folder.glob("*/"):
            if folder.name in erased:
                self.drop(folder.name, erased[folder.name])
            else:
                shutil.rmtree(folder)

    def paths(self, stream: str) -> list[Path]:
        """A stream's snapshots, oldest first."""
        return sorted((self._folder / stream).glob("*.snapshot"))


def _load(path: Path, stream: str, log: Source, erased: int) -> Learner | None:
    try:
        first, _, state = path.read_bytes().partition(b"\n")
        header = msgspec.json.decode(first, type=Header)
        (event,) = log.get(stream, [header.seq])
        # The format says whether this askwhen can read it; which one wrote it is for people to know.
        expected = msgspec.structs.replace(_header(header.seq, event, state), askwhen=header.askwhen) if event is not None else None
        if header != expected or header.seq < erased:
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
