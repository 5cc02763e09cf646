"""A model and the classes it knows, made sound: it never raises, and what it says is a distribution. It knows no events."""

import inspect
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from river import linear_model, multiclass

from service.core.columns import ARRAYS, Vector

_TOLERANCE = 1e-9  # by which a sum of probabilities may miss 1 before it is normalised


class Model(Protocol):
    """River's verbs; classes are integer codes in order of first appearance."""

    def predict_proba_one(self, x: dict[str, float]) -> dict[int, float]:
        """Return a probability a class; nothing moves."""
        ...

    def learn_one(self, x: dict[str, float], y: int) -> Any:
        """Learn one label."""
        ...


@runtime_checkable
class Judging(Protocol):
    """A model that holds several and answers with one of them."""

    def judge(self, x: dict[str, float], y: int, stakes: float) -> None:
        """See which of them would have been wrong about a label that stands for `stakes` samples; nothing is learned."""
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
        if ARRAYS in vectors[0] and self._codes and hasattr(self.model, "predict_proba_each"):
            with suppress(Exception):  # one by one a broken model knows nothing of those samples alone at which it raises
                return list(map(self._sound, self.model.predict_proba_each(vectors)))
        return list(map(self.predict, vectors))

    def teach(self, vector: Vector, label: str, weight: float = 1.0) -> bool:
        """Learn one label; False where the model raises, and then the label counts as unlearnable."""
        code = self._code(label)
        try:
            if weight == 1.0:
                self.model.learn_one(vector, code)
            else:
                learn_weighted(self.model, vector, code, weight)
        except Exception:  # noqa: BLE001 - the fold is total: it goes on at any label
            return False
        return True

    def _code(self, label: str) -> int:
        code = self._codes.get(label)
        if code is None:
            code = self._codes[label] = len(self.classes)
            self.classes.append(label)
        return code

    def judge(self, vector: Vector, label: str, stakes: float) -> None:
        """Have a model that chooses among several see what each makes of a label, before it is learned.

        The label stands for `stakes` samples. One of a class that no model knows tells nothing of them, nor does one that nobody asked for.
        """
        code = self._codes.get(label)
        if isinstance(self.model, Judging) and code is not None and stakes > 0.0:
            self.model.judge(vector, code, stakes)

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


def learn_weighted(model: Any, vector: Vector, code: int, weight: float) -> None:
    """Learn a label of another weight than 1: as such where the model knows weights, else as often, rounded."""
    if "w" in inspect.signature(model.learn_one).parameters:
        model.learn_one(vector, code, w=weight)
        return
    for _ in range(round(weight)):
        model.learn_one(vector, code)


def is_linear(model: Any) -> bool:
    """Whether a model's outputs are linear in its vectors, up to a function of one output each or of all."""
    inside = model.classifier if isinstance(model, multiclass.OneVsRestClassifier) else model
    return getattr(model, "linear", False) or isinstance(inside, linear_model.base.GLM | linear_model.SoftmaxRegression)
