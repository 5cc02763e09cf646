"""What a measure is: how much a label is worth, in [0, 1]. It knows nothing of budgets; a rule turns its utility into a probability."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

from service.core.columns import Vector
from service.core.companions import Companion
from service.core.taught import Taught

Plain = Callable[[dict[str, float]], float]  # a measure that needs the probabilities alone, of which there are some


class Informed(Protocol):
    """A measure that needs more than probabilities: the sample's vector, the model with what learned beside it, recent samples.

    Parameters are keyword arguments stored as given. `reason` is the word for asks of rules that ask because of utility. What
    moves with samples stands in `state`, which is written with checkpoints; what moves with labels is a `companion`, which is kept
    with the model.
    """

    reason: ClassVar[str]

    def observe(self, sample_id: str, vector: Vector, probabilities: dict[str, float], taught: Taught) -> float:
        """Return the utility of a sample, and take note of it.

        Without probabilities, from a model that knows nothing yet, the sample is only taken note of, and its utility is 1.
        """
        ...

    def companion(self, make: Callable[[], Any]) -> Companion | None:
        """Return what is to learn beside a model, fresh, or None; `make` makes another model like it."""
        ...

    def state(self) -> bytes:
        """Return all that moves."""
        ...

    def restore(self, state: bytes) -> None:
        """Continue from what `state` gave."""
        ...

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Take these samples out of the state, if they are in it."""
        ...


Measure = Plain | Informed


class Unmoved:
    """The part of a measure that takes note of nothing."""

    def state(self) -> bytes:
        """Nothing to write."""
        return b""

    def restore(self, state: bytes) -> None:
        """Nothing to continue."""

    def forget(self, sample_ids: Sequence[str]) -> None:
        """Nothing of them is here."""


class Alone:
    """The part of a measure that needs nothing beside the model."""

    def companion(self, make: Callable[[], Any]) -> None:
        """Nothing learns beside the model."""
