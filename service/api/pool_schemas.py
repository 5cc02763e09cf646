"""The shapes of requests and answers about a stream's pool, and of what is made of it; the rest as in `service.api.schemas`."""

from typing import Annotated, Any, Literal

import msgspec

from service.api.schemas import QueryOut
from service.core.records import Prediction

Batch = Annotated[int, msgspec.Meta(ge=1, le=500)]


class PoolOut(msgspec.Struct, frozen=True):
    """The samples that nobody was asked about and that are kept in memory: how many of at most `size`, and how old the oldest is.

    `pending` more are asked about as soon as the questions of a batch that goes in portions are settled.
    """

    samples: int
    size: int
    keep: str
    bytes: int
    oldest: str | None
    pending: int


class SelectIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many samples of the pool to ask about; with `at_once` so many at a time, each portion when the one before has its answers."""

    n: Batch = 50
    at_once: Batch | None = None


class SelectOut(msgspec.Struct, frozen=True):
    """The questions that were asked, in the order in which they were picked; how many more were not, by reason, and how many follow."""

    queries: list[QueryOut]
    refused: dict[str, int]
    pending: int


class SynthesiseIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many samples to make near the decision boundary, and whether to ask about them."""

    n: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    ask: bool = True


class SyntheticOut(msgspec.Struct, frozen=True):
    """A sample that never was, made of its two `parents`; `margin` is p1 - p2. It has an id where it was asked about."""

    sample_id: str | None
    synthetic: Literal[True]
    features: dict[str, Any]
    prediction: Prediction
    margin: float
    parents: tuple[str, str]


class SynthesiseOut(msgspec.Struct, frozen=True):
    """The samples that were made; and how many more were not, by reason."""

    samples: list[SyntheticOut]
    refused: dict[str, int]
