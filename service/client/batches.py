"""Many samples or labels as requests of newline-delimited JSON, and the answers line by line. Nothing is sent here.

A line that the server was short of something for is asked about again: its call raises `Unfinished` with the one that does so.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from service.client.calls import NDJSON, Call, Unfinished, batch_path, encoded, new_id
from service.client.errors import is_busy
from service.client.values import Decision, Label, Outcome, Problem, Sample

T = TypeVar("T")

_Told = Sequence[tuple[T | Problem, ...]]  # a line's answers, the last one last

MOST_LINES = 10_000
_MOST_BYTES = 8 * 2**20  # of a request, half of what the server takes


class Batch(Generic[T]):
    """Collects lines, and makes a request of as many as go together."""

    def __init__(self, path: str, answer: type[T], chunk: int, *, in_order: bool) -> None:
        """Expect one answer of that type a line; raises `ValueError` for a chunk that no request can have.

        `in_order`: what follows a line that is sent again is sent again too, for what it means may hang on that line.
        """
        if not 1 <= chunk <= MOST_LINES:
            raise ValueError(f"a chunk has 1 to {MOST_LINES:,} lines, not {chunk:,}")
        self._path = path
        self._chunk = chunk
        self._in_order = in_order
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
            yield self._call(lines, [()] * len(lines), range(len(lines)))

    def _call(self, lines: list[bytes], told: _Told[T], places: Sequence[int]) -> Call[list[T | Problem]]:
        """The request of the lines at these places, when that was told of every line before."""

        def read(body: bytes) -> list[T | Problem]:
            came = dict(zip(places, self._answers(body, len(places)), strict=True))
            now = [(*before, came[place]) if place in came else before for place, before in enumerate(told)]
            answers = [_standing(each) for each in now]
            busy = {place: answer for place in places if is_busy(answer := answers[place])}
            if busy:
                again = range(min(busy), len(lines)) if self._in_order else list(busy)
                raise Unfinished(busy[again[0]], answers, self._call(lines, now, again))
            return answers

        content = b"".join(lines[place] + b"\n" for place in places)
        return Call("POST", self._path, read, content, {"Content-Type": NDJSON})

    def _answers(self, body: bytes, count: int) -> list[T | Problem]:
        answers = [self._read(line) for line in body.splitlines() if line.strip()]
        if len(answers) != count:
            raise msgspec.ValidationError(f"{len(answers)} answers to {count} lines")
        return answers

    def _read(self, line: bytes) -> T | Problem:
        try:
            return self._answer.decode(line)
        except msgspec.ValidationError:
            return msgspec.json.decode(line, type=Problem)


def samples(stream: str, chunk: int) -> Batch[Decision]:
    """A batch of samples."""
    return Batch(batch_path(stream, "samples"), Decision, chunk, in_order=False)


def labels(stream: str, chunk: int) -> Batch[Outcome]:
    """A batch of labels. Another label of the same sample, or one that needs the features of an earlier line, may follow in it."""
    return Batch(batch_path(stream, "labels"), Outcome, chunk, in_order=True)


def sample_line(sample: Sample | Mapping[str, Any]) -> bytes:
    """A sample as a line; without an id it gets one, so that it counts once however often it is sent."""
    if isinstance(sample, Sample):
        return encoded(sample if sample.id is not None else msgspec.structs.replace(sample, id=new_id()))
    line = dict(sample)
    return encoded(line if line.get("id") is not None else line | {"id": new_id()})


def label_line(label: Label | Mapping[str, Any]) -> bytes:
    """An answer as a line."""
    return encoded(label if isinstance(label, Label) else dict(label))


def _standing(told: tuple[T | Problem, ...]) -> T | Problem:
    """The answer to a line: what was said when it was taken, and not that it was known when it came again.

    That it was refused last counts, for an earlier line may have undone what it did.
    """
    taken = (answer for answer in told if not isinstance(answer, Problem))
    return told[-1] if is_busy(told[-1]) else next(taken, told[-1])
