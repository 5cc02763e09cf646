"""The River classes of which a pipeline may be made, each tried by `benchmarks/determinism.py`. How they are put together is not said here.

Left out, and why:

- `GaussianRandomProjector`, `SparseRandomProjector`, `RBFSampler`, `LDA`, `PoissonInclusion`: they draw random numbers when they transform,
  so that a prediction changes what is learned later; `RandomTreesEmbedding` keeps `id()`s and does not survive pickling.
- `GapEncoder`, `Agg`, `TargetAgg`, `Grouper`: a vocabulary or groups without bound.
- `StatImputer`, `FuncTransformer`, `SelectType`: they take code.
- `OneVsOneClassifier` makes a model a pair of classes; `OutputCodeClassifier` has no probabilities.
- `RandomUnderSampler`, `RandomOverSampler`, `RandomSampler`: they need every class and its share before the first label.
- A forest's metrics but `Accuracy`: asking them adds to their confusion matrix, and they sum over a set in which `None` is, whose hash
  is its address.
- `DummyDriftDetector`: it detects nothing, and its state names code.
- `SWINN`, `ExhaustiveSplitter`, `optim.initializers.Normal`: draws or growth that nothing bounds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from river import (
    compose,
    drift,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    forest,
    imblearn,
    linear_model,
    metrics,
    multiclass,
    naive_bayes,
    neighbors,
    optim,
    preprocessing,
    stats,
    tree,
)

from service.core import deterministic, transformers
from service.core.parameters import Kind, Parameter, parameters_of

# Code, patterns and types; what River does by bytes, by hash order, or not at all.
_HIDDEN = frozenset(
    {"nominal_attributes", "max_size", "memory_estimate_period", "stop_mem_management", "dtype", "categories", "window", "dist_func"}
    | {"cleanup_every", "min_distance_keep", "buckets", "cm", "class_weight"}
)


class Entry(msgspec.Struct, frozen=True):
    """A class that may be named, under River's public name."""

    name: str
    kind: Kind
    make: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    binary: bool = False  # learns only True and False, so it is wrapped one-vs-rest
    text: bool = False  # takes features that are strings


def _entries(kind: Kind, module: Any, names: str, *, binary: bool = False, text: bool = False, **own: Any) -> dict[str, Entry]:
    """Allow classes of one River module; `deterministic` or `transformers` has the class if River's own will not do."""
    prefix = module.__name__.removeprefix("river.")
    found = {}
    for name in names.split():
        river = getattr(module, name)
        ours = getattr(deterministic, name, getattr(transformers, name, None))
        make = ours if ours is not None and issubclass(ours, river) else river
        found[f"{prefix}.{name}"] = Entry(f"{prefix}.{name}", kind, make, parameters_of(make, _HIDDEN, own), binary=binary, text=text)
    return found


_TREE = {"class": "tree.HoeffdingTreeClassifier", "params": {"grace_period": 50, "delta": 0.01}}  # as SRPClassifier's own default
_WINDOW = {"class": "neighbors.LazySearch", "params": {"window_size": 1_000}}

ALLOWED: Mapping[str, Entry] = {
    **_entries("transformer", preprocessing, "AdaptiveStandardScaler Binarizer MaxAbsScaler MinMaxScaler Normalizer PreviousImputer"),
    **_entries("transformer", preprocessing, "RobustScaler StandardScaler"),
    **_entries("transformer", preprocessing, "OneHotEncoder OrdinalEncoder", text=True),
    **_entries("transformer", preprocessing, "FeatureHasher", text=True, n_features=2**16),
    **_entries("transformer", feature_extraction, "PolynomialExtender"),
    **_entries("transformer", feature_extraction, "BagOfWords TFIDF", text=True),
    **_entries("transformer", feature_selection, "VarianceThreshold"),
    **_entries("transformer", compose, "Discard Prefixer Select Suffixer TransformerUnion Pipeline"),
    **_entries("supervised transformer", feature_selection, "SelectKBest"),
    **_entries("classifier", linear_model, "SoftmaxRegression"),
    **_entries("classifier", linear_model, "AdPredictor ALMAClassifier LogisticRegression PAClassifier Perceptron", binary=True),
    **_entries("classifier", naive_bayes, "BernoulliNB ComplementNB GaussianNB MultinomialNB"),
    **_entries("classifier", tree, "HoeffdingTreeClassifier HoeffdingAdaptiveTreeClassifier ExtremelyFastDecisionTreeClassifier"),
    **_entries("classifier", tree, "LASTClassifier"),
    **_entries("classifier", tree, "SGTClassifier", binary=True, max_depth=10),
    **_entries("classifier", forest, "ARFClassifier"),
    **_entries("classifier", forest, "AMFClassifier", max_nodes=5_000),
    **_entries("classifier", ensemble, "AdaBoostClassifier ADWINBaggingClassifier ADWINBoostingClassifier BaggingClassifier"),
    **_entries("classifier", ensemble, "BOLEClassifier LeveragingBaggingClassifier StackingClassifier VotingClassifier"),
    **_entries("classifier", ensemble, "SRPClassifier", model=_TREE),
    **_entries("classifier", neighbors, "KNNClassifier", engine=_WINDOW),
    **_entries("classifier", multiclass, "OneVsRestClassifier"),
    **_entries("classifier", imblearn, "HardSamplingClassifier"),
    **_entries("classifier", drift, "DriftRetrainingClassifier"),
    **_entries("classifier", dummy, "NoChangeClassifier PriorClassifier"),
    **_entries("optimizer", optim, "AdaBound AdaDelta AdaGrad AdaMax Adam AMSGrad Averager FTRLProximal Momentum Nadam NesterovMomentum"),
    **_entries("optimizer", optim, "RMSProp SGD"),
    **_entries("scheduler", optim.schedulers, "Constant InverseScaling Optimal"),
    **_entries("loss", optim.losses, "BinaryFocalLoss CrossEntropy Hinge Log"),
    **_entries("initializer", optim.initializers, "Constant Zeros"),
    **_entries("drift detector", drift, "ADWIN KSWIN NoDrift PageHinkley"),
    **_entries("drift detector", drift.binary, "DDM EDDM FHDDM HDDMA HDDMW"),
    **_entries("metric", metrics, "Accuracy"),
    **_entries("splitter", tree.splitter, "GaussianSplitter HistogramSplitter"),
    **_entries("quantizer", tree.splitter, "DynamicQuantizer StaticQuantizer"),
    **_entries("search engine", neighbors, "LazySearch"),
    **_entries("statistic", stats, "PearsonCorr"),
}


def catalogue() -> list[dict[str, Any]]:
    """Describe every allowed class, ready for JSON."""
    return [
        {"class": entry.name, "kind": entry.kind, "params": [_public(parameter) for parameter in entry.parameters.values()]}
        for entry in ALLOWED.values()
    ]


def _public(parameter: Parameter) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(parameter)
    fields.pop("passed")
    if parameter.required:
        fields.pop("default")
    return {name: value for name, value in fields.items() if name == "default" or value not in (None, [], ())}
