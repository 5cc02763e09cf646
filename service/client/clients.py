"""The two senders: what one does with threads, the other does with coroutines. What is sent and what it means is decided elsewhere."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from tenacity import AsyncRetrying, Retrying

from service.client import batches, calls
from service.client.answers import Pending, explained
from service.client.batches import Batch
from service.client.calls import Call, Order
from service.client.connection import options
from service.client.contract import AsyncSender, Contract, Sender
from service.client.errors import ClientError
from service.client.retries import ONCE, Retries
from service.client.values import Decision, Label, Outcome, Page, Problem, Question, Sample

T = TypeVar("T")
S = TypeVar("S")
Items = Iterable[S | Mapping[str, Any]] | AsyncIterable[S | Mapping[str, Any]]


class Client(Contract, Sender):
    """A server at an address. A context: connections are kept alive inside; threads may share it.

    `key` is sent as a bearer token. `timeout` is in seconds, for every try; `retries` says how often and how long it tries.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 30.0, retries: Retries | None = None) -> None:
        """Connect to nothing yet; raises `Unreachable` for what is no address."""
        self.url = url
        self._retries = retries or Retries()
        self._http = httpx.Client(**options(url, key, timeout))

    def __enter__(self) -> Self:
        """Open the connections."""
        self._http.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close them."""
        self._http.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close the connections, where it was no context."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Send a call, again where that may help; raises `ClientError`."""
        pending = Pending(call)

        def once() -> T:
            now = pending.take()
            with explained(self.url):
                response = self._http.request(now.method, now.path, content=now.content, headers=now.headers)
            return pending.read(response)

        return Retrying(**(self._retries if call.repeatable else ONCE).arguments())(once)

    def ready(self) -> bool:
        """Whether the server has loaded its streams; False also where nobody answers yet."""
        try:
            self.send(calls.ready())
        except ClientError:
            return False
        return True

    def samples(self, stream: str, samples: Iterable[Sample | Mapping[str, Any]], *, chunk: int = 1_000) -> Iterator[Decision | Problem]:
        """Send samples, `chunk` a request, as the answers are taken: one each, in order, a `Problem` where one was refused."""
        return self._batch(batches.samples(stream, chunk), map(batches.sample_line, samples))

    def labels(self, stream: str, labels: Iterable[Label | Mapping[str, Any]], *, chunk: int = 1_000) -> Iterator[Outcome | Problem]:
        """Send answers, `chunk` a request, as the outcomes are taken: one each, in order, a `Problem` where one was refused."""
        return self._batch(batches.labels(stream, chunk), map(batches.label_line, labels))

    def pages(self, stream: str, *, order: Order = "utility", limit: int = 100) -> Iterator[Page]:
        """Go through all open questions, `limit` a page."""
        cursor = None
        while True:
            page = self.page(stream, order=order, limit=limit, cursor=cursor)
            yield page
            cursor = page.cursor
            if cursor is None:
                return

    def queries(self, stream: str, *, order: Order = "utility", limit: int = 100) -> Iterator[Question]:
        """Go through all open questions, the most useful or the oldest first; `limit` are fetched at a time."""
        for page in self.pages(stream, order=order, limit=limit):
            yield from page.queries

    def _batch(self, batch: Batch[T], lines: Iterable[bytes]) -> Iterator[T | Problem]:
        for line in lines:
            for call in batch.add(line):
                yield from self.send(call)
        for call in batch.rest():
            yield from self.send(call)


class AsyncClient(Contract, AsyncSender):
    """The same for coroutines: what has one answer is awaited, what has many is iterated with `async for`."""

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 30.0, retries: Retries | None = None) -> None:
        """Connect to nothing yet; raises `Unreachable` for what is no address."""
        self.url = url
        self._retries = retries or Retries()
        self._http = httpx.AsyncClient(**options(url, key, timeout))

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._http.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close them."""
        await self._http.__aexit__(kind, error, trace)

    async def close(self) -> None:
        """Close the connections, where it was no context."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call, again where that may help; raises `ClientError`."""
        pending = Pending(call)

        async def once() -> T:
            now = pending.take()
            with explained(self.url):
                response = await self._http.request(now.method, now.path, content=now.content, headers=now.headers)
            return pending.read(response)

        return await AsyncRetrying(**(self._retries if call.repeatable else ONCE).arguments())(once)

    async def ready(self) -> bool:
        """Whether the server has loaded its streams; False also where nobody answers yet."""
        try:
            await self.send(calls.ready())
        except ClientError:
            return False
        return True

    def samples(self, stream: str, samples: Items[Sample], *, chunk: int = 1_000) -> AsyncIterator[Decision | Problem]:
        """Send samples, `chunk` a request, as the answers are taken: one each, in order, a `Problem` where one was refused."""
        return self._batch(batches.samples(stream, chunk), samples, batches.sample_line)

    def labels(self, stream: str, labels: Items[Label], *, chunk: int = 1_000) -> AsyncIterator[Outcome | Problem]:
        """Send answers, `chunk` a request, as the outcomes are taken: one each, in order, a `Problem` where one was refused."""
        return self._batch(batches.labels(stream, chunk), labels, batches.label_line)

    async def pages(self, stream: str, *, order: Order = "utility", limit: int = 100) -> AsyncIterator[Page]:
        """Go through all open questions, `limit` a page."""
        cursor = None
        while True:
            page = await self.page(stream, order=order, limit=limit, cursor=cursor)
            yield page
            cursor = page.cursor
            if cursor is None:
                return

    async def queries(self, stream: str, *, order: Order = "utility", limit: int = 100) -> AsyncIterator[Question]:
        """Go through all open questions, the most useful or the oldest first; `limit` are fetched at a time."""
        async for page in self.pages(stream, order=order, limit=limit):
            for question in page.queries:
                yield question

    async def _batch(self, batch: Batch[T], items: Items[S], line: Callable[[S | Mapping[str, Any]], bytes]) -> AsyncIterator[T | Problem]:
        async for item in _each(items):
            for call in batch.add(line(item)):
                for answer in await self.send(call):
                    yield answer
        for call in batch.rest():
            for answer in await self.send(call):
                yield answer


async def _each(items: Items[S]) -> AsyncIterator[S | Mapping[str, Any]]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
