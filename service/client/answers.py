"""What came back, turned into a value or an exception: the same for both clients. Nothing is sent here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

import httpx
import msgspec

from service.client.calls import Call, Unfinished
from service.client.errors import BadAnswer, Refused, Unreachable, refusal
from service.client.values import Problem

T = TypeVar("T")


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn httpx's errors into the client's."""
    try:
        yield
    except httpx.TransportError as error:
        words = str(error) or type(error).__name__
        raise Unreachable(f"no answer from {url} ({words}); is the server running?") from error
    except httpx.HTTPError as error:
        raise BadAnswer(f"{url} gave an answer that cannot be read: {error}") from error


class Pending(Generic[T]):
    """A call until it is answered, which may take several requests."""

    def __init__(self, call: Call[T]) -> None:
        """Begin with a call that was not sent yet."""
        self._call = call
        self._tries = 0

    def take(self) -> Call[T]:
        """What to send now."""
        self._tries += 1
        return self._call

    def read(self, response: httpx.Response) -> T:
        """The answer to what was sent last; raises as `read` does, and `Unfinished` where another request is needed."""
        try:
            return read(self._call, response, again=self._tries > 1)
        except Unfinished as unfinished:
            self._call = unfinished.rest
            raise


def read(call: Call[T], response: httpx.Response, *, again: bool) -> T:
    """The answer to a call, which may have been sent `again`; raises `Refused` for a problem and `BadAnswer` for what is neither."""
    if again and call.gone and response.status_code == httpx.codes.NOT_FOUND:
        return call.read(b"")
    if not response.is_success:
        raise refused(response)
    try:
        return call.read(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswer(f"{response.url} answered {response.status_code}, but not as askwhen does: {error}") from error


def refused(response: httpx.Response) -> Refused:
    """The exception of an answer that is no 2xx."""
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problem = _unknown(response)
    return refusal(problem, retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC)))


def retry_after(said: str, now: datetime) -> float | None:
    """Seconds that the server asks to wait, given as such or as a date (RFC 9110, 10.2.3); None where it says nothing of sense.

    >>> retry_after("3", datetime.now(UTC))
    3.0
    >>> retry_after("Wed, 21 Oct 2015 07:28:00 GMT", datetime(2015, 10, 21, 7, 27, 30, tzinfo=UTC))
    30.0
    """
    if said.isascii() and said.isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _unknown(response: httpx.Response) -> Problem:
    """A proxy, or a server that is not askwhen, speaks for itself."""
    status = response.status_code
    return Problem("about:blank", response.reason_phrase, status, f"{response.url} answered {status}, but not as askwhen does")
