"""Probabilities that a sample states: those of a model of the caller's own. What is refused, and the columns that they become.

A stream whose model is `external` relays them, recalibrated; any other model learns from them as from features.
"""

import math
from collections.abc import Mapping, Sequence
from math import log

from service.core.errors import Invalid, below
from service.core.features import RESERVED, Features, label_text
from service.core.tokens import token

EXTERNAL = "external"  # the model that relays

Probabilities = dict[str, float]

MAX_CLASSES = 1_000
TOLERANCE = 1e-3  # by which their sum may miss 1

_WIDEST = 7.0  # of a logit: what is surer than 0.999 says no more to a model that learns from it
_FAITH = 0.5  # of a logit, to a model whose other columns are scaled
_POINTER = "/probabilities"


def check_stated(probabilities: Mapping[str, float], pointer: str = _POINTER) -> None:
    """Raise `Invalid` where these are no probabilities of classes: negative, not finite, off 1 in sum, or of what is no label."""
    if len(probabilities) > MAX_CLASSES:
        raise Invalid(pointer, f"at most {MAX_CLASSES} classes, not {len(probabilities)}")
    for name, value in probabilities.items():
        label_text(name, below(pointer, name))
        if not 0.0 <= value < math.inf:
            raise Invalid(below(pointer, name), "a probability is finite and not negative")
    total = math.fsum(probabilities.values())
    if not abs(total - 1.0) <= TOLERANCE:
        raise Invalid(pointer, f"these sum to {total:.6g}; the probabilities of all classes sum to 1, give or take {TOLERANCE:g}")


def check_fits(probabilities: Probabilities | None, model: str | None, classes: Sequence[str] | None) -> None:
    """Raise `Invalid` where a stream of this model and these declared classes cannot take what a sample states, or that it does not."""
    if probabilities is None:
        if model == EXTERNAL:
            raise Invalid(_POINTER, f"this stream's model is `{EXTERNAL}`: send the probabilities of your own model with every sample")
        return
    if classes is not None:
        for name in probabilities:
            if name not in classes:
                raise Invalid(below(_POINTER, name), f"{name!r} is none of the stream's classes: {', '.join(map(repr, classes[:20]))}")


def beside(features: Features, probabilities: Probabilities) -> Features:
    """All that a sample says in one dictionary: the probabilities under names that no feature has.

    >>> list(beside({"x": 1.0}, {"ok": 1.0})) == [RESERVED + "ok", "x"]
    True
    """
    return {**{RESERVED + name: value for name, value in probabilities.items()}, **features}


def evidence(probabilities: Probabilities) -> dict[str, float]:
    """A column a class for a model that learns from features as well: half the logit, cut at 7, under the class's token.

    Stacked generalisation (Wolpert 1992), of the kind that Ting and Witten (1999) found best: probabilities, and a linear model. Half,
    so that evidence of nothing costs no more than the label's noise (benchmarks/README.md).
    """
    return {RESERVED + token(name): _FAITH * _logit(value) for name, value in probabilities.items()}


def _logit(p: float) -> float:
    if p <= 0.0:
        return -_WIDEST
    return _WIDEST if p >= 1.0 else min(_WIDEST, max(-_WIDEST, log(p / (1.0 - p))))
