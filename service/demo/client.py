"""The public HTTP API as its users see it: one method a request, typed answers. What is asked and answered is decided elsewhere.

Every request may be sent again: samples and labels carry ids, and what comes twice is answered as the first time. So a server that
is short of something (429, 503, 507), or just starting anew, is asked again, a bounded number of times.
"""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from service.demo.errors import Refused, Unreachable

Label = str | int | bool
T = TypeVar("T")

ATTEMPTS = 6
_SHORT_OF_SOMETHING = {429, 503, 507}
_JSON = {"Content-Type": "application/json"}
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)  # seconds
_FIRST_WAIT = 0.2  # seconds, doubled each time
_LONGEST_WAIT = 30.0  # seconds; a server that wants more is taken at half a minute
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Prediction(msgspec.Struct, frozen=True):
    """What the model says of a sample."""

    label: str | None
    confidence: float | None


class Account(msgspec.Struct, frozen=True):
    """The budget at the moment of a decision."""

    seen: int
    asked: int
    allowed: int
    open: int


class Query(msgspec.Struct, frozen=True):
    """Whether to ask, and why."""

    ask: bool
    reason: str
    utility: float
    budget: Account


class Answer(msgspec.Struct, frozen=True):
    """The answer to a sample."""

    id: str
    prediction: Prediction
    query: Query


class Outcome(msgspec.Struct, frozen=True):
    """The answer to a label."""

    outcome: str
    model_version: int


class Summary(msgspec.Struct, frozen=True):
    """How a stream stands."""

    seen: int
    asked: int
    open: int
    rebuilding: bool


class Stream(msgspec.Struct, frozen=True):
    """A stream, as far as a client needs it."""

    stream: str
    summary: Summary


class Waiting(msgspec.Struct, frozen=True):
    """A question that waits for an answer."""

    sample_id: str


class Page(msgspec.Struct, frozen=True):
    """A page of open questions."""

    queries: list[Waiting]
    cursor: str | None


class _Problem(msgspec.Struct, frozen=True):
    detail: str


class Api:
    """A server at an address. A context: connections are kept alive inside. Threads may share it."""

    def __init__(self, url: str, *, attempts: int = ATTEMPTS) -> None:
        """Connect to nothing yet; raises `Unreachable` for what is no address."""
        self.url = url.rstrip("/")
        self._attempts = attempts
        try:
            base = httpx.URL(self.url)
            local = base.host in _LOOPBACK  # a proxy of the environment cannot reach it
            self._http = httpx.Client(base_url=base, timeout=_TIMEOUT, trust_env=not local)
        except httpx.InvalidURL as error:
            raise Unreachable(f"{url!r} is no address: {error}") from None

    def __enter__(self) -> Self:
        """Open the connections."""
        self._http.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close them."""
        self._http.__exit__(kind, error, trace)

    # --- requests ------------------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether the server has loaded its streams; False also where nobody answers yet."""
        try:
            return (self._http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def put_stream(self, stream: str, config: Mapping[str, Any]) -> Stream:
        """Create a stream, or replace its configuration."""
        return self._send("PUT", _path(stream), Stream, config)

    def stream(self, stream: str, *, attempts: int | None = None) -> Stream:
        """How a stream stands."""
        return self._send("GET", _path(stream), Stream, attempts=attempts)

    def sample(self, stream: str, sample_id: str, features: Mapping[str, Any]) -> Answer:
        """Send a sample; the answer says what the model takes it for, and whether it asks for a label."""
        return self._send("POST", _path(stream, "samples"), Answer, {"id": sample_id, "features": features})

    def label(self, stream: str, sample_id: str, label: Label, labeler: str | None = None) -> Outcome:
        """Send an answer; it is on disk when this returns."""
        body = {"sample_id": sample_id, "label": label}
        return self._send("POST", _path(stream, "labels"), Outcome, body if labeler is None else body | {"labeler": labeler})

    def queries(self, stream: str, limit: int, cursor: str | None = None) -> Page:
        """A page of open questions, the most useful first."""
        query = httpx.QueryParams(order="utility", limit=limit)
        return self._send("GET", f"{_path(stream, 'queries')}?{query if cursor is None else query.set('cursor', cursor)}", Page)

    # --- sending -------------------------------------------------------------------------------------------------------------

    def _send(self, method: str, path: str, answer: type[T], body: Mapping[str, Any] | None = None, attempts: int | None = None) -> T:
        left = attempts or self._attempts
        wait = _FIRST_WAIT
        while True:
            left -= 1
            response = self._request(method, path, body, may_fail=left > 0)
            if response is not None and (response.status_code not in _SHORT_OF_SOMETHING or left <= 0):
                return _decoded(response, answer)
            time.sleep(wait if response is None else _retry_after(response, wait))
            wait *= 2

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None, *, may_fail: bool) -> httpx.Response | None:
        """An answer, or None where there was none and it `may_fail`."""
        try:
            content = None if body is None else msgspec.json.encode(body)
            return self._http.request(method, path, content=content, headers=_JSON)
        except httpx.HTTPError as error:
            if may_fail:
                return None
            raise Unreachable(f"no answer from {self.url} ({error}); is the server running?") from None


def _decoded(response: httpx.Response, answer: type[T]) -> T:
    try:
        if response.is_success:
            return msgspec.json.decode(response.content, type=answer)
        detail = msgspec.json.decode(response.content, type=_Problem).detail
    except msgspec.MsgspecError:
        raise Refused(response.status_code, f"{response.url} answered {response.status_code}, but not as askwhen does") from None
    raise Refused(response.status_code, detail)


def _path(stream: str, *more: str) -> str:
    return "/".join(("/v1/streams", quote(stream, safe=""), *more))


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    """Seconds that the server asks to wait."""
    said: str = response.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_WAIT) if said.isdecimal() else otherwise
