"""What labels teach of a model of the caller's own: how far to trust it. It predicts before it is taught anything."""

from collections.abc import Iterable
from typing import ClassVar

from service.core.columns import Vector
from service.core.companions import Companion
from service.core.knowing import Model
from service.core.recalibration import Recalibration
from service.core.records import Lesson
from service.core.stated import Probabilities
from service.core.taught import Taught
from service.core.vectoriser import Vectoriser


class Relaying(Taught):
    """A recalibration in the place of a model, whose vectors are the stated probabilities by class.

    It has no arms: no label changes which class such a model names, so that asking at random would make it no better or worse.
    """

    relays: ClassVar[bool] = True
    model: Recalibration  # type: ignore[assignment]  # it knows classes by their text

    def __init__(self, epoch: int, model: Recalibration, base: Vectoriser, companion: Companion | None) -> None:
        """Start with nothing learned."""
        super().__init__(epoch, model, base, companion)  # type: ignore[arg-type]
        self.unproven = model.unproven

    @property
    def cold(self) -> bool:
        """Whether what it relays cannot be trusted yet."""
        return self.unproven

    def joined(self, vector: Vector, probabilities: Probabilities | None) -> Vector:  # noqa: ARG002 - features say nothing here
        """Return what a sample states, as it is; nothing of one that states nothing."""
        return dict(probabilities or {})

    def believe(self, probabilities: Probabilities, lesson: Lesson) -> None:
        """Nothing: that is what it is taught itself."""

    @property
    def recalibration(self) -> Recalibration | None:
        """How far what samples state is trusted, once any label says."""
        return self.model if self.model.labels else None

    def predict(self, vector: Vector) -> dict[str, float]:
        """Return the recalibrated probabilities; empty for a sample that states none."""
        return self.model.predict_proba_one(vector)

    def teach(self, vector: Vector, label: str, weight: float = 1.0) -> bool:
        """Learn one label; False, unlearnable, where its sample states nothing."""
        code = self._code(label)
        if not vector:
            return False
        self.model.learn_one(vector, label, weight)
        self.unproven = self.model.unproven
        if self.companion is not None:
            self.companion.learn(vector, code)
        return True


def taught(epoch: int, model: Model, base: Vectoriser, companion: Companion | None, arms: Iterable[Model]) -> Taught:
    """What is taught of a model that is built, with what learns beside it."""
    if isinstance(model, Recalibration):
        return Relaying(epoch, model, base, companion)
    return Taught(epoch, model, base, companion, arms)
