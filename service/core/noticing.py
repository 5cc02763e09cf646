"""Preprocessing that notices by itself which string features are texts: these become weighted words, all else is as `Plain` has it."""

from collections.abc import Sequence
from typing import Any

from service.core.columns import Tabular, Vector, Words, decode_state, encode_state
from service.core.features import Features
from service.core.tokens import WORD, token

COLUMNS = 50_000  # words with columns of their own

_LOOKED_AT = 64  # values of a feature after which it is what it is
_WORDS = 3  # in the mean, that make a text
_MOST_FIELDS = 1_000  # features that are looked at
_TEXT = ""  # the name under which all texts of a sample are read


class Field:
    """What is known of a string feature: values, their words, and which values there were, until it is settled whether it is a text.

    Texts have three words or more in the mean, and fewer than half of them were seen before; what has few values, however long, is a
    category. The first value alone gives a first answer, so that a model of words begins with the first label.
    """

    __slots__ = ("different", "is_text", "values", "words")

    def __init__(self) -> None:
        """Start with no values."""
        self.values = self.words = 0
        self.different: dict[str, None] | None = {}  # None: settled
        self.is_text = False

    def see(self, value: str) -> None:
        """Take a value in."""
        if self.different is None:
            return
        self.values += 1
        self.words += len(value.split())
        self.different[token(value)] = None
        self.is_text = self.words >= _WORDS * self.values and 2 * len(self.different) > self.values
        if self.values == _LOOKED_AT:
            self.different = None

    def state(self) -> list[Any]:
        """Return all that moves."""
        return [self.values, self.words, None if self.different is None else list(self.different), self.is_text]

    @classmethod
    def of(cls, state: list[Any]) -> "Field":
        """Continue what `state` gave."""
        field = cls()
        field.values, field.words, different, field.is_text = state
        field.different = None if different is None else dict.fromkeys(different)
        return field


class Noticing:
    """Scaled numbers, one-hot strings, and the words of all texts together in columns whose names begin with `WORD`."""

    def __init__(self, arrays: float = 0.0) -> None:
        """Start with no columns; `arrays` is the length of an embedding as a vector."""
        self._fields: dict[str, Field] = {}
        self._words = Words(_TEXT, hashing=False, columns=COLUMNS, mark=WORD)
        self._tabular = Tabular(arrays=arrays)

    @property
    def texts(self) -> list[str]:
        """The features that are read as texts."""
        return [name for name, field in self._fields.items() if field.is_text]

    def observe(self, features: Features) -> Vector:
        """Learn, then transform."""
        if str not in map(type, features.values()):
            return self._tabular.observe(features)
        self._look_at(features)
        text, rest = self._parted(features)
        if not text:
            return self._tabular.observe(rest)
        self._words.learn(text)
        return {**self._words.transform(text), **self._tabular.observe(rest)}

    def observe_all(self, samples: Sequence[Features]) -> list[Vector]:
        """Learn and transform sample by sample, or column by column where that is the same."""
        if any(str in map(type, features.values()) for features in samples):
            return list(map(self.observe, samples))
        return self._tabular.observe_all(samples)

    def vector(self, features: Features) -> Vector:
        """Transform."""
        text, rest = self._parted(features)
        vector = self._tabular.transform(rest)
        return {**self._words.transform(text), **vector} if text else vector

    def kept(self, features: Features) -> Features:
        """Return the numbers that young scales keep; values of strings are hashes."""
        return self._tabular.kept(features)

    def forget(self, samples: Sequence[Features]) -> None:
        """Take numbers out of young scales."""
        for features in samples:
            self._tabular.forget(features)

    def _look_at(self, features: Features) -> None:
        for name, value in features.items():
            if value.__class__ is str:
                field = self._fields.get(name)
                if field is None and len(self._fields) < _MOST_FIELDS:
                    field = self._fields[name] = Field()
                if field is not None:
                    field.see(value)

    def _parted(self, features: Features) -> tuple[Features, Features]:
        """The texts of a sample as one, and all else."""
        texts = {name: value for name in self.texts if isinstance(value := features.get(name), str)}
        if not texts:
            return {}, features
        return {_TEXT: "\n".join(texts.values())}, {name: value for name, value in features.items() if name not in texts}

    def state(self) -> bytes:
        """Return what was noticed, words and columns."""
        return encode_state([{name: field.state() for name, field in self._fields.items()}, self._words.state(), self._tabular.state()])

    def restore(self, state: bytes) -> None:
        """Continue them."""
        fields, words, tabular = decode_state(state)
        self._fields = {name: Field.of(field) for name, field in fields.items()}
        self._words.restore(words)
        self._tabular.restore(tabular)
