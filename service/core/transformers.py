"""River's transformers where River itself depends on set order, changes when it transforms, or grows for ever. No classifiers live here.

Each subclass keeps River's name and parameters; its docstring says what differs. The causes:

- `compose.Select` and `TFIDF` iterate sets of text, whose order follows `PYTHONHASHSEED`: of features, hence of every sum after them.
- Scalers keep `defaultdict`s, to which a transformed feature is added, so that who only asks changes the state.
- Encoders and vocabularies have no bound.
"""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: D102 - River is untyped; a method does what River's does, except for what its class's docstring says

import re
from collections import Counter, defaultdict
from collections.abc import Hashable
from copy import deepcopy
from functools import partial
from typing import Any, TypeAlias

from river import compose, feature_extraction, feature_selection, preprocessing
from river.feature_extraction.vectorize import strip_accents_unicode

from service.core.tokens import token

MAX_COLUMNS = 10_000  # one-hot columns, or terms, an encoder knows
MAX_ORDINALS = 1_000  # categories a feature
MAX_PRODUCT_INPUTS = 100  # features that products are made of

Sample: TypeAlias = dict[Any, Any]


def copied(value: Any) -> Any:
    """Copy a part of which every feature or class gets its own; unlike `copy.deepcopy`, a snapshot may name this."""
    return deepcopy(value)


class SelectKBest(feature_selection.SelectKBest):
    """Copies its statistic by a function that a snapshot may name."""

    def __init__(self, similarity: Any, k: int = 10, use_abs: bool = False) -> None:
        super().__init__(similarity, k, use_abs)
        self.similarities = defaultdict(partial(copied, similarity))


class Select(compose.Select):
    """In the order given, and without complaint about a feature that is missing."""

    def __init__(self, *keys: Hashable) -> None:
        super().__init__(*keys)
        self.keys: Any = tuple(dict.fromkeys(keys))

    def transform_one(self, x: Sample) -> Sample:
        return {key: x[key] for key in self.keys if key in x}


class Normalizer(preprocessing.Normalizer):
    """Leaves a vector of zeros alone; River's divides by zero."""

    def transform_one(self, x: Sample) -> Sample:
        return super().transform_one(x) if any(x.values()) else x


class _KnownFeatures:
    """A scaler whose tables grow when it learns, not when it transforms: what it has not learned becomes 0."""

    _table: str  # the attribute that has an entry for each feature learned

    def transform_one(self, x: Sample) -> Sample:
        table = getattr(self, self._table)
        known = super().transform_one({key: value for key, value in x.items() if key in table})  # type: ignore[misc]
        return known if len(known) == len(x) else {key: known.get(key, 0.0) for key in x}


class StandardScaler(_KnownFeatures, preprocessing.StandardScaler):
    """Adds no feature by transforming. A rolling variance may come out below 0 by rounding; River's square root is complex then."""

    _table = "counts"

    def transform_one(self, x: Sample) -> Sample:
        scaled = super().transform_one(x)
        return {key: 0.0 if isinstance(value, complex) else value for key, value in scaled.items()} if self.window_size else scaled


class AdaptiveStandardScaler(_KnownFeatures, preprocessing.AdaptiveStandardScaler):
    """Adds no feature by transforming."""

    _table = "means"


class MinMaxScaler(_KnownFeatures, preprocessing.MinMaxScaler):
    """Adds no feature by transforming, and gives 0 for one that was not learned; River's gives NaN."""

    _table = "min"


class MaxAbsScaler(_KnownFeatures, preprocessing.MaxAbsScaler):
    """Adds no feature by transforming."""

    _table = "abs_max"


class RobustScaler(_KnownFeatures, preprocessing.RobustScaler):
    """Adds no feature by transforming."""

    @property
    def _table(self) -> str:  # type: ignore[override]
        return "median" if self.with_centering else "iqr"


class OneHotEncoder(preprocessing.OneHotEncoder):
    """At most `MAX_COLUMNS` columns; a category that was not learned has none.

    A column is named by its category's hash: with zeros kept, it stands in the vectors of all later samples.
    """

    def learn_one(self, x: Sample) -> None:
        for key, value in x.items():
            if len(self._zero_dict) < MAX_COLUMNS:
                self._zero_dict.setdefault(f"{key}_{token(str(value))}", 0)

    def transform_one(self, x: Sample, y: object = None) -> Sample:  # noqa: ARG002 - River's signature
        row: Sample = {} if self.drop_zeros else dict(self._zero_dict)
        row.update({column: 1 for key, value in x.items() if (column := f"{key}_{token(str(value))}") in self._zero_dict})
        if self.drop_first and row:
            row.pop(min(row))
        return row


class OrdinalEncoder(preprocessing.OrdinalEncoder):
    """At most `MAX_ORDINALS` categories a feature; the others are unknown. Encoding learns no feature."""

    def learn_one(self, x: Sample) -> None:
        super().learn_one({key: value for key, value in x.items() if len(self.values[key]) < MAX_ORDINALS})

    def transform_one(self, x: Sample) -> Sample:
        unknown = {key: self.none_value if value is None else self.unknown_value for key, value in x.items() if key not in self.values}
        known = super().transform_one({key: value for key, value in x.items() if key in self.values})
        return {key: known[key] if key in known else unknown[key] for key in x}


class PolynomialExtender(feature_extraction.PolynomialExtender):
    """Products of the first `MAX_PRODUCT_INPUTS` features by name; the others pass as they are."""

    def transform_one(self, x: Sample) -> Sample:
        chosen = sorted(x)[:MAX_PRODUCT_INPUTS]
        return {**x, **super().transform_one({key: x[key] for key in chosen})}


class _Words:
    """Splits the text of one feature into terms: words of two characters or more, and their n-grams, named with blanks between."""

    on: Any
    strip_accents: bool
    lowercase: bool
    ngram_range: tuple[int, int]
    tokenizer_pattern: str
    processing_steps: list[Any]

    def process_text(self, x: Sample) -> list[str]:
        text = x.get(self.on)
        if not isinstance(text, str):
            return []
        text = strip_accents_unicode(text) if self.strip_accents else text
        words = re.findall(self.tokenizer_pattern, text.lower() if self.lowercase else text)
        low, high = self.ngram_range
        return [" ".join(words[i : i + n]) for n in range(low, high + 1) for i in range(len(words) - n + 1)]


class BagOfWords(_Words, feature_extraction.BagOfWords):
    """At most `MAX_COLUMNS` terms; one that was not learned is left out."""

    def __init__(self, on: str, strip_accents: bool = True, lowercase: bool = True, ngram_range: tuple[int, int] = (1, 1)) -> None:
        super().__init__(on=on, strip_accents=strip_accents, lowercase=lowercase, ngram_range=tuple(ngram_range))
        self.processing_steps = []
        self.terms: set[str] = set()

    def learn_one(self, x: Sample) -> None:
        for term in self.process_text(x):
            if len(self.terms) < MAX_COLUMNS:
                self.terms.add(term)

    def transform_one(self, x: Sample) -> Sample:
        return dict(Counter(term for term in self.process_text(x) if term in self.terms))


class TFIDF(_Words, feature_extraction.TFIDF):
    """At most `MAX_COLUMNS` terms; one that was not learned is left out. River's counts documents in the order of a set."""

    def __init__(
        self,
        on: str,
        normalize: bool = True,
        strip_accents: bool = True,
        lowercase: bool = True,
        ngram_range: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__(normalize=normalize, on=on, strip_accents=strip_accents, lowercase=lowercase, ngram_range=tuple(ngram_range))
        self.processing_steps = []

    def process_text(self, x: Sample) -> list[str]:
        return [term for term in super().process_text(x) if term in self.dfs]

    def learn_one(self, x: Sample) -> None:
        self.n += 1
        for term in dict.fromkeys(_Words.process_text(self, x)):
            if term in self.dfs or len(self.dfs) < MAX_COLUMNS:
                self.dfs[term] += 1
