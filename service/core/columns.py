"""Raw features to numbers: running scales, one column a string value, word weights. Learns from every sample, labelled or not.

Everything here is bounded and holds against wild values: one 1e99 moves no scale by more than its share of ten deviations. No text
that came in stands in what goes out or is kept: columns are named by hashes, so that nothing of it has to be found again to be erased.
"""

import math
from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any
from zlib import crc32

import msgspec
from river.feature_extraction import BagOfWords

from service.core.centres import Centres
from service.core.features import Features
from service.core.scale import CLIP, WIDE, Scale
from service.core.tokens import LONG, column_of, recent_token

MAX_COLUMNS = 20_000
_OVERFLOW = 1_024  # shared columns for the string values and words that come after the last own column

_NUMBERS = (float, int)
_ALL_NUMBERS = frozenset(_NUMBERS)
_RAW = (float, int, bool)  # what a scale keeps as it came

Vector = dict[str, Any]

ARRAYS = ""  # the name, which no column has, under which a vector has its embeddings: column -> bytes

_split: Callable[[str], list[str]] = BagOfWords(lowercase=True).process_text


class Tabular:
    """Numbers and booleans scaled (or only cut), string values as columns of their own (one-hot), null left out.

    The first 20,000 columns have names of their own. Numbers under later names are ignored; later string values, and those of
    more than 100 characters, share 1,024 overflow columns by hash. Embeddings are left out unless they are given a length.
    """

    def __init__(self, *, scale: bool = True, one_hot: bool = True, arrays: float = 0.0) -> None:
        """Choose whether numbers are scaled and strings made columns; without `one_hot` strings pass as they are.

        `arrays` is the length of an embedding as a vector.
        """
        self.scale = scale
        self.one_hot = one_hot
        self.scales: dict[str, Scale] = {}
        self.values: dict[str, None] = {}
        self.centres = Centres(arrays)
        self._young: dict[str, None] = {}  # scales that still keep their first values

    def learn(self, features: Features) -> None:
        """Take one sample's features into the scales and columns."""
        scales = self.scales
        for name, value in features.items():
            if value.__class__ is str:
                self._learn_value(name, value)
            elif value.__class__ is bytes:
                self.centres.observe(name, value)
            elif value is not None:
                scale = scales.get(name)
                if scale is None:
                    if len(scales) + len(self.values) >= MAX_COLUMNS:
                        continue
                    scale = scales[name] = Scale()
                    self._young[name] = None
                scale.learn(float(value))
                if scale.first is None:
                    self._young.pop(name, None)

    def transform(self, features: Features) -> dict[str, Any]:
        """Return the columns of one sample; nothing is learned."""
        vector: dict[str, Any] = {}
        scales = self.scales
        for name, value in features.items():
            if value.__class__ is str:
                if self.one_hot:
                    vector[self._column(name, value)] = 1.0
                else:
                    vector[name] = value
            elif value.__class__ is bytes:
                _put(self.centres.directions(name, value), vector)
            elif value is not None:
                scale = scales.get(name)
                if scale is not None:
                    number = float(value)
                    vector[name] = scale.scaled(number) if self.scale else scale.cut(number)
        return vector

    def observe(self, features: Features) -> Vector:
        """Take one sample in and return its columns: the same to the bit as `learn` and then `transform`, in one pass.

        Nearly every value is a number within ten deviations of a scale that is past its first values; it goes no further than here.
        """
        vector: Vector = {}
        scales = self.scales
        for name, value in features.items():
            scale = scales.get(name)
            if scale is not None and scale.first is None and value.__class__ in _NUMBERS:
                delta = value - scale.mean
                width = WIDE * scale.deviation
                if -width < delta < width:
                    scale.count = count = scale.count + 1
                    scale.mean = mean = scale.mean + delta / count
                    rest = value - mean
                    scale.squares = squares = scale.squares + delta * rest
                    scale.deviation = deviation = sqrt(squares / count)
                    scaled = rest / deviation
                    if -CLIP < scaled < CLIP and self.scale:
                        vector[name] = scaled
                        continue
                else:
                    scale.learn(float(value))
            elif value.__class__ is bytes:
                _put(self.centres.observe(name, value), vector)
                continue
            else:
                self.learn({name: value})
            vector.update(self.transform({name: value}))
        return vector

    def observe_all(self, samples: Sequence[Features]) -> list[Vector]:
        """Take samples in: the same to the bit as `observe` one by one.

        Where all have the same numbers, of scales past their first values, and embeddings, each column is walked at once: no column
        knows of another.
        """
        names = list(samples[0])
        columns = self._columns_of(names, samples) if len(samples) > 1 else None
        if columns is None:
            return list(map(self.observe, samples))
        empty = {name: 0.0 for name, column in columns.items() if column[0].__class__ is not bytes}
        vectors: list[Vector] = [empty.copy() for _ in samples]
        for name, column in columns.items():
            if name in empty:
                self.scales[name].observe_all(name, column, vectors)
            else:
                for vector, embeddings in zip(vectors, self.centres.observe_all(name, column), strict=True):
                    _put(embeddings, vector)
        return vectors

    def _columns_of(self, names: list[str], samples: Sequence[Features]) -> dict[str, Sequence[Any]] | None:
        if not self.scale or any(list(features) != names for features in samples):
            return None
        columns: dict[str, Any] = dict(zip(names, zip(*[features.values() for features in samples], strict=True), strict=True))
        return columns if all(self._is_walkable(name, column) for name, column in columns.items()) else None

    def _is_walkable(self, name: str, column: Sequence[Any]) -> bool:
        scale = self.scales.get(name)
        if scale is not None:
            return scale.first is None and _ALL_NUMBERS.issuperset(map(type, column))
        return set(map(type, column)) == {bytes} and len(set(map(len, column))) == 1

    def kept(self, features: Features) -> Features:
        """Return the numbers of a sample that stand here as they came: those of scales that still keep their first values."""
        if not self._young and not self.centres.young:
            return {}
        return self._kept_by_scales(features) | self.centres.kept(features)

    def _kept_by_scales(self, features: Features) -> Features:
        kept = ((name, features.get(name)) for name in self._young)
        return {name: value for name, value in kept if value.__class__ in _RAW}

    def forget(self, features: Features) -> None:
        """Take a sample's numbers out of the scales and centres that still keep their first values, wherever they stand there."""
        self.centres.forget(features)
        for name, value in self._kept_by_scales(features).items():
            scale = self.scales.pop(name)
            left = scale.without(float(value or 0.0))
            if left is None:
                del self._young[name]
            else:
                self.scales[name] = left

    def _learn_value(self, name: str, value: str) -> None:
        if self.one_hot and len(value) <= LONG:
            column = column_of(name, value)
            if column not in self.values and len(self.scales) + len(self.values) < MAX_COLUMNS:
                self.values[column] = None

    def _column(self, name: str, value: str) -> str:
        if len(value) > LONG:
            return _shared(f"{name}={value}")
        column = column_of(name, value)
        return column if column in self.values else _shared(column)

    def state(self) -> Any:
        """Return all that moves."""
        return [{name: scale.state() for name, scale in self.scales.items()}, list(self.values), self.centres.state()]

    def restore(self, state: Any) -> None:
        """Continue what `state` gave."""
        scales, values, centres = state
        self.scales = {name: Scale.of(scale) for name, scale in scales.items()}
        self._young = {name: None for name, scale in self.scales.items() if scale.first is not None}
        self.values = dict.fromkeys(values)
        self.centres.restore(centres)


class Words:
    """TF-IDF weights of the words of one text field, L2-normalised, as scikit-learn and River define them.

    weight = count / length x (ln((1 + texts) / (1 + texts with the word)) + 1). Words are River's `BagOfWords` tokens. The first
    `columns` words have columns of their own, later ones share 1,024 by hash; with `hashing` all words share `columns` columns.
    """

    def __init__(self, field: str, *, hashing: bool, columns: int, mark: str = "") -> None:
        """Name the field, the bound on columns, and what their names begin with."""
        self.field = field
        self.mark = mark
        self.hashing = hashing
        self.columns = columns
        self.texts = 0
        self.frequencies: dict[str, int] = {}

    def learn(self, features: Features) -> None:
        """Take one sample's text into the frequencies."""
        self.texts += 1
        known = self.frequencies
        for column in dict.fromkeys(map(self._column, self._words(features))):
            known[column] = known.get(column, 0) + 1

    def transform(self, features: Features) -> Vector:
        """Return the weights of one sample's words; nothing is learned."""
        counts: dict[str, int] = {}
        for word in self._words(features):
            column = self._column(word)
            counts[column] = counts.get(column, 0) + 1
        known, texts = self.frequencies, 1 + self.texts
        weights = {column: count * (math.log(texts / (1 + known.get(column, 0))) + 1) for column, count in counts.items()}
        norm = sqrt(math.fsum(weight * weight for weight in weights.values())) or 1.0
        return {column: weight / norm for column, weight in weights.items()}

    def _words(self, features: Features) -> Sequence[str]:
        value = features.get(self.field)
        return _split(value) if isinstance(value, str) else ()

    def _column(self, word: str) -> str:
        if self.hashing:
            return f"{self.mark}#{crc32(word.encode()) % self.columns}"
        if len(word) > LONG:
            return self.mark + _shared(word)
        column = self.mark + recent_token(word)
        return column if column in self.frequencies or len(self.frequencies) < self.columns else self.mark + _shared(word)

    def state(self) -> Any:
        """Return all that moves."""
        return [self.texts, self.frequencies]

    def restore(self, state: Any) -> None:
        """Continue what `state` gave."""
        self.texts, self.frequencies = state


def _put(embeddings: dict[str, bytes], vector: Vector) -> None:
    if ARRAYS in vector:
        vector[ARRAYS] |= embeddings
    elif embeddings:
        vector[ARRAYS] = embeddings


def _shared(column: str) -> str:
    return f"#{crc32(column.encode()) % _OVERFLOW}"


encode_state = msgspec.msgpack.encode
decode_state = msgspec.msgpack.decode
