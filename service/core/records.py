"""The values that the core hands out: a prediction, a decision, the outcome of a label. Frozen; nobody acts in here.

They can be part of no cycle, and a server remembers many of them, so the garbage collector does not look at them.
"""

from typing import Final, Literal, NamedTuple

import msgspec

Reason = Literal[
    "cold-start",
    "uncertain",
    "disagreement",
    "model-change",
    "representative",
    "recurring",
    "gain",
    "unknown",
    "exploration",
    "random",
    "periodic",
    "pool",
    "synthetic",
    "confident",
    "budget",
    "max-open",
    "cap",
    "unavailable",
    "disabled",
    "answered",
]
CHOSEN: Final = frozenset({"pool", "synthetic"})  # reasons for questions that no coin decided: nothing is estimated from these
Outcome = Literal[
    "learned",
    "duplicate",
    "corrected",
    "recorded",
    "conflict",
    "late",
    "skipped",
    "unlearnable",
    "retracted",
    "erased",
    "unknown",
]


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What the model says: the likeliest class, its probability, and all of them by class text; empty before the first label."""

    label: str | None
    confidence: float | None
    probabilities: dict[str, float]

    @classmethod
    def of(cls, probabilities: dict[str, float]) -> "Prediction":
        """Pick the likeliest class; the first of equals, in order of first appearance."""
        if not probabilities:
            return cls(None, None, {})
        label, confidence = None, -1.0
        for name, probability in probabilities.items():
            if probability > confidence:
                label, confidence = name, probability
        return cls(label, confidence, probabilities)


class Forecast(msgspec.Struct, frozen=True, gc=False):
    """What the model of a regression stream says: a number, how far off it is by its own account, and an interval of 95 %.

    `deviation` is a standard deviation in the label's unit. None is what the model cannot tell yet.
    """

    value: float | None
    deviation: float | None
    low: float | None
    high: float | None


class BudgetView(msgspec.Struct, frozen=True, gc=False):
    """The account at the moment of a decision: samples seen, questions asked less given back, how many were allowed, how many wait."""

    seen: int
    asked: int
    allowed: int
    open: int


class Query(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Whether to ask and why. `probability` is the propensity, before the coin was thrown, that this sample would be asked.

    `wished` has the probabilities of the candidates that the rule mixes, by name, where it does and they had a say.
    """

    ask: bool
    probability: float
    reason: Reason
    utility: float
    threshold: float | None
    rule: str
    budget: BudgetView
    wished: dict[str, float] | None = None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The answer to a sample, as it is stored with a question and given again to the same id.

    Of a regression stream the prediction is the `forecast`, and `prediction` is empty.
    """

    id: str
    model_version: int
    prediction: Prediction
    query: Query
    forecast: Forecast | msgspec.UnsetType = msgspec.UNSET

    @property
    def said(self) -> Prediction | Forecast:
        """What the model said, whatever the stream's task."""
        return self.prediction if self.forecast is msgspec.UNSET else self.forecast

    @property
    def sureness(self) -> float | None:
        """The confidence by which samples are told apart in estimates; 0 for any forecast, None where nothing was predicted."""
        if self.forecast is msgspec.UNSET:
            return self.prediction.confidence
        return None if self.forecast.value is None else 0.0

    @property
    def synthetic(self) -> bool:
        """Whether its sample never was, but was made near the decision boundary."""
        return self.query.reason == "synthetic"


_RAREST = 0.002  # chance by which samples that a label stands for are told at most: half the floor at a rate of 1.3 %


class Lesson(NamedTuple):
    """A label to learn, how much it weighs, and the chance that it had of being asked for; 0 for one that no coin decided."""

    label: str
    weight: float = 1.0
    chance: float = 0.0

    @property
    def stakes(self) -> float:
        """How many samples it stands for in estimates: none where no coin decided."""
        return 1.0 / max(_RAREST, self.chance) if self.chance else 0.0


class Applied(NamedTuple):
    """What the fold of an event amounted to."""

    outcome: Outcome | None
    model_version: int
    rebuild: bool = False
    taught: Lesson | None = None
