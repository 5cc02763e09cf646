"""Many samples or labels as requests of newline-delimited JSON, and the answers line by line. Nothing is sent here."""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from service.client.calls import NDJSON, Call, batch_path, encoded, new_id
from service.client.values import Decision, Label, Outcome, Problem, Sample

T = TypeVar("T")

MOST_LINES = 10_000
_MOST_BYTES = 8 * 2**20  # of a request, half of what the server takes


class Batch(Generic[T]):
    """Collects lines, and makes a request of as many as go together."""

    def __init__(self, path: str, answer: type[T], chunk: int) -> None:
        """Expect one answer of that type a line; raises `ValueError` for a chunk that no request can have."""
        if not 1 <= chunk <= MOST_LINES:
            raise ValueError(f"a chunk has 1 to {MOST_LINES:,} lines, not {chunk:,}")
        self._path = path
        self._chunk = chunk
        self._answer = msgspec.json.Decoder(answer)
        self._lines: list[bytes] = []
        self._size = 0  # bytes

    def add(self, line: bytes) -> Iterator[Call[list[T | Problem]]]:
        """Take a line in; gives the requests that are complete by it."""
        if self._size + len(line) > _MOST_BYTES:
            yield from self.rest()
        self._lines.append(line)
        self._size += len(line) + 1
        if len(self._lines) == self._chunk:
            yield from self.rest()

    def rest(self) -> Iterator[Call[list[T | Problem]]]:
        """The request of what is left, if anything is."""
        if self._lines:
            lines, self._lines, self._size = self._lines, [], 0
            yield self._call(lines)

    def _call(self, lines: list[bytes]) -> Call[list[T | Problem]]:
        def read(body: bytes) -> list[T | Problem]:
            answers = [self._read(line) for line in body.splitlines() if line.strip()]
            if len(answers) != len(lines):
                raise msgspec.ValidationError(f"{len(answers)} answers to {len(lines)} lines")
            return answers

        return Call("POST", self._path, read, b"\n".join(lines) + b"\n", {"Content-Type": NDJSON})

    def _read(self, line: bytes) -> T | Problem:
        try:
            return self._answer.decode(line)
        except msgspec.ValidationError:
            return msgspec.json.decode(line, type=Problem)


def samples(stream: str, chunk: int) -> Batch[Decision]:
    """A batch of samples."""
    return Batch(batch_path(stream, "samples"), Decision, chunk)


def labels(stream: str, chunk: int) -> Batch[Outcome]:
    """A batch of labels."""
    return Batch(batch_path(stream, "labels"), Outcome, chunk)


def sample_line(sample: Sample | Mapping[str, Any]) -> bytes:
    """A sample as a line; without an id it gets one, so that it counts once however often it is sent."""
    if isinstance(sample, Sample):
        return encoded(sample if sample.id is not None else msgspec.structs.replace(sample, id=new_id()))
    line = dict(sample)
    return encoded(line if line.get("id") is not None else line | {"id": new_id()})


def label_line(label: Label | Mapping[str, Any]) -> bytes:
    """An answer as a line."""
    return encoded(label if isinstance(label, Label) else dict(label))
