"""Streams and pipelines that between them use every allowed River class. How they are compared is not said here."""

from collections import deque
from typing import Any

from river import datasets

from service.core.allowed import ALLOWED

NEW_CLASS_EVERY = 30  # labels

Spec = dict[str, Any]


# The stream


def numbers(n: int) -> list[tuple[dict[str, Any], int]]:
    """Image segments, with classes that appear one after the other."""
    codes: dict[str, int] = {}
    waiting: deque[tuple[dict[str, Any], int]] = deque()
    found: list[tuple[dict[str, Any], int]] = []
    for x, label in datasets.ImageSegments():
        waiting.append(({**x, "7": float(len(found) % 7)}, codes.setdefault(label, len(codes))))
        while waiting and waiting[0][1] <= len(found) // NEW_CLASS_EVERY:
            found.append(waiting.popleft())
        if waiting and len(waiting) > 1:
            waiting.rotate(1)
    return found[:n]


def words(n: int) -> list[tuple[dict[str, Any], int]]:
    """The same as categories and a text."""
    found = []
    for x, label in numbers(n):
        categories = {name: f"c{int(value) % 6}" for name, value in list(x.items())[:6]}
        text = " ".join(f"Wörd{i}x{int(value) % 9}" for i, value in enumerate(x.values()))
        found.append(({**categories, "text": text}, label))
    return found


# The pipelines


def of(name: str, **params: Any) -> Spec:
    """Write one step."""
    return {"class": name, "params": params}


SCALER = of("preprocessing.StandardScaler")
LOGISTIC = of("linear_model.LogisticRegression")
TREE = of("tree.HoeffdingTreeClassifier", grace_period=20, delta=0.01)
ADAPTIVE = of("tree.HoeffdingAdaptiveTreeClassifier", grace_period=20, delta=0.01, drift_window_threshold=30)
NEEDS: dict[str, dict[str, Any]] = {
    "compose.Discard": {"keys": ["saturation-mean", "text"]},
    "compose.Pipeline": {"steps": [SCALER, of("preprocessing.Normalizer")]},
    "compose.Prefixer": {"prefix": "p_"},
    "compose.Select": {"keys": ["hue-mean", "rawred-mean", "intensity-mean", "exred-mean", "absent", "rawblue-mean"]},
    "compose.Suffixer": {"suffix": "_s"},
    "compose.TransformerUnion": {"transformers": [SCALER, of("compose.Prefixer", prefix="p_")]},
    "ensemble.StackingClassifier": {"models": [LOGISTIC, TREE], "meta_classifier": LOGISTIC},
    "ensemble.VotingClassifier": {"models": [LOGISTIC, TREE, of("naive_bayes.GaussianNB")]},
    "feature_extraction.BagOfWords": {"on": "text", "ngram_range": [1, 2]},
    "feature_extraction.TFIDF": {"on": "text"},
    "feature_selection.SelectKBest": {"similarity": of("stats.PearsonCorr"), "k": 5},
    "imblearn.HardSamplingClassifier": {"size": 20, "p": 0.2, "classifier": LOGISTIC},
    "multiclass.OneVsRestClassifier": {"classifier": TREE},
    "optim.Averager": {"optimizer": of("optim.SGD")},
    "optim.initializers.Constant": {"value": 0.1},
    "optim.schedulers.Constant": {"learning_rate": 0.05},
    "optim.schedulers.InverseScaling": {"learning_rate": 0.05},
    "optim.schedulers.Optimal": {"loss": of("optim.losses.Log")},
    "forest.ARFClassifier": {"n_models": 4, "grace_period": 20},
    "forest.AMFClassifier": {"n_estimators": 4},
    "ensemble.SRPClassifier": {"n_models": 3},
}
SMALL = {"grace_period": 20, "delta": 0.01}


def subject(name: str) -> list[Spec]:
    """Put one allowed class into a small pipeline."""
    entry = ALLOWED[name]
    own = dict(NEEDS.get(name, {}))
    if "model" in entry.parameters and entry.parameters["model"].required:
        own = {"model": TREE, **({"n_models": 3} if "n_models" in entry.parameters else {}), **own}
    if name.startswith("tree.") and entry.kind == "classifier":
        own |= {key: value for key, value in SMALL.items() if key in entry.parameters}
    step = of(name, **own)
    if entry.kind == "transformer":
        return [step, LOGISTIC]
    if entry.kind == "supervised transformer":
        return [SCALER, step, LOGISTIC]
    if name in ("naive_bayes.ComplementNB", "naive_bayes.MultinomialNB"):
        return [of("preprocessing.MinMaxScaler"), step]  # they count, and a count is not negative
    return [SCALER, step if entry.kind == "classifier" else carrier(name, entry.kind, step)]


def carrier(name: str, kind: str, step: Spec) -> Spec:
    """Give a part to a classifier that takes it."""
    if kind == "drift detector" and name.startswith("drift.binary.") and not name.endswith("FHDDM"):
        return of("drift.DriftRetrainingClassifier", model=TREE, drift_detector=step)
    if name == "optim.losses.CrossEntropy":
        return of("linear_model.SoftmaxRegression", loss=step)
    return {
        "optimizer": lambda: of("linear_model.LogisticRegression", optimizer=step),
        "scheduler": lambda: of("linear_model.LogisticRegression", optimizer=of("optim.SGD", lr=step)),
        "loss": lambda: of("linear_model.LogisticRegression", loss=step),
        "initializer": lambda: of("linear_model.LogisticRegression", initializer=step),
        "drift detector": lambda: of("forest.ARFClassifier", n_models=3, drift_detector=step),
        "metric": lambda: of("forest.ARFClassifier", n_models=3, metric=step),
        "splitter": lambda: of("tree.HoeffdingTreeClassifier", splitter=step, **SMALL),
        "quantizer": lambda: of("tree.SGTClassifier", feature_quantizer=step, grace_period=20),
        "search engine": lambda: of("neighbors.KNNClassifier", engine=step),
        "statistic": lambda: of("compose.Pipeline", steps=[of("feature_selection.SelectKBest", similarity=step), LOGISTIC]),
    }[kind]()


def texts() -> Spec:
    """Text and categories side by side."""
    columns = of("compose.Pipeline", steps=[of("compose.Discard", keys=["text"]), of("preprocessing.OneHotEncoder", drop_zeros=True)])
    return of("compose.TransformerUnion", transformers=[of("feature_extraction.TFIDF", on="text", ngram_range=[1, 2]), columns])


COMPOSITES: dict[str, list[Spec]] = {
    "scaled softmax, Adam": [SCALER, of("linear_model.SoftmaxRegression", optimizer=of("optim.Adam", lr=0.01))],
    "rolling scaler, one-vs-rest PA": [of("preprocessing.StandardScaler", window_size=50), of("linear_model.PAClassifier", mode=2)],
    "bagged adaptive trees": [of("ensemble.BaggingClassifier", model=ADAPTIVE, n_models=3)],
    "leveraged logistic": [SCALER, of("ensemble.LeveragingBaggingClassifier", model=LOGISTIC, n_models=3, bagging_method="wt")],
    "one-vs-rest of bagged trees": [
        of("multiclass.OneVsRestClassifier", classifier=of("ensemble.BaggingClassifier", model=TREE, n_models=2))
    ],
    "BOLE of retrained trees": [of("ensemble.BOLEClassifier", model=of("drift.DriftRetrainingClassifier", model=TREE), n_models=3)],
    "SRP of logistic, random subspaces": [
        SCALER,
        of("ensemble.SRPClassifier", model=LOGISTIC, n_models=4, subspace_size=3, training_method="subspaces"),
    ],
    "ARF, all features, KSWIN": [
        of(
            "forest.ARFClassifier",
            n_models=5,
            max_features=1.0,
            drift_detector=of("drift.KSWIN", window_size=40, stat_size=15),
        )
    ],
    "hard samples of softmax": [
        SCALER,
        of("imblearn.HardSamplingClassifier", size=20, p=0.3, classifier=of("linear_model.SoftmaxRegression")),
    ],
    "stack with a tree on top": [of("ensemble.StackingClassifier", models=[LOGISTIC, ADAPTIVE], meta_classifier=TREE)],
    "vote by heads": [of("ensemble.VotingClassifier", models=[LOGISTIC, TREE, of("neighbors.KNNClassifier")], use_probabilities=False)],
    "best features, products, trees": [
        of("preprocessing.MinMaxScaler"),
        of("feature_selection.SelectKBest", similarity=of("stats.PearsonCorr"), k=6),
        of("feature_extraction.PolynomialExtender"),
        ADAPTIVE,
    ],
    "text and categories, logistic": [texts(), LOGISTIC],
    "text and categories, naive Bayes": [texts(), of("naive_bayes.ComplementNB")],
    "text, forest": [of("feature_extraction.BagOfWords", on="text"), of("forest.ARFClassifier", n_models=3, grace_period=20)],
    "categories, adaptive tree": [of("compose.Discard", keys=["text"]), of("preprocessing.OneHotEncoder"), ADAPTIVE],
}


def jobs() -> dict[str, list[Spec]]:
    """Return every pipeline there is to try, by name."""
    return {**{name: subject(name) for name in ALLOWED}, **COMPOSITES}
