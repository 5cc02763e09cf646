"""What came of a run over labels that are numbers: how far each prediction was off. Values only; nothing runs here."""

from array import array
from collections.abc import Sequence
from math import isnan, nan, sqrt
from statistics import fmean
from typing import Any

import msgspec

from service.core.evaluation import Errors, View, overall_errors
from service.core.records import Decision
from service.core.tasks import number_text

_WITHIN, _OUTSIDE, _UNTOLD = 1, 0, 2


class Purchase:
    """What was bought in a run: `bought` has one byte a sample, 0 or 1."""

    __slots__ = ()
    bought: bytes

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.bought)

    @property
    def labels(self) -> int:
        """Labels bought."""
        return sum(self.bought)

    @property
    def rate(self) -> float:
        """Labels bought a sample."""
        return self.labels / self.n if self.n else 0.0


class ErrorsRun(Purchase, msgspec.Struct, frozen=True):
    """What came of one run; `errors` has |label - prediction| a sample, NaN before the first prediction.

    `bought` has one byte a sample, 0 or 1; `within` as well, 2 where no interval was told. `estimate` is what the service would have
    said of its errors at the end, from the labels that arrived.
    """

    errors: Sequence[float]
    bought: bytes
    learned: int
    microseconds_per_decision: float
    estimate: Errors
    within: bytes

    def errors_or(self, unknown: float) -> list[float]:
        """The errors, with another figure where nothing was predicted yet."""
        return [unknown if isnan(error) else error for error in self.errors]

    @property
    def known(self) -> list[float]:
        """The errors of the samples with a prediction."""
        return [error for error in self.errors if not isnan(error)]

    @property
    def mae(self) -> float:
        """The mean absolute error over all samples with a prediction, each predicted before any learning from it."""
        return fmean(self.known) if self.known else nan

    @property
    def rmse(self) -> float:
        """The root mean squared error over them."""
        return sqrt(fmean(error * error for error in self.known)) if self.known else nan

    @property
    def inside(self) -> float | None:
        """The share of labels within the interval of 95 %, where one was told; None where none was."""
        told = self.within.count(_WITHIN) + self.within.count(_OUTSIDE)
        return self.within.count(_WITHIN) / told if told else None


class Numbers:
    """What is noted of every sample."""

    def __init__(self) -> None:
        """Start with none."""
        self._errors = array("d")
        self._within = bytearray()

    def see(self, decision: Decision, raw: Any) -> str:
        """Take a sample in; returns its label's text."""
        said: Any = decision.forecast
        label = float(raw)
        self._errors.append(nan if said.value is None else abs(label - said.value))
        self._within.append(_UNTOLD if said.low is None else said.low <= label <= said.high)
        return number_text(label)

    def run(self, bought: bytes, learned: int, microseconds: float, view: View) -> ErrorsRun:
        """What came of it."""
        return ErrorsRun(self._errors, bought, learned, microseconds, overall_errors(view), bytes(self._within))
