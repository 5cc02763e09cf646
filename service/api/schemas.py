"""The shapes of requests and answers: they decode, encode and document. Nothing of them goes further in than `service.api.routes`.

Those of streams and of pools stand in `stream_schemas` and `pool_schemas`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from service.api import text
from service.core.config import invalid_from
from service.core.embeddings import MAX_LENGTH, shown
from service.core.errors import Invalid
from service.core.features import MAX_FEATURES, MAX_MAGNITUDE, MAX_NAME, MAX_TEXT
from service.core.records import Outcome, Query
from service.core.stated import TOLERANCE
from service.core.times import rfc3339
from service.questions import Waiting

Time = Annotated[datetime, msgspec.Meta(tz=True)]
# Whatever is within these limits is decoded in one pass and needs no further look; of the rest `check_features` says what is wrong.
Feature = (
    Annotated[float, msgspec.Meta(ge=-MAX_MAGNITUDE, le=MAX_MAGNITUDE)]
    | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    | bool
    | Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
    | None
)
FeaturesIn = Annotated[
    dict[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME, extra_json_schema=text.FEATURE_NAME)], Feature],
    msgspec.Meta(max_length=MAX_FEATURES),
]
Array = Annotated[list[float], msgspec.Meta(max_length=MAX_LENGTH)]  # its numbers are looked at where they are packed
FeaturesWithArrays = Annotated[
    dict[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME, extra_json_schema=text.FEATURE_NAME)], Feature | Array],
    msgspec.Meta(max_length=MAX_FEATURES),
]
# Documented only: `service.core.stated` says what is wrong, of a sum or a class that no schema can tell as well.
Probability = Annotated[float, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 1 + TOLERANCE})]
ProbabilitiesIn = Annotated[dict[str, Probability], msgspec.Meta(extra_json_schema=text.PROBABILITIES)]
# Documented only: what comes in is checked by `service.core.features`, in less time than a pattern takes.
TimeText = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
Id = Annotated[str, msgspec.Meta(extra_json_schema=text.ID)]
Labeler = Annotated[str, msgspec.Meta(extra_json_schema=text.LABELER)]
Person = Annotated[str, msgspec.Meta(extra_json_schema={**text.LABELER, "minLength": 1})]
Reason = Annotated[str, msgspec.Meta(extra_json_schema=text.REASON)]
Label = Annotated[Any, msgspec.Meta(extra_json_schema=text.LABEL_OR_NUMBER)]
# A `Prediction`, or of a regression stream a `Forecast`: no tag tells them apart, which a type would need.
Said = Annotated[Any, msgspec.Meta(extra_json_schema=text.SAID)]
SaidOrNone = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": [*text.SAID["anyOf"], {"type": "null"}]})]


class SampleIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A sample of a stream. Without an `id` the `Idempotency-Key` or the CloudEvent's id stands in, or the service makes one.

    Where the stream's configuration declares `embeddings`, the features of these names are arrays of so many numbers (or null).
    `probabilities` are those of a model of the caller's own, by class; a stream whose model is `external` needs them.
    """

    features: FeaturesIn
    id: Id | None = None
    time: TimeText | None = None
    probabilities: ProbabilitiesIn | None = None


class EmbeddedSampleIn(SampleIn, frozen=True, forbid_unknown_fields=True, gc=False):
    """A sample of a stream that declares embeddings."""

    features: FeaturesWithArrays  # type: ignore[assignment]  # it decodes more


class SampleOut(msgspec.Struct, frozen=True):
    """What the model says of a sample, and whether a label for it is worth paying for."""

    id: str
    stream: str
    model_version: int
    prediction: Said
    query: Query
    replayed: bool


class LabelIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer. In a CloudEvent its id can stand for `sample_id`.

    `features`, with the sample's `probabilities` where it has any, only for a sample that the service does not hold.
    """

    label: Label
    sample_id: Id | None = None
    labeler: Labeler | None = None
    labeled_at: TimeText | None = None
    features: FeaturesIn | None = None
    probabilities: ProbabilitiesIn | None = None


class EmbeddedLabelIn(LabelIn, frozen=True, forbid_unknown_fields=True):
    """An answer in a stream that declares embeddings."""

    features: FeaturesWithArrays | None = None  # type: ignore[assignment]  # the same


class LabelOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer amounted to."""

    sample_id: str
    outcome: Outcome
    model_version: int
    rebuilding: bool = False


class ErasedOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sample that is gone for good. `rebuilding`: it had taught, and the model is rebuilt without it."""

    sample_id: str
    outcome: Literal["erased"]
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


class HeldOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is known of a sample, with the `probabilities` that a question's came with; of an `erased` one, that it was there."""

    id: str
    stream: str
    model_version: int | None
    prediction: SaidOrNone
    query: Query | None
    question: Question | None
    labels: list[LabelGiven]
    erased: bool = False
    probabilities: dict[str, float] | None = None
    synthetic: bool = False


class ClaimIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants questions, how many, and for how many seconds nobody else is handed them."""

    labeler: Person
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 10
    lease: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0


class SkipIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who will not answer a question, and why."""

    labeler: Person
    reason: Reason | None = None


class ReleaseIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who hands a question back."""

    labeler: Person


class ReleasedOut(msgspec.Struct, frozen=True):
    """A question that others may have."""

    sample_id: str
    outcome: Literal["released"]
    model_version: int


class LeaseOut(msgspec.Struct, frozen=True):
    """Who holds a question, and until when."""

    labeler: str
    until: str


class QueryOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question that waits for a person; `time`, `traceparent` and `probabilities`, where there are any, came with its sample.

    A `synthetic` sample never was: it was made near the model's decision boundary.
    """

    sample_id: str
    features: dict[str, Any]
    prediction: Said
    utility: float
    reason: str
    asked_at: str
    expires_at: str
    time: str | None
    traceparent: str | None
    lease: LeaseOut | None
    probabilities: dict[str, float] | None = None
    synthetic: bool = False


class QueriesOut(msgspec.Struct, frozen=True):
    """A page of open questions; `cursor` gets the next one."""

    queries: list[QueryOut]
    cursor: str | None


class Status(msgspec.Struct, frozen=True):
    """The server's word on itself."""

    status: Literal["ok", "ready"]


def checked_time(time: str, pointer: str = "/time") -> str:
    """A time as it is kept; raises `Invalid` where it is not RFC 3339, or has no place in UTC's calendar."""
    try:
        return msgspec.convert(time, Time).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except msgspec.ValidationError as error:
        raise Invalid(pointer, invalid_from(error).detail) from None
    except OverflowError:
        raise Invalid(pointer, "this time lies outside the years 1 to 9999 in UTC") from None


def question_of(waiting: Waiting) -> QueryOut:
    """An open question as it is listed."""
    sample, event, lease = waiting
    decision = event.decision
    return QueryOut(
        decision.id,
        shown(event.features),
        decision.said,
        decision.query.utility,
        decision.query.reason,
        rfc3339(sample.asked_at),
        rfc3339(sample.expires_at),
        *event.origin.told,
        None if lease is None else LeaseOut(lease.labeler, rfc3339(lease.until)),
        event.probabilities,
        decision.synthetic,
    )
