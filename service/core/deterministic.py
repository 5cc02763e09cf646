"""River's models where River itself depends on set order, changes when it predicts, or grows for ever. No model of our own is here.

Each subclass keeps River's name and parameters; its docstring says what River does and why that cannot stay:

- `{c: 0.0 for c in self.classes}` iterates a set. With text labels its order follows `PYTHONHASHSEED`, and so do the last bits of the
  sum that normalises; integer class codes hide this only while no two of them collide in the set's table.
- A first prediction makes the members of a forest, from the features of whoever asked first.
- Some methods are kept in the state where a snapshot cannot restore them without calling `getattr`.
- River bounds trees by `sys.getsizeof`, which is another number after pickling; here a count of leaves does.
"""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: D102 - River is untyped; a method does what River's does, except for what its class's docstring says

import inspect
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

from river import drift, ensemble, forest, linear_model, multiclass, neighbors, tree
from river.forest import adaptive_random_forest
from river.tree.splitter import qo_splitter

from service.core.transformers import copied

MAX_LEAVES = 2_000  # a tree

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
    """A Hoeffding tree that stops splitting at `max_leaves`."""

    max_leaves = MAX_LEAVES

    def _attempt_to_split(self: Any, leaf: Any, parent: Any, parent_branch: Any, **kwargs: Any) -> Any:
        if self._n_active_leaves + self._n_inactive_leaves < self.max_leaves:
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


_REGRESSION_FOREST_TREE = [name for name in inspect.signature(adaptive_random_forest.BaseTreeRegressor).parameters if name != "rng"]


class ARFClassifier(forest.ARFClassifier):
    """Bounded, and made by the first label, not by the first prediction."""

    def predict_proba_one(self, x: Sample, **kwargs: Any) -> Probabilities:
        return super().predict_proba_one(x, **kwargs) if len(self) else {}

    def _new_base_model(self) -> Any:
        return _ForestTree(**{name: getattr(self, name) for name in _FOREST_TREE}, rng=self._rng)


class HoeffdingTreeRegressor(_BoundedGrowth, tree.HoeffdingTreeRegressor):
    """Bounded."""


class _RegressionForestTree(_BoundedGrowth, adaptive_random_forest.BaseTreeRegressor):
    """A member of `ARFRegressor`, bounded."""


class ARFRegressor(forest.ARFRegressor):
    """Bounded, and made by the first label, not by the first prediction."""

    def predict_one(self, x: Sample) -> float:
        return float(super().predict_one(x)) if len(self) else 0.0

    def _new_base_model(self) -> Any:
        return _RegressionForestTree(**{name: getattr(self, name) for name in _REGRESSION_FOREST_TREE}, rng=self._rng)


class _Slot(qo_splitter.Slot):
    """Finds its way of updating by itself; a bound method in the state is no data. Targets are single numbers here."""

    __slots__ = ()

    @property
    def _update_estimator(self) -> Callable[..., None]:
        way: Callable[..., None] = self._update_estimator_univariate
        return way

    @_update_estimator.setter
    def _update_estimator(self, way: Callable[..., None]) -> None:
        """Ignored: River's constructor sets it."""

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {name: getattr(self, name) for name in ("x_stats", "y_stats", "is_single_target")}


class _FeatureQuantizer(qo_splitter.FeatureQuantizer):
    """Of such slots."""

    def update(self, x: float, y: Any, weight: float) -> None:
        index = math.floor(x / self.radius)
        if index in self.hash:
            self.hash[index].update(x, y, weight)
        else:
            self.hash[index] = _Slot(x, y, weight)


class QOSplitter(qo_splitter.QOSplitter):
    """Its slots can be snapshot."""

    def __init__(self, radius: float = 0.25, allow_multiway_splits: bool = False) -> None:
        super().__init__(radius, allow_multiway_splits)
        self._quantizer = _FeatureQuantizer(radius)


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
        self.optimizers = defaultdict(partial(copied, self.optimizer))


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


class PageHinkley(drift.PageHinkley):
    """Finds its test by `mode`; a bound method in the state is no data."""

    @property
    def _test_drift(self) -> Callable[..., bool]:
        tests = {"up": self._test_increase, "down": self._test_decrease, "both": self._test_both}
        test: Callable[..., bool] = tests[self.mode]
        return test

    @_test_drift.setter
    def _test_drift(self, way: Callable[..., bool]) -> None:
        """Ignored: River's constructor sets it."""
