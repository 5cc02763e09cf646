"""The named models, built from River. A model is added by one function and one entry; nothing else changes."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from river import forest, naive_bayes, neighbors, tree

from service.core import deterministic
from service.core.auto import AutoModel
from service.core.columns import Words
from service.core.logistic import Logistic, Prior
from service.core.neighbours import Neighbours
from service.core.noticing import Noticing
from service.core.recalibration import Recalibration
from service.core.stated import EXTERNAL
from service.core.vectoriser import Plain, Text, Unmoved, Vectoriser

SEED = 42
DEFAULT = "auto"

_ARRAYS = 5.0  # length of an embedding beside numbers that are scaled to a deviation of 1

Params = Mapping[str, Any]


class Built(NamedTuple):
    """The two halves of a model: what learns from every sample, and what learns from labels."""

    vectoriser: Vectoriser
    model: Any  # River's estimators fit `Model` but for the names of their types


class Param(NamedTuple):
    """A parameter: its default and the range it must lie in; for strings and booleans the type of the default is all."""

    default: Any
    low: float = 0.0
    high: float = 0.0
    about: str = ""


class Named(NamedTuple):
    """An entry of the catalogue."""

    build: Callable[[Params], Built]
    params: Mapping[str, Param]
    about: str
    embeddings: bool = False  # whether it takes them


def _logistic(params: Params) -> Built:
    return Built(Plain(_ARRAYS), Logistic(params["learning_rate"], params["drift"]))


def _naive_bayes(params: Params) -> Built:  # noqa: ARG001 - it has none
    return Built(Plain(), naive_bayes.GaussianNB())


def _hoeffding_tree(params: Params) -> Built:
    return Built(Plain(), tree.HoeffdingTreeClassifier(**params))


def _hoeffding_adaptive_tree(params: Params) -> Built:
    return Built(Plain(), deterministic.HoeffdingAdaptiveTreeClassifier(**params, seed=SEED))


def _adaptive_random_forest(params: Params) -> Built:
    return Built(Plain(), forest.ARFClassifier(**params, seed=SEED))


def _knn(params: Params) -> Built:
    engine = neighbors.LazySearch(window_size=params["window"])
    return Built(Plain(), neighbors.KNNClassifier(n_neighbors=params["n_neighbors"], engine=engine))


def _text(params: Params) -> Built:
    words = Words(params["field"], hashing=params["hashing"], columns=params["columns"])
    return Built(Text(words, embed=params["embed"]), Logistic(params["learning_rate"], params["drift"], joint=0))


def _external(params: Params) -> Built:
    return Built(Unmoved(), Recalibration(**params))


def _auto(params: Params) -> Built:  # noqa: ARG001 - it has none
    linear = Logistic(_RATE, _MOVES, words=Prior(_WORD_RATE, _WORD_MOVES))
    knn = Neighbours(n_neighbors=5, window=500)
    tree_ = tree.HoeffdingTreeClassifier(grace_period=50, max_depth=20)
    candidates = {"logistic": linear, "knn": knn, "naive-bayes": naive_bayes.GaussianNB(), "hoeffding-tree": tree_}
    return Built(Noticing(_ARRAYS), AutoModel(candidates, readers=("logistic",)))


_RATE, _MOVES = 0.5, 0.01
_WORD_RATE, _WORD_MOVES = 30.0, 0.0003
GRACE = Param(50, 1, 100_000, "labels between attempts to split a leaf")
DEPTH = Param(20, 1, 100, "levels of a tree")
NEIGHBOURS: Mapping[str, Param] = MappingProxyType(
    {"n_neighbors": Param(5, 1, 100, "neighbours"), "window": Param(1_000, 10, 10_000, "labels remembered")}
)
_PRIOR = "prior variance of a weight: the size of its first step; it falls as labels come"
_DRIFT = "share of the learning rate that a label brings back, since the world moves"

MODELS: Mapping[str, Named] = MappingProxyType(
    {
        "auto": Named(
            _auto,
            {},
            "logistic regression, naive Bayes, a Hoeffding tree and nearest neighbours learn; the best of them answers",
            embeddings=True,
        ),
        "logistic": Named(
            _logistic,
            {"learning_rate": Param(0.5, 1e-6, 1_000.0, _PRIOR), "drift": Param(0.01, 0.0, 1.0, _DRIFT)},
            "logistic regression; one against the rest for three classes and more",
            embeddings=True,
        ),
        "naive-bayes": Named(_naive_bayes, {}, "Gaussian naive Bayes"),
        "hoeffding-tree": Named(_hoeffding_tree, {"grace_period": GRACE, "max_depth": DEPTH}, "Hoeffding tree"),
        "hoeffding-adaptive-tree": Named(
            _hoeffding_adaptive_tree, {"grace_period": GRACE, "max_depth": DEPTH}, "Hoeffding tree that replaces branches under drift"
        ),
        "adaptive-random-forest": Named(
            _adaptive_random_forest,
            {"n_models": Param(10, 1, 100, "trees"), "grace_period": GRACE, "max_depth": DEPTH},
            "random forest of Hoeffding trees that are replaced under drift",
        ),
        "knn": Named(
            _knn,
            NEIGHBOURS,
            "nearest neighbours among the last labels",
        ),
        "text": Named(
            _text,
            {
                "field": Param("text", about="the feature that holds the text"),
                "embed": Param(default=False, about="use a small packaged model of language beside the words (the extra `embed`)"),
                "hashing": Param(default=False, about="share columns between words by hash"),
                "columns": Param(50_000, 16, 1_000_000, "columns for words"),
                "learning_rate": Param(30.0, 1e-6, 1_000.0, _PRIOR),
                "drift": Param(0.0003, 0.0, 1.0, _DRIFT),
            },
            "logistic regression on TF-IDF weighted words of a text field",
            embeddings=True,
        ),
        EXTERNAL: Named(
            _external,
            {
                "spread": Param(1.0, 0.01, 10.0, "deviation of the temperature's logarithm before any label"),
                "drift": Param(0.0, 0.0, 1.0, "share of what labels said that a label takes away, since the world moves"),
                "warmup": Param(
                    200, 0, 100_000, "labels that are bought at random first: its own doubt says little before it is calibrated"
                ),
            },
            "the caller's own: every sample brings its `probabilities`, which are recalibrated",
        ),
    }
)
