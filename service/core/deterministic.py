"""River's classes where River itself depends on set order, changes when it predicts, or grows for ever. No model of our own lives here.

Each subclass keeps River's name and parameters; its docstring says what River does and why that cannot stay:

- `{c: 0.0 for c in self.classes}` iterates a set. With text labels its order follows `PYTHONHASHSEED`, and so do the last bits of the
  sum that normalises; integer class codes hide this only while no two of them collide in the set's table.
- `compose.Select` iterates a set of feature names, which are text: the order of features, hence of every sum after it, is the seed's.
- A first prediction makes the members of a forest, from the features of whoever asked first.
- Some methods are kept in the state where a snapshot cannot restore them without calling `getattr`.
- River bounds trees by `sys.getsizeof`, which is another number after pickling; here a count of leaves does.
"""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: ANN401, D102 - River is untyped; a method does what River's does, except for what its class's docstring says

import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any, TypeAlias

from river import (
    compose,
    ensemble,
    feature_extraction,
    feature_selection,
    forest,
    linear_model,
    multiclass,
    neighbors,
    preprocessing,
    tree,
)
from river.feature_extraction.vectorize import strip_accents_unicode
from river.forest import adaptive_random_forest

MAX_LEAVES = 2_000  # a tree
MAX_COLUMNS = 10_000  # one-hot columns, or terms, an encoder knows
MAX_ORDINALS = 1_000  # categories a feature
MAX_PRODUCT_INPUTS = 100  # features that products are made of

Sample: TypeAlias = dict[Any, Any]
Probabilities: TypeAlias = dict[Any, float]


class SortedSet(set[Any]):
    """A set that iterates in order."""

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(super().__iter__()))


class _SortedClasses:
    """The attribute `classes`, in which River keeps the labels it has seen, in order."""

    _sorted_classes: SortedSet

    @property
    def classes(self) -> SortedSet:
        return self._sorted_classes

    @classes.setter
    def classes(self, value: set[Any]) -> None:
        self._sorted_classes = SortedSet(value)


class _BoundedGrowth:
    """A Hoeffding tree that stops splitting at `MAX_LEAVES`."""

    def _attempt_to_split(self: Any, leaf: Any, parent: Any, parent_branch: Any, **kwargs: Any) -> Any:
        if self._n_active_leaves + self._n_inactive_leaves < MAX_LEAVES:
            return super()._attempt_to_split(leaf, parent, parent_branch, **kwargs)  # type: ignore[misc]
        return None

    def _estimate_model_size(self) -> None:
        """Nothing: bytes are not the same number twice."""


class HoeffdingTreeClassifier(_BoundedGrowth, tree.HoeffdingTreeClassifier):
    """Bounded."""


class HoeffdingAdaptiveTreeClassifier(_BoundedGrowth, _SortedClasses, tree.HoeffdingAdaptiveTreeClassifier):  # type: ignore[misc]
    """Bounded, and its classes are summed in order."""


class ExtremelyFastDecisionTreeClassifier(_BoundedGrowth, tree.ExtremelyFastDecisionTreeClassifier):  # type: ignore[misc]
    """Bounded."""


class LASTClassifier(_BoundedGrowth, _SortedClasses, tree.LASTClassifier):  # type: ignore[misc]
    """Bounded, and its classes are summed in order."""


class _ForestTree(_BoundedGrowth, adaptive_random_forest.BaseTreeClassifier):
    """A member of `ARFClassifier`, bounded."""


_FOREST_TREE = [name for name in inspect.signature(adaptive_random_forest.BaseTreeClassifier).parameters if name != "rng"]


class ARFClassifier(forest.ARFClassifier):
    """Bounded, and made by the first label, not by the first prediction."""

    def predict_proba_one(self, x: Sample, **kwargs: Any) -> Probabilities:
        return super().predict_proba_one(x, **kwargs) if len(self) else {}

    def _new_base_model(self) -> Any:
        return _ForestTree(**{name: getattr(self, name) for name in _FOREST_TREE}, rng=self._rng)


class SRPClassifier(ensemble.SRPClassifier):
    """Made by the first label, not by the first prediction."""

    def predict_proba_one(self, x: Sample, **kwargs: Any) -> Probabilities:
        return super().predict_proba_one(x, **kwargs) if len(self) else {}


class LeveragingBaggingClassifier(ensemble.LeveragingBaggingClassifier):
    """Finds its way of bagging by name; a bound method in the state is no data."""

    @property
    def _bagging_fct(self) -> Callable[..., int]:
        ways = {"bag": self._leveraging_bag, "wt": self._leveraging_bag_wt, "subag": self._leveraging_subag}
        return ways[self.bagging_method]

    @_bagging_fct.setter
    def _bagging_fct(self, way: Callable[..., int]) -> None:
        """Ignored: River's constructor sets it."""


class PAClassifier(linear_model.PAClassifier):
    """Finds its step size by `mode`; a bound method in the state is no data."""

    @property
    def calc_tau(self) -> Callable[..., float]:
        tau: Callable[..., float] = {0: self._calc_tau_0, 1: self._calc_tau_1, 2: self._calc_tau_2}[self.mode]
        return tau

    @calc_tau.setter
    def calc_tau(self, way: Callable[..., float]) -> None:
        """Ignored: River's constructor sets it."""


class SoftmaxRegression(linear_model.SoftmaxRegression):
    """Copies its optimizer by a function that a snapshot may name."""

    def __init__(self, optimizer: Any = None, loss: Any = None, l2: float = 0) -> None:
        super().__init__(optimizer, loss, l2)
        self.optimizers = defaultdict(partial(_copy, self.optimizer))


class SelectKBest(feature_selection.SelectKBest):
    """Copies its statistic by a function that a snapshot may name."""

    def __init__(self, similarity: Any, k: int = 10, use_abs: bool = False) -> None:
        super().__init__(similarity, k, use_abs)
        self.similarities = defaultdict(partial(_copy, similarity))


def _copy(value: Any) -> Any:
    return deepcopy(value)


class KNNClassifier(_SortedClasses, neighbors.KNNClassifier):  # type: ignore[misc]
    """Its classes are summed in order."""


class OneVsRestClassifier(multiclass.OneVsRestClassifier):
    """Also for members that do not know both answers yet; River's raises `KeyError` then."""

    def predict_proba_one(self, x: Sample, **kwargs: Any) -> Probabilities:
        votes = {label: model.predict_proba_one(x, **kwargs).get(True, 0.0) for label, model in self.classifiers.items()}
        total = sum(votes.values())
        return {label: vote / total if total else 1 / len(votes) for label, vote in votes.items()}


class VotingClassifier(ensemble.VotingClassifier):
    """With probabilities: the mean of the members', or their shares of the votes."""

    def predict_proba_one(self, x: Sample, **_: Any) -> Probabilities:
        votes: Counter[Any] = Counter()
        for model in self:
            votes.update(self._vote(model, x))
        total = sum(votes.values())
        return {label: vote / total for label, vote in votes.items()} if total else {}

    def _vote(self, model: Any, x: Sample) -> Probabilities:
        if self.use_probabilities:
            return dict(model.predict_proba_one(x))
        label = model.predict_one(x)
        return {} if label is None else {label: 1.0}


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
    """At most `MAX_COLUMNS` columns; a category that was not learned has none."""

    def learn_one(self, x: Sample) -> None:
        for key, value in x.items():
            if len(self._zero_dict) < MAX_COLUMNS:
                self._zero_dict.setdefault(f"{key}_{value}", 0)

    def transform_one(self, x: Sample, y: object = None) -> Sample:  # noqa: ARG002 - River's signature
        row: Sample = {} if self.drop_zeros else dict(self._zero_dict)
        row.update({column: 1 for key, value in x.items() if (column := f"{key}_{value}") in self._zero_dict})
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

    def __init__(
        self, on: str, strip_accents: bool = True, lowercase: bool = True, ngram_range: tuple[int, int] = (1, 1)
    ) -> None:
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
        super().__init__(
            normalize=normalize, on=on, strip_accents=strip_accents, lowercase=lowercase, ngram_range=tuple(ngram_range)
        )
        self.processing_steps = []

    def process_text(self, x: Sample) -> list[str]:
        return [term for term in super().process_text(x) if term in self.dfs]

    def learn_one(self, x: Sample) -> None:
        self.n += 1
        for term in dict.fromkeys(_Words.process_text(self, x)):
            if term in self.dfs or len(self.dfs) < MAX_COLUMNS:
                self.dfs[term] += 1
