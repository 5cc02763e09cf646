"""All that labels teach where they are numbers: the counterpart of a model with classes, behind the same verbs. It decides nothing."""

from collections.abc import Iterable
from contextlib import suppress
from math import isfinite, sqrt
from statistics import fmean
from typing import Any

from msgspec import UnsetType

from service.core.columns import Vector
from service.core.companions import Companion, members_of
from service.core.conformal import Residuals
from service.core.events import Labelled
from service.core.knowing import learn_weighted
from service.core.records import Forecast, Lesson, Prediction
from service.core.taught import Taught
from service.core.vectoriser import Vectoriser

_WILDEST = 1e120  # labels have at most 1e100; squares of what is beyond would not be finite
_NOTHING = Prediction(None, None, {})


class Regressing(Taught):
    """A regressor of one epoch, and what its answered questions say of how far it is off.

    What `predict` gives has the names of a forecast in the place of classes: `value`, and `deviation`, `low` and `high` as soon
    as they are known.
    """

    def __init__(self, epoch: int, model: Any, base: Vectoriser, companion: Companion | None = None) -> None:
        """Start with no label; nothing is told of what random asking would have done."""
        super().__init__(epoch, model, base, companion)
        self.labels = 0
        self.residuals = Residuals()

    @property
    def cold(self) -> bool:
        """Whether too little is known to be unsure of anything: one label has no spread."""
        return self.labels < 2  # noqa: PLR2004 - the same

    def predict(self, vector: Vector) -> dict[str, float]:
        """Return what the model says of a sample; empty before the first label, and where the model raises or gives no finite number."""
        if not self.labels:
            return {}
        try:
            model: Any = self.model
            return self._sounded(float(model.predict_one(vector)), self._deviation(vector))
        except Exception:  # noqa: BLE001 - a broken model must not stop the service
            return {}

    def _sounded(self, value: float, deviation: float | None) -> dict[str, float]:
        """A forecast as far as it is of any sense."""
        if not abs(value) <= _WILDEST:
            return {}
        if deviation is None or not deviation <= _WILDEST:
            return {"value": value}
        reach, said = self.residuals.reach, {"value": value, "deviation": deviation}
        return said if reach is None else {**said, "low": value - reach * deviation, "high": value + reach * deviation}

    def told(self, said: dict[str, float]) -> tuple[Prediction, Forecast | UnsetType]:
        """Put what `predict` gave into the shape of answers."""
        return _NOTHING, Forecast(said.get("value"), said.get("deviation"), said.get("low"), said.get("high"))

    def teach(self, vector: Vector, label: str, weight: float = 1.0) -> bool:
        """Learn one label; False where it is no number or the model raises, and then it counts as unlearnable."""
        try:
            number = float(label)
            if not isfinite(number):
                return False
            learn_weighted(self.model, vector, number, weight)  # type: ignore[arg-type]  # a regressor learns numbers
        except Exception:  # noqa: BLE001 - the fold is total: it goes on at any label
            return False
        self.labels += 1
        if self.companion is not None:
            self.companion.learn(vector, number)  # type: ignore[arg-type]  # the same
        return True

    def learn(self, answer: Labelled, vector: Vector, lesson: Lesson) -> bool:  # noqa: ARG002 - no arms learn here
        """Take note of how far an answer lies from its prediction, if it was asked for, and learn it."""
        said = self.predict(vector)
        learned = self.teach(vector, lesson.label, lesson.weight)
        if learned and lesson.chance and said:
            self.residuals.see(float(lesson.label) - said["value"], said.get("deviation"), lesson.chance)
        return learned

    def under(self, epoch: int) -> "Regressing":
        """Return this model in the place of one of another epoch, which nobody will ask."""
        stand_in = Regressing(epoch, self.model, self.base, self.companion)
        stand_in.labels, stand_in.residuals = self.labels, self.residuals
        return stand_in

    def _deviation(self, vector: Vector) -> float | None:
        """The model's own account; else the last residuals and how far its members are apart; None where nothing says."""
        if hasattr(self.model, "deviation_one"):
            own: float | None = self.model.deviation_one(vector)
            return own
        usual = self.residuals.deviation
        return None if usual is None else sqrt(usual * usual + variance(said_by(members_of(self.model, None), vector)))


def said_by(members: Iterable[Any], vector: Vector) -> list[float]:
    """What each of some regressors says; those that raise or give no finite number say nothing."""
    said: list[float] = []
    for member in members:
        with suppress(Exception):  # a broken member has no opinion
            said.append(float(member.predict_one(vector)))
    return [value for value in said if isfinite(value)]


def variance(values: list[float]) -> float:
    """The mean squared distance from the mean; 0 of less than two.

    >>> variance([1.0, 3.0]), variance([])
    (1.0, 0.0)
    """
    if not values:
        return 0.0
    mean = fmean(values)
    return fmean((value - mean) ** 2 for value in values)
