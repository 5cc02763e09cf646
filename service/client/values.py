"""What goes to the service and what comes back, as frozen values. Answers may have more fields than are known here; those are ignored."""

from datetime import datetime
from typing import Any

import msgspec

LabelValue = str | int | float | bool  # answers always have it as a text; a float only where the stream is a regression


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sample to be sent. Features are numbers, booleans, strings or None (missing; NaN is sent as missing).

    `probabilities` are those of a model of your own, by class: they sum to 1.
    Where the stream declares embeddings these are arrays of numbers, lists or numpy's.
    """

    features: dict[str, Any]
    id: str | None = None
    time: datetime | None = None  # with its time zone
    probabilities: dict[str, float] | None = None


class Label(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer to be sent; `features` and `probabilities` only for a sample that the service does not hold."""

    sample_id: str
    label: LabelValue
    labeler: str | None = None
    labeled_at: datetime | None = None  # with its time zone
    features: dict[str, Any] | None = None
    probabilities: dict[str, float] | None = None


class Place(msgspec.Struct, frozen=True):
    """Where a request is wrong (a JSON pointer such as `#/features/x`), and what is wrong there."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457 problem details; in a batch it stands in the place of the answer to a line that was refused."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[Place] = []

    @property
    def pointers(self) -> tuple[str, ...]:
        """The places that are wrong, as JSON pointers."""
        return tuple(place.pointer for place in self.errors)

    @property
    def sentence(self) -> str:
        """What is wrong, and where, for a person."""
        return f"{self.detail} ({', '.join(self.pointers)})" if self.errors else self.detail


class Prediction(msgspec.Struct, frozen=True):
    """What the model says of a sample; nothing before it has learned anything.

    Of a regression stream a `value` with its standard `deviation`, and the ends of an interval of 95 %.
    """

    label: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] = {}
    value: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None


class Budget(msgspec.Struct, frozen=True):
    """The account at the moment of a decision: samples seen, questions asked, how many were allowed, how many wait."""

    seen: int
    asked: int
    allowed: int
    open: int


class Query(msgspec.Struct, frozen=True):
    """Whether a label is worth paying for, and why; `probability` is the chance of being asked before the coin was thrown."""

    ask: bool
    probability: float
    reason: str
    utility: float
    threshold: float | None
    rule: str
    budget: Budget
    wished: dict[str, float] | None = None  # what each candidate of the rule `auto` would have asked with


class Decision(msgspec.Struct, frozen=True):
    """The answer to a sample."""

    id: str
    stream: str
    model_version: int
    prediction: Prediction
    query: Query
    replayed: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What an answer amounted to: `learned`, `duplicate`, `corrected`, `recorded`, `conflict`, `late`, `skipped`, `retracted`, ..."""

    sample_id: str
    outcome: str
    model_version: int
    rebuilding: bool = False


class Lease(msgspec.Struct, frozen=True):
    """Who holds a question, and until when (RFC 3339)."""

    labeler: str
    until: str


class Question(msgspec.Struct, frozen=True):
    """A question that waits for a person."""

    sample_id: str
    features: dict[str, Any]
    prediction: Prediction
    utility: float
    reason: str
    asked_at: str  # RFC 3339
    expires_at: str  # RFC 3339
    lease: Lease | None = None
    probabilities: dict[str, float] | None = None  # that came with its sample
    synthetic: bool = False  # its sample never was: it was made near the decision boundary


class Page(msgspec.Struct, frozen=True):
    """Some open questions; `cursor` gets the next ones."""

    queries: list[Question]
    cursor: str | None = None


class QuestionState(msgspec.Struct, frozen=True):
    """What became of a question."""

    state: str
    asked_at: str  # RFC 3339
    expires_at: str  # RFC 3339


class Vote(msgspec.Struct, frozen=True):
    """A labeler's standing answer."""

    labeler: str
    label: str


class SampleState(msgspec.Struct, frozen=True):
    """All that the service holds of a sample; the decision is None for one that only came along with a label."""

    id: str
    stream: str
    model_version: int | None
    prediction: Prediction | None
    query: Query | None
    question: QuestionState | None
    labels: list[Vote]
    probabilities: dict[str, float] | None = None  # that came with a sample that was asked about
    synthetic: bool = False


class Pool(msgspec.Struct, frozen=True):
    """The unasked samples that a stream keeps: how many of at most `size`, which (`keep`), and since when (RFC 3339).

    `pending` of them will be asked about when the questions before them have their answers.
    """

    samples: int
    size: int
    keep: str
    bytes: int
    oldest: str | None
    pending: int = 0


class Selection(msgspec.Struct, frozen=True):
    """The questions that were asked about samples of the pool; how many more were not, by reason, and how many follow later."""

    queries: list[Question]
    refused: dict[str, int]
    pending: int = 0


class Synthetic(msgspec.Struct, frozen=True):
    """A sample that never was, between its two `parents`, `margin` (p1 - p2) from the boundary; with an id where it was asked about."""

    sample_id: str | None
    features: dict[str, Any]
    prediction: Prediction
    margin: float
    parents: tuple[str, str]


class Synthesis(msgspec.Struct, frozen=True):
    """The samples that were made; and how many more were not, by reason."""

    samples: list[Synthetic]
    refused: dict[str, int]


class Candidate(msgspec.Struct, frozen=True):
    """How a model of several stands: its accuracy over all traffic of late, and how many random labels would tell as much."""

    model: str
    accuracy: float | None
    labels: float


class Answering(msgspec.Struct, frozen=True):
    """Which model of several answers, how many labels it had learned when it began to, and why."""

    model: str
    since: int
    why: str
    candidates: list[Candidate]


class MixedRule(msgspec.Struct, frozen=True):
    """A rule that `auto` mixes: its part of the questions now, labels it brought of late, how wrong the model was about what it wants."""

    weight: float
    labels: float
    surprise: float | None


class Rules(msgspec.Struct, frozen=True):
    """How the rules stand that `auto` mixes, by the last `answers`, and why; `lead` is that of choosing over drawing, in accuracy."""

    candidates: dict[str, MixedRule]
    answers: int
    lead: float
    deviation: float
    reason: str


class Recalibration(msgspec.Struct, frozen=True):
    """How far a model of your own can be trusted, by so many labels: divide its logits by `temperature`; a share of `lapses` is noise."""

    labels: int
    temperature: float
    lapses: float


class Summary(msgspec.Struct, frozen=True):
    """How a stream stands; `answering` where its model is one of several, `rules` where the rule is `auto`."""

    created_at: str  # RFC 3339
    model_version: int
    classes: list[str]
    seen: int
    asked: int
    given_back: int
    open: int
    taught: int
    left: float  # questions
    grant: float  # questions of the start-up grant
    rebuilding: bool
    answering: Answering | None = None
    rules: Rules | None = None
    recalibration: Recalibration | None = None


class Stream(msgspec.Struct, frozen=True):
    """A stream's effective configuration and how it stands."""

    stream: str
    config: dict[str, Any]
    summary: Summary
