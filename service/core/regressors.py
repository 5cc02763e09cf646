"""The named models of regression streams, as `service.core.models` has those of classification. One is added by a function and an entry."""

from collections.abc import Mapping
from types import MappingProxyType

from river import neighbors

from service.core import deterministic
from service.core.linear import Linear
from service.core.models import DEPTH, GRACE, NEIGHBOURS, SEED, Built, Named, Param, Params
from service.core.vectoriser import Plain

_RADIUS = 0.25  # of the bins of a feature, in standard deviations: River's own splitter keeps every value there was
_LEAF_PRIOR = 1.0


def _linear(params: Params) -> Built:
    return Built(Plain(), Linear(params["prior"], params["drift"], params["tolerance"]))


def _hoeffding_tree(params: Params) -> Built:
    leaf = Linear(_LEAF_PRIOR, 0.0)
    return Built(Plain(), deterministic.HoeffdingTreeRegressor(**params, leaf_model=leaf, splitter=deterministic.QOSplitter(_RADIUS)))


def _adaptive_random_forest(params: Params) -> Built:
    leaf = Linear(_LEAF_PRIOR, 0.0)
    return Built(Plain(), deterministic.ARFRegressor(**params, leaf_model=leaf, splitter=deterministic.QOSplitter(_RADIUS), seed=SEED))


def _knn(params: Params) -> Built:
    engine = neighbors.LazySearch(window_size=params["window"])
    return Built(Plain(), neighbors.KNNRegressor(n_neighbors=params["n_neighbors"], engine=engine, aggregation_method="weighted_mean"))


REGRESSORS: Mapping[str, Named] = MappingProxyType(
    {
        "linear": Named(
            _linear,
            {
                "prior": Param(1.0, 1e-6, 1e6, "prior variance of a weight over the noise's"),
                "drift": Param(0.01, 0.0, 1.0, "share of the prior variance that a label brings back, since the world moves"),
                "tolerance": Param(3.0, 0.1, 1e6, "deviations beyond which a label counts for the less the further it is off"),
            },
            "Bayesian linear regression",
        ),
        "hoeffding-tree-regressor": Named(
            _hoeffding_tree, {"grace_period": GRACE, "max_depth": DEPTH}, "Hoeffding tree with linear regressions in its leaves"
        ),
        "adaptive-random-forest-regressor": Named(
            _adaptive_random_forest,
            {"n_models": Param(10, 2, 100, "trees"), "grace_period": GRACE, "max_depth": DEPTH},
            "random forest of such trees that are replaced under drift",
        ),
        "knn-regressor": Named(
            _knn,
            NEIGHBOURS,
            "mean of the nearest neighbours among the last labels",
        ),
    }
)
