"""Preprocessing as the learner sees it: raw features in, the vector that a model learns out; the label-free half of a model.

`observe` learns from a sample and gives its vector; `vector` only gives it. States go to the log, so they carry every bit.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

from river import base

from service.core.columns import Tabular, Vector, Words, decode_state, encode_state
from service.core.embedder import embedded
from service.core.features import Features
from service.core.freezer import freeze, thaw


class Vectoriser(Protocol):
    """What turns raw features into vectors."""

    def observe(self, features: Features) -> Vector:
        """Learn from the features, without a label, and return their vector."""
        ...

    def observe_all(self, samples: Sequence[Features]) -> list[Vector]:
        """Do with each what `observe` does with one."""
        ...

    def vector(self, features: Features) -> Vector:
        """Return the vector of the features; nothing moves."""
        ...

    def kept(self, features: Features) -> Features:
        """Return those features of a sample that was just observed which stand in the state as they came, and can be taken out."""
        ...

    def forget(self, samples: Sequence[Features]) -> "Vectoriser | None":
        """Take these samples' raw values out of the state.

        Where that cannot be done nothing changes, and another one that saw nothing yet is returned, to begin anew.
        """
        ...

    def state(self) -> bytes:
        """Return all that moves."""
        ...

    def restore(self, state: bytes) -> None:
        """Continue what `state` gave."""
        ...


class Unmoved:
    """No column of any feature, for a model that looks at none; it learns nothing."""

    def observe(self, features: Features) -> Vector:  # noqa: ARG002 - as all of this, a vectoriser's signature
        """Return nothing."""
        return {}

    def observe_all(self, samples: Sequence[Features]) -> list[Vector]:
        """Return nothing of each."""
        return [{} for _ in samples]

    def vector(self, features: Features) -> Vector:  # noqa: ARG002
        """Return nothing."""
        return {}

    def kept(self, features: Features) -> Features:  # noqa: ARG002
        """Nothing of a sample stays here."""
        return {}

    def forget(self, samples: Sequence[Features]) -> None:
        """Nothing of them is here."""

    def state(self) -> bytes:
        """Nothing moves."""
        return b""

    def restore(self, state: bytes) -> None:
        """Nothing to continue."""


class Plain:
    """Scaled numbers and one-hot strings; embeddings as vectors of the length `arrays`, and left out without one."""

    def __init__(self, arrays: float = 0.0) -> None:
        """Start with no columns."""
        self._tabular = Tabular(arrays=arrays)

    def observe(self, features: Features) -> Vector:
        """Learn, then transform."""
        return self._tabular.observe(features)

    def observe_all(self, samples: Sequence[Features]) -> list[Vector]:
        """Learn and transform sample by sample, or column by column where that is the same."""
        return self._tabular.observe_all(samples)

    def vector(self, features: Features) -> Vector:
        """Transform."""
        return self._tabular.transform(features)

    def kept(self, features: Features) -> Features:
        """Return the numbers that young scales keep."""
        return self._tabular.kept(features)

    def forget(self, samples: Sequence[Features]) -> None:
        """Take numbers out of young scales."""
        for features in samples:
            self._tabular.forget(features)

    def state(self) -> bytes:
        """Return the columns."""
        return encode_state(self._tabular.state())

    def restore(self, state: bytes) -> None:
        """Continue the columns."""
        self._tabular.restore(decode_state(state))


class Text:
    """One text field as weighted words, and as an embedding too where it is told so; everything else as `Plain` has it."""

    def __init__(self, words: Words, *, embed: bool = False) -> None:
        """Take the text field's half."""
        self._words = words
        self._embed = embed
        self._tabular = Tabular(arrays=1.0)  # as long as the vector of the words

    def observe(self, features: Features) -> Vector:
        """Learn, then transform."""
        self._words.learn(features)
        return {**self._words.transform(features), **self._tabular.observe(self._rest(features))}

    def observe_all(self, samples: Sequence[Features]) -> list[Vector]:
        """Learn and transform sample by sample."""
        return list(map(self.observe, samples))

    def vector(self, features: Features) -> Vector:
        """Transform."""
        return {**self._words.transform(features), **self._tabular.transform(self._rest(features))}

    def kept(self, features: Features) -> Features:
        """Return what young scales and centres keep; words are hashes."""
        return self._tabular.kept(self._rest(features))

    def forget(self, samples: Sequence[Features]) -> None:
        """Take numbers out of young scales."""
        for features in samples:
            self._tabular.forget(self._rest(features))

    def _rest(self, features: Features) -> Features:
        field = self._words.field
        rest = {name: value for name, value in features.items() if name != field}
        text = features.get(field) if self._embed else None
        if text is not None:
            rest[field] = embedded(text) if isinstance(text, str) else text
        return rest

    def state(self) -> bytes:
        """Return words and columns."""
        return encode_state([self._words.state(), self._tabular.state()])

    def restore(self, state: bytes) -> None:
        """Continue words and columns."""
        words, tabular = decode_state(state)
        self._words.restore(words)
        self._tabular.restore(tabular)


class Prefix:
    """The unsupervised first steps of a free pipeline, behind a guard that cuts wild values.

    A step at which a sample raises leaves an empty vector, which predicts nothing and is asked about like any unknown.
    """

    def __init__(self, steps: Sequence[base.Transformer], *, one_hot: bool) -> None:
        """Take the steps; `one_hot` where none of them handles strings."""
        self._steps = list(steps)
        self._new = freeze(self._steps)
        self._guard = Tabular(scale=False, one_hot=one_hot)

    def observe(self, features: Features) -> Vector:
        """Learn step by step, then transform."""
        self._guard.learn(features)
        return self._run(features, learning=True)

    def observe_all(self, samples: Sequence[Features]) -> list[Vector]:
        """Learn and transform sample by sample."""
        return list(map(self.observe, samples))

    def vector(self, features: Features) -> Vector:
        """Transform."""
        return self._run(features, learning=False)

    def _run(self, features: Features, *, learning: bool) -> Vector:
        vector: Any = self._guard.transform(features)
        try:
            for step in self._steps:
                if learning:
                    step.learn_one(vector)
                vector = step.transform_one(vector)
        except Exception:  # noqa: BLE001 - a step may raise anything at features that it was not made for
            return {}
        return {_name(key): value for key, value in vector.items() if _sound(value)}

    def kept(self, features: Features) -> Features:  # noqa: ARG002 - whatever it was, the steps begin anew
        """Nothing can be taken out of River's steps."""
        return {}

    def forget(self, samples: Sequence[Features]) -> "Prefix":  # noqa: ARG002 - they may stand anywhere in the steps
        """Return one that saw nothing: River's steps cannot unlearn."""
        return Prefix(thaw(self._new), one_hot=self._guard.one_hot)

    def state(self) -> bytes:
        """Return guard and steps."""
        return encode_state([self._guard.state(), freeze(self._steps)])

    def restore(self, state: bytes) -> None:
        """Continue guard and steps."""
        guard, steps = decode_state(state)
        self._guard.restore(guard)
        self._steps = thaw(steps)


def _name(key: object) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _sound(value: Any) -> bool:
    return isinstance(value, str | bool) or math.isfinite(value)
