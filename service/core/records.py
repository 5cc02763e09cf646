"""The values that the core hands out: a prediction, a decision, the outcome of a label. Frozen; nobody acts in here.

They can be part of no cycle, and a server remembers many of them, so the garbage collector does not look at them.
"""

from typing import Literal, NamedTuple

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
    "confident",
    "budget",
    "max-open",
    "cap",
    "unavailable",
    "disabled",
    "answered",
]
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
    """The answer to a sample, as it is stored with a question and given again to the same id."""

    id: str
    model_version: int
    prediction: Prediction
    query: Query


class Lesson(NamedTuple):
    """A label to learn, and how much it weighs."""

    label: str
    weight: float = 1.0


class Applied(NamedTuple):
    """What the fold of an event amounted to."""

    outcome: Outcome | None
    model_version: int
    rebuild: bool = False
    taught: Lesson | None = None
