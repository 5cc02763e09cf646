"""Requests that bring samples or labels, by whatever way in: one object gets one answer, a batch an answer an object, in its order.

What an answer is, its taker knows; here is how many come at once, and that a long batch holds nobody up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import msgspec

from service.api.bodies import Headers, Receive, media_type_of, read_body
from service.api.errors import Overloaded, of_anything
from service.api.parcels import (
    BATCHES,
    Acknowledged,
    Batch,
    Contents,
    Parcel,
    batch,
    check_media_type,
    idempotency_key_of,
    is_binary_event,
    single,
    trace_of,
)
from service.api.replies import NDJSON, Reply
from service.api.turns import Turns
from service.core.errors import TooLarge, Unavailable
from service.guard import Pass

_FIRST, _MOST = 8, 64  # objects of a batch that are taken in together, at first and at most
_BATCHES = 16  # in work at once, for each is in memory as a whole
_UNDER_WAY = 64  # answers of a batch that wait for the disk at once
_SETTLED = 8  # of these are taken in before others get the loop

Item = TypeVar("Item")
Answered = bytes | Awaitable[bytes]
Take = Callable[[str, Parcel], Answered]  # stream and parcel to the JSON of its answer; raises what is wrong with it
TakeAll = Callable[[str, Sequence[Parcel]], list[Answered | Exception]]  # the same for some, in order


class Limits(NamedTuple):
    """The largest body of one object and of a batch, in bytes; the most objects of a batch, and requests in work at once."""

    body: int = 1_048_576
    batch: int = 16_777_216
    objects: int = 10_000
    requests: int = 1_000


class Intake:
    """Takes in what comes for one kind of path."""

    def __init__(self, take: Take, take_all: TakeAll, exists: Callable[[str], object], limits: Limits, turns: Turns) -> None:
        """Use `take` for one object and `take_all` for those of a batch; `exists` raises for an unknown stream.

        What `take_all` gives to be awaited is under way by itself.
        """
        self._take = take
        self._take_all = take_all
        self._exists = exists
        self._limits = limits
        self._turns = turns
        self._batches = 0

    def takes_at_once(self, headers: Headers, body: bytes) -> bool:
        """Whether a request is one JSON object, and not too long."""
        return len(body) <= self._limits.body and _is_plain(headers)

    def take(self, stream: str, headers: Headers, body: bytes) -> Answered:
        """Take in the JSON of one object."""
        return self._take(stream, Parcel(body, None, None, trace_of(headers), "", idempotency_key_of(headers)))

    async def reply(self, stream: str, path: str, headers: Headers, receive: Receive, granted: Pass | None) -> Reply:
        """Answer a request; raises what is wrong with it as a whole."""
        if _is_plain(headers):
            answer = self.take(stream, headers, await read_body(receive, headers, self._limits.body))
            return Reply(answer if isinstance(answer, bytes) else await answer)
        return await self._other(stream, path, headers, receive, granted)

    async def _other(self, stream: str, path: str, headers: Headers, receive: Receive, granted: Pass | None) -> Reply:
        self._exists(stream)
        media_type = media_type_of(headers)
        check_media_type(media_type, headers)
        idempotency_key_of(headers)  # refused if it is malformed, also where it stands for nothing
        if media_type not in BATCHES:
            return await self._whole(stream, path, headers, await read_body(receive, headers, self._limits.body), granted)
        if self._batches >= _BATCHES:
            raise Overloaded(f"the server is busy with {_BATCHES} batches; try again")
        self._batches += 1
        try:
            return await self._whole(stream, path, headers, await read_body(receive, headers, self._limits.batch), granted)
        finally:
            self._batches -= 1

    async def _whole(self, stream: str, path: str, headers: Headers, body: bytes, granted: Pass | None) -> Reply:
        media_type = media_type_of(headers)
        job = _Job(stream, path, granted, self._limits.objects)
        found = await batch(media_type, headers, body, self._limits.objects)
        if found is None:
            return await self._one(job, single(media_type, headers, body))
        job.count(len(found.items))
        answers = await self._answers(job, found.items, self._bounded(found))
        if found.media_type == NDJSON:
            return Reply(b"\n".join(answers) + b"\n" if answers else b"", media_type=NDJSON)
        return Reply(_array(answers))

    async def _one(self, job: "_Job", contents: Contents) -> Reply:
        job.count(1)
        if isinstance(contents, list):
            return Reply(await self._several(job, contents))
        answer = self._answer(job, contents)
        return Reply(answer if isinstance(answer, bytes) else await answer)

    async def _answers(
        self, job: "_Job", items: Sequence[Item], opened: Callable[[int, Sequence[Item]], Sequence[Contents | Exception]]
    ) -> list[bytes]:
        """An answer an item; a bad one gets its problem and does not stop the others."""
        answers: list[bytes] = []
        under_way: list[tuple[int, Awaitable[bytes]]] = []
        size = _FIRST
        while len(answers) < len(items):
            first = len(answers)
            chunk, seconds = await self._chunk(job, opened(first, items[first : first + size]))
            for answer in chunk:
                if isinstance(answer, bytes):
                    answers.append(answer)
                elif isinstance(answer, Exception):
                    answers.append(of_anything(answer, job.path).body)
                else:
                    under_way.append((len(answers), answer))
                    answers.append(b"")
            size = self._next(size, seconds)
            failure = await _settle(answers, under_way, job.path) if len(under_way) >= _UNDER_WAY else None
            if failure is not None:  # nobody waits for the same thing line by line
                return answers + [of_anything(failure, job.path).body] * (len(items) - len(answers))
        await _settle(answers, under_way, job.path)
        return answers

    def _bounded(self, found: Batch) -> Callable[[int, Sequence[bytes]], list[Contents | Exception]]:
        """What opens the objects of a batch; one that is larger than a body may be is refused unopened."""
        most = self._limits.body
        if found.largest <= most:
            return found.open

        def opened(first: int, items: Sequence[bytes]) -> list[Contents | Exception]:
            contents = found.open(first, [item if len(item) <= most else b"" for item in items])
            too_large = TooLarge(f"an object has at most {most} bytes here")
            return [content if len(item) <= most else too_large for item, content in zip(items, contents, strict=True)]

        return opened

    async def _chunk(self, job: "_Job", opened: Sequence[Contents | Exception]) -> tuple[list[Answered | Exception], float]:
        """Take in some items, parcels that follow one another together; also gives the seconds that nobody else had the loop."""
        answers: list[Answered | Exception] = []
        seconds = 0.0
        for kind, run in groupby(opened, type):
            if kind is Parcel:
                async with self._turns.lock:  # one chunk of one batch a turn of the loop
                    started = time.perf_counter()
                    answers += self._taken(job, list(run))
                    seconds += time.perf_counter() - started
                    await asyncio.sleep(0)
            else:
                answers += [await self._odd(job, contents) for contents in run]
        return answers, seconds

    def _taken(self, job: "_Job", parcels: list[Any]) -> list[Answered | Exception]:
        try:
            return self._take_all(job.stream, parcels)
        except Exception as error:  # noqa: BLE001 - every error has an answer, such as that the stream is gone
            return [error] * len(parcels)

    async def _odd(self, job: "_Job", contents: Contents | Exception) -> Answered | Exception:
        """What an item is answered that is no parcel."""
        try:
            if isinstance(contents, Exception):
                return contents
            if isinstance(contents, list):
                return await self._several(job, contents)
            answer = self._answer(job, contents)
            return answer if isinstance(answer, bytes) else asyncio.ensure_future(answer)
        except Exception as error:  # noqa: BLE001 - the same
            return error

    async def _several(self, job: "_Job", parcels: list[Parcel]) -> bytes:
        job.count(len(parcels) - 1)
        return _array(await self._answers(job, parcels, lambda _, some: some))

    def _next(self, size: int, seconds: float) -> int:
        """How many objects to take in together after so many took so long, to be done in a turn."""
        return max(1, min(_MOST, 2 * size, int(size * self._turns.seconds() / max(seconds, 1e-9))))

    def _answer(self, job: "_Job", contents: Parcel | Acknowledged) -> Answered:
        if isinstance(contents, Acknowledged):
            return msgspec.json.encode(contents._asdict())
        return self._take(job.stream, contents)


class _Job:
    """A request at work: what its problems name, and how many objects it may still bring."""

    def __init__(self, stream: str, path: str, granted: Pass | None, most: int) -> None:
        self.stream = stream
        self.path = path
        self._granted = granted
        self._most = most
        self._left = most
        self._paid = 1  # the request itself counted as one

    def count(self, objects: int) -> None:
        """Count what came against the key's rate; raises `TooLarge`."""
        if objects > self._left:
            raise TooLarge(f"a batch has at most {self._most} objects")
        self._left -= objects
        if self._granted is not None and objects > self._paid:
            self._granted.spend(objects - self._paid)
        self._paid = 0


def _array(answers: list[bytes]) -> bytes:
    return b"[" + b",".join(answers) + b"]"


def _is_plain(headers: Headers) -> bool:
    return headers.get(b"content-type") == b"application/json" and b"content-encoding" not in headers and not is_binary_event(headers)


async def _settle(answers: list[bytes], under_way: list[tuple[int, Awaitable[bytes]]], path: str) -> Unavailable | None:
    """Wait for answers; gives the error where the disk did not take something."""
    failure: Unavailable | None = None
    for number, (place, answer) in enumerate(under_way):
        if number % _SETTLED == _SETTLED - 1:
            await asyncio.sleep(0)
        try:
            answers[place] = await answer
        except Exception as error:  # noqa: BLE001 - the same
            answers[place] = of_anything(error, path).body
            failure = error if isinstance(error, Unavailable) else failure
    under_way.clear()
    return failure
