"""The shapes of what is told of a stream: its configuration, and how it stands; the rest as in `service.api.schemas`."""

import msgspec

from service.core.auto import Choice
from service.core.config import StreamConfig
from service.core.mixture import Mixture


class CandidateOut(msgspec.Struct, frozen=True):
    """A rule among those that `auto` mixes.

    `weight` is its part of the rule's questions now, `labels` what it brought of the last answers (those that several wanted are shared
    out), `surprise` how wrong the model was in the mean about what it wants asked, from 0 to 1; null before there are enough answers.
    """

    weight: float
    labels: float
    surprise: float | None


class RulesOut(msgspec.Struct, frozen=True):
    """How the rules stand that `auto` mixes, by the last `answers`, and why.

    `lead` is by how much choosing is more accurate than drawing as many labels would be, `deviation` its standard deviation.
    """

    candidates: dict[str, CandidateOut]
    answers: int
    lead: float
    deviation: float
    reason: str


class Recalibrated(msgspec.Struct, frozen=True):
    """How far a model of the caller's own can be trusted, by so many labels.

    Its logits are divided by the `temperature` (above 1: it was too sure), and a share `lapses` of its answers is wrong however sure it is.
    """

    labels: int
    temperature: float
    lapses: float


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a stream stands.

    `answering` where its model chooses among several, `rules` where its rule is `auto`, `recalibration` where labels of samples with
    probabilities were learned.
    """

    created_at: str
    model_version: int
    classes: list[str]
    seen: int
    asked: int
    given_back: int
    open: int
    taught: int
    left: float
    grant: float
    rebuilding: bool
    answering: Choice | None = None
    rules: RulesOut | None = None
    recalibration: Recalibrated | None = None


class StreamOut(msgspec.Struct, frozen=True):
    """A stream's effective configuration and how it stands."""

    stream: str
    config: StreamConfig
    summary: Summary


class StreamsOut(msgspec.Struct, frozen=True):
    """All streams."""

    streams: list[StreamOut]


def rules_of(mixture: Mixture | None) -> RulesOut | None:
    """How the rules of a stream stand that mixes several."""
    if mixture is None:
        return None
    candidates = {one.name: CandidateOut(one.weight, one.labels, one.surprise) for one in mixture.standings}
    return RulesOut(candidates, mixture.answers, mixture.lead, mixture.deviation, mixture.reason)
