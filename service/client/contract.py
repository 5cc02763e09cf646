"""The contract as methods, once for both clients: a call that `service.client.calls` describes is sent by the client it is made on."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, overload

from service.client import calls
from service.client.calls import Call

P = ParamSpec("P")
T = TypeVar("T")


class Sender(ABC):
    """Sends a call and waits for its answer."""

    @abstractmethod
    def send(self, call: Call[T]) -> T:
        """The answer; raises `ClientError`."""


class AsyncSender(ABC):
    """Sends a call; its answer is awaited."""

    @abstractmethod
    async def send(self, call: Call[T]) -> T:
        """The answer; raises `ClientError`."""


class Method(Generic[P, T]):
    """A method with the arguments of the function that describes its call; on an `AsyncSender` it is awaited."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        """Take the description."""
        self._describe = describe

    @overload
    def __get__(self, client: None, kind: type) -> Callable[P, Call[T]]: ...
    @overload
    def __get__(self, client: Sender, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncSender, kind: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Sender | AsyncSender | None, kind: type) -> Callable[P, Any]:
        if client is None:
            return self._describe

        @wraps(self._describe)
        def send(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.send(self._describe(*args, **kwargs))

        return send


class Contract:
    """Every request that has one answer. All raise `ClientError`."""

    put = Method(calls.put)
    patch = Method(calls.patch)
    get = Method(calls.get)
    evaluation = Method(calls.evaluation)
    list = Method(calls.streams)
    delete = Method(calls.delete)
    sample = Method(calls.sample)
    sample_state = Method(calls.sample_state)
    erase = Method(calls.erase)
    label = Method(calls.label)
    retract = Method(calls.retract)
    page = Method(calls.page)
    claim = Method(calls.claim)
    skip = Method(calls.skip)
    release = Method(calls.release)
    pool = Method(calls.pool)
    select = Method(calls.select)
    synthesise = Method(calls.synthesise)
    catalogue = Method(calls.catalogue)
