"""All that labels teach: the model, and what learns beside it. It decides nothing and knows neither budget nor log."""

import copy
from collections.abc import Iterable
from typing import ClassVar

from msgspec import UNSET, UnsetType

from service.core.auto import AutoModel, Choice
from service.core.columns import Vector
from service.core.companions import Companion, LastLabels, members_of
from service.core.events import Labelled
from service.core.features import RESERVED
from service.core.knowing import Knowing, Model, is_linear
from service.core.recalibration import Recalibration
from service.core.records import Forecast, Lesson, Prediction
from service.core.stated import MAX_CLASSES, Probabilities, evidence
from service.core.vectoriser import Vectoriser


class Taught(Knowing):
    """A model of one epoch (the position of the configuration that named it), and the preprocessing it began with.

    `base` gives the vectors of answers that were made for an earlier epoch. It moves with the log alone, unlike the
    preprocessing that serves. A `companion` learns what the model learns, for a measure that asks more than probabilities. `arms`
    are models of the same kind that learn from answers to random questions alone, the first from all of them and the next from a
    share: what random asking would have learned (`service.core.evaluation.savings`).
    """

    relays: ClassVar[bool] = False  # whether it predicts by what a sample states (`service.core.relaying`)
    unproven: bool = False  # whether what it relays cannot be trusted yet

    def __init__(self, epoch: int, model: Model, base: Vectoriser, companion: Companion | None = None, arms: Iterable[Model] = ()) -> None:
        """Start with no classes."""
        super().__init__(model)
        self.epoch = epoch
        self.base = base
        self.companion = companion
        self.arms = [Knowing(arm) for arm in arms]
        self.trust: Recalibration | None = None  # in what samples state, once any label says
        self._heard: dict[str, None] = {}  # columns of evidence that were learned

    def teach(self, vector: Vector, label: str, weight: float = 1.0) -> bool:
        """Learn one label; False where the model raises, and then the label counts as unlearnable."""
        learned = super().teach(vector, label, weight)
        if learned and self.companion is not None:
            self.companion.learn(vector, self._codes[label])
        return learned

    def learn(self, answer: Labelled, vector: Vector, lesson: Lesson) -> bool:
        """Learn an answer, and so do the arms that may; False where the label is unlearnable."""
        if answer.probabilities is not None and not self.relays:
            vector = self._admitted(vector)
        for arm in self.arms[: answer.arms]:
            arm.judge(vector, lesson.label, 1.0)  # what it learns was asked at random
            arm.teach(vector, lesson.label)
        if answer.probabilities is not None:
            self.believe(answer.probabilities, lesson)
        self.judge(vector, lesson.label, lesson.stakes)
        return self.teach(vector, lesson.label, lesson.weight)

    def _admitted(self, vector: Vector) -> Vector:
        """Return a vector without evidence of classes beyond the first 1,000: a model keeps something for every column that it learned."""
        heard = self._heard
        for column in vector:
            if column.startswith(RESERVED) and len(heard) < MAX_CLASSES:
                heard[column] = None
        return {column: value for column, value in vector.items() if column in heard or not column.startswith(RESERVED)}

    @property
    def cold(self) -> bool:
        """Whether too little is known to be unsure of anything: nothing can be unsure of one class."""
        return len(self.classes) < 2  # noqa: PLR2004 - the same

    def told(self, said: dict[str, float]) -> tuple[Prediction, Forecast | UnsetType]:
        """Put what `predict` gave into the shape of answers."""
        return Prediction.of(said), UNSET

    def believe(self, probabilities: Probabilities, lesson: Lesson) -> None:
        """Learn how far to trust what samples state."""
        self.trust = self.trust or Recalibration()
        self.trust.learn_one(probabilities, lesson.label, lesson.weight)

    def joined(self, vector: Vector, probabilities: Probabilities | None) -> Vector:
        """Return a sample's vector with columns of evidence, where the sample states any: as far as it was right to trust it so far."""
        if probabilities is None:
            return vector
        return {**evidence(probabilities if self.trust is None else self.trust.predict_proba_one(probabilities)), **vector}

    @property
    def recalibration(self) -> Recalibration | None:
        """How far what samples state is trusted, once any label says."""
        return self.trust

    def guesses(self, vector: Vector) -> list[str | None]:
        """Return what each arm takes a sample for."""
        return [Prediction.of(arm.predict(vector)).label for arm in self.arms]

    def opinions(self, vector: Vector) -> list[dict[str, float]]:
        """Return what each member of an ensemble, or of the committee beside the model, predicts; of those that know something."""
        opinions = (self._said_by(member, vector) for member in members_of(self.model, self.companion))
        return [opinion for opinion in opinions if opinion]

    def frequencies(self, vector: Vector, bandwidth: float) -> list[float] | None:
        """Return how many labels of each class, by code, stand around a vector; None without such evidence."""
        evidence = self.companion
        return evidence.frequencies(vector, len(self.classes), bandwidth) if isinstance(evidence, LastLabels) else None

    def witnessed(self, vector: Vector) -> dict[str, float]:
        """Return what is to be proven of a vector: the prediction, what the companion says and how far others are trusted.

        These stand under names that no class has.
        """
        said = [] if self.companion is None else self.companion.imprint(vector)
        said = [*said, *([] if self.trust is None else self.trust.imprint())]
        return self.predict(vector) | {f"\0{number}": value for number, value in enumerate(said)}

    @property
    def choice(self) -> Choice | None:
        """Which of several models answers and why; None where there is one."""
        return self.model.choice if isinstance(self.model, AutoModel) else None

    @property
    def linear(self) -> bool:
        """Whether the model is linear in its vectors."""
        return is_linear(self.model)

    def vector_of(self, answer: Labelled) -> Vector:
        """Return the vector to learn: the answer's own, or one made here if it was made for another model."""
        return answer.vector if answer.epoch == self.epoch else self.joined(self.base.observe(answer.features), answer.probabilities)

    def follow(self, answer: Labelled, lesson: Lesson) -> None:
        """Learn what an answer taught the serving model."""
        self.learn(answer, self.vector_of(answer), lesson)

    def under(self, epoch: int) -> "Taught":
        """Return this model in the place of one of another epoch, which nobody will ask."""
        stand_in = copy.copy(self)
        stand_in.epoch, stand_in.arms = epoch, []
        return stand_in

    def serving_vectoriser(self) -> Vectoriser:
        """Return a copy of the preprocessing, which serving then moves with every sample."""
        return copy.deepcopy(self.base)

    def _said_by(self, member: Model, vector: Vector) -> dict[str, float]:
        try:
            return self._sound(member.predict_proba_one(vector))
        except Exception:  # noqa: BLE001 - a broken member has no opinion
            return {}
