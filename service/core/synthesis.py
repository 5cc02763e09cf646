"""Samples that never were, near the decision boundary: walks between two real ones that are predicted opposite. Nothing is learned here.

Every number lies between those of the two, every other value is one of theirs, so nothing leaves the observed range of its feature.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec
import numpy as np

from service.core.batch import Rows
from service.core.config import ModelSpec
from service.core.features import Features, Scalar
from service.core.records import Prediction

NEAR: Final = 0.1  # p1 - p2 of what counts as near the boundary

_HALVINGS = 30  # of a way
_WAYS = 20  # that are tried between two samples
_PARTNERS = 3  # samples predicted otherwise that are tried for one

Predict = Callable[[Features], dict[str, float]]
_NUMBERS = (float, int)


class Candidate(msgspec.Struct, frozen=True):
    """A real sample, and what the model takes it for."""

    sample_id: str
    features: Features
    prediction: Prediction


class Synthetic(msgspec.Struct, frozen=True):
    """A sample that never was, `margin` (p1 - p2) from the boundary, made of its two parents."""

    features: Features
    probabilities: dict[str, float]
    margin: float
    parents: tuple[str, str]


def margin_of(probabilities: dict[str, float]) -> float:
    """The probability of the likeliest class less that of the second; 1 where nothing or one class is known.

    >>> margin_of({"a": 0.5, "b": 0.25, "c": 0.25}), margin_of({"a": 1.0})
    (0.25, 1.0)
    """
    first, second = sorted((*probabilities.values(), 0.0, 0.0), reverse=True)[:2]
    return first - second if first else 1.0


def reads_text(model: ModelSpec) -> bool:
    """Whether a model reads the words of texts."""
    return model.type == "text" or any(step.class_.startswith("feature_extraction.") for step in model.pipeline or ())


def integral(samples: Iterable[Features]) -> frozenset[str]:
    """The features whose numbers are all integers."""
    kinds: dict[str, bool] = {}
    for features in samples:
        for name, value in features.items():
            if value.__class__ in _NUMBERS:
                kinds[name] = kinds.get(name, True) and value.__class__ is int
    return frozenset(name for name, whole in kinds.items() if whole)


def pairs(candidates: Sequence[Candidate], rows: Rows, anchors: Sequence[int]) -> Iterator[tuple[Candidate, Candidate]]:
    """For each anchor the nearest samples that are predicted otherwise: first one for all, then the next. `rows` are theirs, (n, d)."""
    labels = np.array([candidate.prediction.label for candidate in candidates])
    ranked = [_others(rows, labels, anchor) for anchor in anchors]
    for turn in range(_PARTNERS):
        for anchor, others in zip(anchors, ranked, strict=True):
            if turn < len(others):
                yield candidates[anchor], candidates[others[turn]]


def _others(rows: Rows, labels: np.typing.NDArray[np.str_], anchor: int) -> list[int]:
    apart = np.square(rows - rows[anchor]).sum(axis=1)
    others = np.flatnonzero(labels != labels[anchor])
    return [int(place) for place in others[np.argsort(apart[others], kind="stable")][:_PARTNERS]]


def walk(one: Candidate, other: Candidate, whole: frozenset[str], predict: Predict) -> Generator[None, None, Synthetic | None]:
    """Halve the way between two samples that are predicted otherwise until the margin is at most 0.1; yields after each look.

    After Settles (Active Learning Literature Survey, 2009, 2.1) and Wang and others (Active learning via query synthesis and nearest
    neighbour search, 2015). Numbers move together; what is no number is taken from one side, and on each way one value more from
    the other. `whole` features stay integers. Returns None where no way leads near the boundary: a model may jump over it.
    """
    for near, far in islice(_ways(one.features, other.features), _WAYS):
        low, high = 0.0, 1.0
        start = Prediction.of(predict(near)).label
        yield
        end = Prediction.of(predict(far)).label
        yield
        if start == end:
            continue
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            features = {name: _between(value, far[name], middle, name in whole) for name, value in near.items()}
            probabilities = predict(features)
            yield
            margin = margin_of(probabilities)
            if margin <= NEAR:
                return Synthetic(features, probabilities, margin, (one.sample_id, other.sample_id))
            if Prediction.of(probabilities).label == start:
                low = middle
            else:
                high = middle
    return None


def _ways(one: Features, other: Features) -> Iterator[tuple[Features, Features]]:
    """The two ends of each way: they differ in numbers alone; from way to way one more of the other values is the other side's."""
    near, far = dict(one), {name: other[name] if _both_numbers(name, one, other) else value for name, value in one.items()}
    yield dict(near), dict(far)
    for name in dict.fromkeys((*one, *other)):
        if _both_numbers(name, one, other) or (name in one and name in other and one[name] == other[name]):
            continue
        for end in (near, far):
            end.pop(name, None)
            if name in other:
                end[name] = other[name]
        yield dict(near), dict(far)


def _both_numbers(name: str, one: Features, other: Features) -> bool:
    return one.get(name).__class__ in _NUMBERS and other.get(name).__class__ in _NUMBERS


def _between(one: Scalar, other: Scalar, share: float, whole: bool) -> Scalar:
    """The value at a share of the way; exactly within the two whatever the rounding."""
    if one == other or one.__class__ not in _NUMBERS or other.__class__ not in _NUMBERS:
        return one
    low, high = sorted((one, other))
    value = one + share * (other - one)
    return min(max(round(value) if whole else value, low), high)
