"""A model and the classes it knows: the state that only labels move. It decides nothing and knows neither budget nor log."""

import copy
import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from service.core.columns import Vector
from service.core.events import Labelled
from service.core.records import Prediction
from service.core.vectoriser import Vectoriser

_TOLERANCE = 1e-9  # by which a sum of probabilities may miss 1 before it is normalised


class Model(Protocol):
    """River's verbs; classes are integer codes in order of first appearance."""

    def predict_proba_one(self, x: dict[str, float]) -> dict[int, float]:
        """Return a probability a class; nothing moves."""
        ...

    def learn_one(self, x: dict[str, float], y: int) -> Any:
        """Learn one label."""
        ...


class Knowing:
    """A model and its class codec."""

    def __init__(self, model: Model) -> None:
        """Start with no classes."""
        self.model = model
        self.classes: list[str] = []
        self._codes: dict[str, int] = {}

    def predict(self, vector: Vector) -> dict[str, float]:
        """Return a probability for every class that the model knows, by class text; empty before the first label.

        Whatever the model gives is made sound: what is not finite or negative counts as nothing, the rest is normalised, and
        a model that raises or gives nothing knows nothing.
        """
        if not self._codes:
            return {}
        try:
            return self._sound(self.model.predict_proba_one(vector))
        except Exception:  # noqa: BLE001 - a broken model must not stop the service
            return {}

    def predict_all(self, vectors: Sequence[Vector]) -> list[dict[str, float]]:
        """Return what `predict` says of each."""
        return list(map(self.predict, vectors))

    def teach(self, vector: Vector, label: str) -> bool:
        """Learn one label; False where the model raises, and then the label counts as unlearnable."""
        code = self._codes.get(label)
        if code is None:
            code = self._codes[label] = len(self.classes)
            self.classes.append(label)
        try:
            self.model.learn_one(vector, code)
        except Exception:  # noqa: BLE001 - the fold is total: it goes on at any label
            return False
        return True

    def _sound(self, raw: Any) -> dict[str, float]:
        if len(raw) == 2 and len(self.classes) == 2:  # noqa: PLR2004 - nearly every stream has two classes
            one, other = raw.get(0), raw.get(1)
            if one.__class__ is other.__class__ is float and one >= 0.0 <= other and abs(one + other - 1.0) <= _TOLERANCE:
                return {self.classes[0]: one, self.classes[1]: other}
        probabilities: dict[str, float] = {}
        total = 0.0
        for code, name in enumerate(self.classes):
            value = raw.get(code, 0.0)
            if value.__class__ is not float:
                value = float(value)
            if not 0.0 <= value < math.inf:
                value = 0.0
            probabilities[name] = value
            total += value
        if total <= 0.0 or total == math.inf:
            return {}
        if abs(total - 1.0) > _TOLERANCE:
            return {name: value / total for name, value in probabilities.items()}
        return probabilities


class Taught(Knowing):
    """A model of one epoch (the position of the configuration that named it), and the preprocessing it began with.

    `base` gives the vectors of answers that were made for an earlier epoch. It moves with the log alone, unlike the
    preprocessing that serves. `arms` are models of the same kind that learn from answers to random questions alone, the first from
    all of them and the next from a share: what random asking would have learned (`service.core.evaluation.savings`).
    """

    def __init__(self, epoch: int, model: Model, base: Vectoriser, arms: Iterable[Model] = ()) -> None:
        """Start with no classes."""
        super().__init__(model)
        self.epoch = epoch
        self.base = base
        self.arms = [Knowing(arm) for arm in arms]

    def guesses(self, vector: Vector) -> list[str | None]:
        """Return what each arm takes a sample for."""
        return [Prediction.of(arm.predict(vector)).label for arm in self.arms]

    def learn(self, answer: Labelled, vector: Vector, label: str) -> bool:
        """Learn an answer, and so do the arms that may; False where the label is unlearnable."""
        for arm in self.arms[: answer.arms]:
            arm.teach(vector, label)
        return self.teach(vector, label)

    def vector_of(self, answer: Labelled) -> Vector:
        """Return the vector to learn: the answer's own, or one made here if it was made for another model."""
        return answer.vector if answer.epoch == self.epoch else self.base.observe(answer.features)

    def follow(self, answer: Labelled, label: str) -> None:
        """Learn what an answer taught the serving model."""
        self.learn(answer, self.vector_of(answer), label)

    def under(self, epoch: int) -> "Taught":
        """Return this model in the place of one of another epoch, which nobody will ask."""
        stand_in = Taught(epoch, self.model, self.base)
        stand_in.classes, stand_in._codes = self.classes, self._codes
        return stand_in

    def serving_vectoriser(self) -> Vectoriser:
        """Return a copy of the preprocessing, which serving then moves with every sample."""
        return copy.deepcopy(self.base)
