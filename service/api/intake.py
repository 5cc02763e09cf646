"""Requests that bring samples or labels, by whatever way in: one object gets one answer, a batch an answer an object, in its order.

What an answer is, its taker knows; here is how many come at once, and that a long batch holds nobody up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from service.api.bodies import Headers, Receive, media_type_of, read_body
from service.api.errors import of_anything
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
from service.api.replies import JSON, NDJSON, Reply
from service.guard import Pass

_TURN = 0.0005  # seconds of a batch before others get the loop
_UNDER_WAY = 64  # answers of a batch that wait for the disk at once

Answered = bytes | Awaitable[bytes]
Take = Callable[[str, Parcel], Answered]  # stream and parcel to the JSON of its answer; raises what is wrong with it


class Limits(NamedTuple):
    """The largest body of one object and of a batch, in bytes; the most objects of a batch, and requests in work at once."""

    body: int = 1_048_576
    batch: int = 16_777_216
    objects: int = 10_000
    requests: int = 1_000


class Intake:
    """Takes in what comes for one kind of path."""

    def __init__(self, take: Take, exists: Callable[[str], object], limits: Limits, turn: asyncio.Lock) -> None:
        """Use `take` for every object; `exists` raises for an unknown stream; batches work one at a time, each having the `turn`."""
        self._take = take
        self._exists = exists
        self._limits = limits
        self._turn = turn

    def takes_at_once(self, headers: Headers, body: bytes) -> bool:
        """Whether a request is one JSON object, and not too long."""
        return len(body) <= self._limits.body and _is_plain(headers)

    def take(self, stream: str, headers: Headers, body: bytes) -> Answered:
        """Take in the JSON of one object."""
        return self._take(stream, Parcel(body, idempotency_key_of(headers), None, trace_of(headers)))

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
        body = await read_body(receive, headers, self._limits.batch if media_type in BATCHES else self._limits.body)
        found = batch(media_type, headers, body, self._limits.objects)
        if granted is not None and found is not None:
            granted.spend(len(found.items) - 1)  # the request itself counted as one
        if found is None:
            answer = self._answer(stream, single(media_type, headers, body))
            return Reply(answer if isinstance(answer, bytes) else await answer)
        answers = await self._answers(stream, path, found)
        if found.media_type == NDJSON:
            return Reply(b"\n".join(answers) + b"\n" if answers else b"", media_type=NDJSON)
        return Reply(b"[" + b",".join(answers) + b"]", media_type=JSON)

    async def _answers(self, stream: str, path: str, found: Batch) -> list[bytes]:
        answers: list[bytes] = []
        under_way: list[tuple[int, asyncio.Future[bytes]]] = []
        async with self._turn:
            until = time.perf_counter() + _TURN
            for place, item in enumerate(found.items):
                try:
                    answer = self._answer(stream, found.open(place, item))
                except Exception as error:  # noqa: BLE001 - a bad object gets its problem and does not stop the others
                    answer = of_anything(error, path).body
                if not isinstance(answer, bytes):
                    under_way.append((place, asyncio.ensure_future(answer)))
                    answer = b""
                answers.append(answer)
                if len(under_way) >= _UNDER_WAY:
                    await _settle(answers, under_way, path)
                if time.perf_counter() > until:
                    await asyncio.sleep(0)
                    until = time.perf_counter() + _TURN
        await _settle(answers, under_way, path)
        return answers

    def _answer(self, stream: str, contents: Contents) -> Answered:
        if isinstance(contents, Acknowledged):
            return msgspec.json.encode(contents._asdict())
        if isinstance(contents, Parcel):
            return self._take(stream, contents)
        return _together([self._take(stream, parcel) for parcel in contents])


def _is_plain(headers: Headers) -> bool:
    return headers.get(b"content-type") == b"application/json" and not is_binary_event(headers)


async def _together(answers: list[Answered]) -> bytes:
    return b"[" + b",".join([answer if isinstance(answer, bytes) else await answer for answer in answers]) + b"]"


async def _settle(answers: list[bytes], under_way: list[tuple[int, asyncio.Future[bytes]]], path: str) -> None:
    for place, answer in under_way:
        try:
            answers[place] = await answer
        except Exception as error:  # noqa: BLE001 - the same
            answers[place] = of_anything(error, path).body
    under_way.clear()
