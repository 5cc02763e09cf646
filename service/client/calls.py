"""Requests and how to read their answers, one function a way in of the HTTP contract. Nothing is sent here.

What is described here as repeatable may be sent again: samples and labels are told apart by their ids, a repeated claim renews the
same leases, a question is skipped or handed back once, and the rest is idempotent by its method.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from service.client.errors import Busy
from service.client.figures import Evaluation
from service.client.values import (
    Decision,
    Label,
    LabelValue,
    Outcome,
    Page,
    Pool,
    Problem,
    Question,
    Sample,
    SampleState,
    Selection,
    Stream,
    Synthesis,
)

T = TypeVar("T")
Order = Literal["utility", "oldest"]

JSON, NDJSON = "application/json", "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request: `read` makes its answer of the body of a 2xx, and raises msgspec's errors for what is none."""

    method: str
    path: str
    read: Callable[[bytes], T]
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    gone: bool = False  # 404 for a repetition says that the first one, whose answer was lost, did it


class Unfinished(Busy):
    """Some lines of a batch met a server that was short of something: all `answers` so far, and the call for the `rest`."""

    def __init__(self, problem: Problem, answers: Any, rest: Call[Any]) -> None:
        """Keep the problem of the first such line beside them."""
        super().__init__(problem)
        self.answers = answers
        self.rest = rest


# --- streams -----------------------------------------------------------------------------------------------------------------


def put(stream: str, config: Mapping[str, Any] | None = None) -> Call[Stream]:
    """Create a stream, or replace its configuration; without one, every default holds."""
    return _call("PUT", _path(stream), Stream, dict(config or {}))


def patch(stream: str, changes: Mapping[str, Any]) -> Call[Stream]:
    """Merge changes into a stream's configuration (RFC 7396: None removes)."""
    return _call("PATCH", _path(stream), Stream, dict(changes))


def get(stream: str) -> Call[Stream]:
    """A stream's effective configuration and how it stands."""
    return _call("GET", _path(stream), Stream)


def streams() -> Call[list[Stream]]:
    """All streams."""
    return Call("GET", "/v1/streams", lambda body: msgspec.json.decode(body, type=_Streams).streams)


def delete(stream: str) -> Call[None]:
    """Remove a stream, its log and all that was learned."""
    return Call("DELETE", _path(stream), _nothing, gone=True)


# --- samples and labels ------------------------------------------------------------------------------------------------------


def sample(
    stream: str,
    features: Mapping[str, Any],
    *,
    sample_id: str | None = None,
    time: datetime | None = None,
    probabilities: Mapping[str, float] | None = None,
) -> Call[Decision]:
    """Send a sample: what the model takes it for, and whether a label is worth paying for. Without an id it gets one.

    `probabilities` are those of a model of your own, by class.
    """
    body = Sample(dict(features), sample_id, time, None if probabilities is None else dict(probabilities))
    key = {} if sample_id is not None else {"Idempotency-Key": new_id()}
    return _call("POST", _path(stream, "samples"), Decision, body, key)


def sample_state(stream: str, sample_id: str) -> Call[SampleState]:
    """All that the service holds of a sample."""
    return _call("GET", _path(stream, "samples", sample_id), SampleState)


def erase(stream: str, sample_id: str) -> Call[Outcome]:
    """Erase a sample for good: features, answers, and what the model learned of them."""
    return _call("DELETE", _path(stream, "samples", sample_id), Outcome)


def label(
    stream: str,
    sample_id: str,
    label: LabelValue,
    *,
    labeler: str | None = None,
    labeled_at: datetime | None = None,
    features: Mapping[str, Any] | None = None,
    probabilities: Mapping[str, float] | None = None,
) -> Call[Outcome]:
    """Send an answer; it is on disk when this returns. `features` and `probabilities` only for a sample that the service does not hold."""
    stated = None if probabilities is None else dict(probabilities)
    body = Label(sample_id, label, labeler, labeled_at, None if features is None else dict(features), stated)
    return _call("POST", _path(stream, "labels"), Outcome, body)


def retract(stream: str, sample_id: str, *, labeler: str = "") -> Call[Outcome]:
    """Take an answer back; the model is rebuilt without it."""
    query = f"?{urlencode({'labeler': labeler})}" if labeler else ""
    return _call("DELETE", _path(stream, "labels", sample_id) + query, Outcome)


# --- questions ---------------------------------------------------------------------------------------------------------------


def page(stream: str, *, order: Order = "utility", limit: int = 100, cursor: str | None = None) -> Call[Page]:
    """Some open questions, the most useful or the oldest first; the cursor of a page gets the next one."""
    query = {"order": order, "limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
    return _call("GET", f"{_path(stream, 'queries')}?{urlencode(query)}", Page)


def claim(stream: str, labeler: str, *, limit: int = 10, lease: float = 300) -> Call[list[Question]]:
    """Take questions that nobody else holds, for `lease` seconds; claimed again, the same ones are renewed."""
    body = encoded({"labeler": labeler, "limit": limit, "lease": lease})
    return Call("POST", _path(stream, "queries", "claim"), _questions, body, {"Content-Type": JSON})


def skip(stream: str, sample_id: str, labeler: str, *, reason: str | None = None) -> Call[Outcome]:
    """Say that this labeler cannot answer."""
    body = {"labeler": labeler} | ({} if reason is None else {"reason": reason})
    return _call("POST", _path(stream, "queries", sample_id, "skip"), Outcome, body)


def release(stream: str, sample_id: str, labeler: str) -> Call[Outcome]:
    """Hand a claimed question back, so that others may take it."""
    return _call("POST", _path(stream, "queries", sample_id, "release"), Outcome, {"labeler": labeler})


def evaluation(stream: str) -> Call[Evaluation]:
    """How good the stream's predictions are over all traffic, estimated from bought labels alone."""
    return _call("GET", _path(stream, "evaluation"), Evaluation)


def pool(stream: str) -> Call[Pool]:
    """How many unasked samples the stream keeps."""
    return _call("GET", _path(stream, "pool"), Pool)


def select(stream: str, n: int = 50, *, at_once: int | None = None) -> Call[Selection]:
    """Ask about `n` samples of the pool that are worth it together, within the budget; sent once, for each time asks anew.

    With `at_once` so many at a time: the server asks about the next when these have their answers.
    """
    wanted = {"n": n} if at_once is None else {"n": n, "at_once": at_once}
    return replace(_call("POST", _path(stream, "pool", "select"), Selection, wanted), repeatable=False)


def synthesise(stream: str, n: int = 10, *, ask: bool = True) -> Call[Synthesis]:
    """Make `n` samples near the decision boundary, and `ask` about them within the budget; sent once, for each time asks anew."""
    return replace(_call("POST", _path(stream, "pool", "synthesise"), Synthesis, {"n": n, "ask": ask}), repeatable=False)


# --- the server --------------------------------------------------------------------------------------------------------------


def catalogue() -> Call[dict[str, Any]]:
    """Models, query rules and measures with their parameters and defaults."""
    return _call("GET", "/v1/catalogue", dict[str, Any])


def ready() -> Call[None]:
    """Whether every stream is loaded; it is asked once."""
    return Call("GET", "/readyz", _nothing, repeatable=False)


# --- what they share ---------------------------------------------------------------------------------------------------------


class _Streams(msgspec.Struct, frozen=True):
    streams: list[Stream]


def encoded(value: object) -> bytes:
    """JSON; scalars and arrays of NumPy and its kind become Python's."""
    return msgspec.json.encode(value, enc_hook=_plain)


def new_id() -> str:
    """An id that no other sample has."""
    return uuid.uuid4().hex


def batch_path(stream: str, kind: Literal["samples", "labels"]) -> str:
    """Where a batch goes."""
    return _path(stream, kind)


def _call(method: str, path: str, answer: type[T], body: object = None, headers: Mapping[str, str] | None = None) -> Call[T]:
    content = None if body is None else encoded(body)
    typed = {} if content is None else {"Content-Type": JSON}
    return Call(method, path, msgspec.json.Decoder(answer).decode, content, {**typed, **(headers or {})})


def _path(stream: str, *more: str) -> str:
    return "/".join(("/v1/streams", *map(_segment, (stream, *more))))


def _segment(text: str) -> str:
    # "." and ".." would be taken for steps in the path
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


def _nothing(_body: bytes) -> None:
    return None


def _questions(body: bytes) -> list[Question]:
    return msgspec.json.decode(body, type=Page).queries


def _plain(value: Any) -> Any:
    try:
        return value.tolist()
    except AttributeError:
        raise NotImplementedError(f"a {type(value).__name__} has no place in a request") from None
