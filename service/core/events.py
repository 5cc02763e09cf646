"""What happened, as it stands in the log: the only durable truth. Values and their bytes; no folding here.

An event carries all that its fold needs, so that a log alone rebuilds the learned state: times and secrets come from whoever
appends, vectors are made at append.
"""

from typing import Any

import msgspec

from service.core.config import StreamConfig
from service.core.features import Features
from service.core.records import Decision
from service.core.stated import Probabilities


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The small part of the decision state after a sample: the account's, and the rule's few numbers.

    After `seen` samples, the last one at the time `at`, `earned` + `rate` x (seen - `since`) labels are due.
    """

    seen: int
    since: int
    earned: float
    rate: float
    at: float
    rule: list[float]
    ruled: int  # position of the configuration that the rule is of
    traffic: list[int] = []  # samples by kind (`service.core.evaluation.traffic`)
    cost: float = 0.0  # the sum of theirs


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag=str.lower):
    at: float  # seconds since 1970, UTC


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a sample came from: its own time (RFC 3339), and the trace of the request that brought it (W3C `traceparent`)."""

    time: str | None = None
    traceparent: str | None = None

    @property
    def told(self) -> tuple[str | None, str | None]:
        """Time and trace."""
        return self.time, self.traceparent


NOWHERE = Origin()


class Configured(_Event, frozen=True):
    """A stream was created (with its secret) or its configuration replaced."""

    config: StreamConfig
    secret: bytes | None = None


class Asked(_Event, frozen=True, omit_defaults=True):
    """A question was asked: the sample's raw features, what it states, and the decision as it was answered.

    `parents` are the samples that a synthetic one was made of.
    """

    features: Features
    decision: Decision
    mark: Mark
    expires_at: float
    origin: Origin = NOWHERE
    probabilities: Probabilities | None = None
    parents: list[str] = []

    @property
    def sample_id(self) -> str:
        """The sample that the question is about."""
        return self.decision.id


class Withdrawn(_Event, frozen=True):
    """A question landed after its asker had been told `unavailable`: nobody saw it, so its place is given back."""

    sample_id: str


class Expired(_Event, frozen=True):
    """Nobody answered in time."""

    sample_id: str


class Labelled(_Event, frozen=True, omit_defaults=True):
    """An answer: the raw features, what the sample states, and the vector that the model of `epoch` learns.

    Of an `erased` sample's answer these are empty and the label is the ordinal of its text among the sample's labels: it counts as
    it did and teaches nothing.
    """

    sample_id: str
    label: str
    labeler: str
    epoch: int
    features: Features
    vector: dict[str, Any]  # numbers, texts, and embeddings (`service.core.columns.ARRAYS`)
    labeled_at: str | None = None
    erased: bool = False
    guesses: list[str | None] = []  # what the arms took it for before any of them learned it (`service.core.taught`)
    arms: int = 0  # that learn it: none unless the question was asked at random
    probabilities: Probabilities | None = None


class Retracted(_Event, frozen=True):
    """A labeler takes an answer back."""

    sample_id: str
    labeler: str


class Skipped(_Event, frozen=True):
    """A labeler will not answer a question, and is not handed it again; it stays open for others."""

    sample_id: str
    labeler: str
    reason: str | None = None


class Swapped(_Event, frozen=True):
    """From here on the model rebuilt without what was superseded up to `through` answers."""

    through: int


class Erased(_Event, frozen=True):
    """These samples are gone for good: its commit blanks what earlier events say of them (`service.core.erasure`)."""

    sample_ids: list[str]


class Checkpoint(_Event, frozen=True):
    """The decision state, and the transcript of the serving state after the event `through`.

    `preprocessing` is None where it is too large to be written every second. `measure` is what a measure keeps of recent samples.
    """

    run: int
    through: int
    transcript: bytes
    epoch: int
    mark: Mark
    rule: list[float]
    preprocessing: bytes | None = None
    measure: bytes = b""


Event = Configured | Asked | Withdrawn | Expired | Labelled | Retracted | Skipped | Swapped | Erased | Checkpoint

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Event)


def encode(event: Event) -> bytes:
    """Return the event as MessagePack; floats keep every bit."""
    return _encoder.encode(event)


def decode(data: bytes) -> Event:
    """Return the event that `encode` wrote; raises `msgspec.ValidationError` on anything else."""
    event: Event = _decoder.decode(data)
    return event


def sample_of(event: Event) -> str | None:
    """The sample that an event is about, if it is about one."""
    return getattr(event, "sample_id", None)
