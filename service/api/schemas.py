"""The shapes of requests and answers: they decode, encode and document. Nothing of them goes further in than `service.api.routes`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from service.api import text
from service.core.config import StreamConfig, invalid_from
from service.core.errors import Invalid
from service.core.events import Asked
from service.core.open_queries import Sample
from service.core.records import Outcome, Prediction, Query

Time = Annotated[datetime, msgspec.Meta(tz=True)]
# Documented only: what comes in is checked by `service.core.features`, in less time than a pattern takes.
TimeText = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
Id = Annotated[str, msgspec.Meta(extra_json_schema=text.ID)]
Labeler = Annotated[str, msgspec.Meta(extra_json_schema=text.LABELER)]
Label = Annotated[Any, msgspec.Meta(extra_json_schema=text.LABEL)]
Feature = Annotated[float | int | bool | str | None, msgspec.Meta(extra_json_schema=text.FEATURE)]
Features = Annotated[dict[str, Feature], msgspec.Meta(extra_json_schema=text.FEATURES)]


class SampleIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A sample of a stream. Without an `id` the `Idempotency-Key` or the CloudEvent's id stands in, or the service makes one."""

    features: Features
    id: Id | None = None
    time: TimeText | None = None


class SampleOut(msgspec.Struct, frozen=True):
    """What the model says of a sample, and whether a label for it is worth paying for."""

    id: str
    stream: str
    model_version: int
    prediction: Prediction
    query: Query
    replayed: bool


class LabelIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer. `features` only for a sample that the service does not hold. In a CloudEvent its id can stand for `sample_id`."""

    label: Label
    sample_id: Id | None = None
    labeler: Labeler | None = None
    labeled_at: TimeText | None = None
    features: Features | None = None


class LabelOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer amounted to."""

    sample_id: str
    outcome: Outcome
    model_version: int
    rebuilding: bool = False


class LabelGiven(msgspec.Struct, frozen=True):
    """A labeler's standing answer."""

    labeler: str
    label: str


class Question(msgspec.Struct, frozen=True):
    """What became of a question, and the time and trace that its sample came with."""

    state: str
    asked_at: str
    expires_at: str
    time: str | None
    traceparent: str | None


class HeldOut(msgspec.Struct, frozen=True):
    """All that is known of a sample."""

    id: str
    stream: str
    model_version: int | None
    prediction: Prediction | None
    query: Query | None
    question: Question | None
    labels: list[LabelGiven]


class QueryOut(msgspec.Struct, frozen=True):
    """A question that waits for a person; `time` and `traceparent` are those that its sample came with."""

    sample_id: str
    features: dict[str, Any]
    prediction: Prediction
    utility: float
    reason: str
    asked_at: str
    expires_at: str
    time: str | None
    traceparent: str | None
    lease: None


class QueriesOut(msgspec.Struct, frozen=True):
    """A page of open questions; `cursor` gets the next one."""

    queries: list[QueryOut]
    cursor: str | None


class Summary(msgspec.Struct, frozen=True):
    """How a stream stands."""

    created_at: str
    model_version: int
    classes: list[str]
    seen: int
    asked: int
    given_back: int
    open: int
    taught: int
    left: float
    rebuilding: bool


class StreamOut(msgspec.Struct, frozen=True):
    """A stream's effective configuration and how it stands."""

    stream: str
    config: StreamConfig
    summary: Summary


class StreamsOut(msgspec.Struct, frozen=True):
    """All streams."""

    streams: list[StreamOut]


class Status(msgspec.Struct, frozen=True):
    """The server's word on itself."""

    status: Literal["ok", "ready"]


def rfc3339(at: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00.500000Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def checked_time(time: str, pointer: str = "/time") -> str:
    """A time as it is kept; raises `Invalid` where it is not RFC 3339, or has no place in UTC's calendar."""
    try:
        return msgspec.convert(time, Time).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except msgspec.ValidationError as error:
        raise Invalid(pointer, invalid_from(error).detail) from None
    except OverflowError:
        raise Invalid(pointer, "this time lies outside the years 1 to 9999 in UTC") from None


def question_of(sample: Sample, event: Asked) -> QueryOut:
    """An open question as it is listed."""
    decision = event.decision
    return QueryOut(
        decision.id,
        event.features,
        decision.prediction,
        decision.query.utility,
        decision.query.reason,
        rfc3339(sample.asked_at),
        rfc3339(sample.expires_at),
        *event.origin.told,
        None,
    )
