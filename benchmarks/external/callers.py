"""Models of callers: trained offline on the first part of a stream, asked about the rest. Whether anybody listens is decided elsewhere."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.label_efficiency.streams import is_text, load
from service.core.features import Features, label_text
from service.simulate import Pair, Stated

SHARPENED = 4.0  # times the logits of a model that is deliberately too sure
_SHARE, _MOST = 0.3, 5_000  # of the stream, and samples, that a model is trained on
_WEAK = 60  # samples that a weak one is
_TREES = 100
_NOTHING = 1e-12


def _plain(samples: Sequence[Features]) -> list[Features]:
    return [{name: value for name, value in features.items() if value is not None} for features in samples]


def _texts(samples: Sequence[Features]) -> list[str]:
    return [str(features.get("text") or "") for features in samples]


def _dense(table: Any) -> NDArray[np.float64]:
    return np.asarray(table.todense())


def _numbers() -> list[Any]:
    return [FunctionTransformer(_plain), DictVectorizer(), StandardScaler(with_mean=False)]


def _words() -> list[Any]:
    return [FunctionTransformer(_texts), TfidfVectorizer(sublinear_tf=True)]


def _linear(*, text: bool) -> Any:
    return make_pipeline(*(_words() if text else _numbers()), LogisticRegression(C=30.0 if text else 1.0, max_iter=300))


def _forest(*, text: bool) -> Any:
    if text:
        return _linear(text=True)
    return make_pipeline(*_numbers(), RandomForestClassifier(_TREES, min_samples_leaf=3, random_state=0))


def _bayes(*, text: bool) -> Any:
    return _linear(text=True) if text else make_pipeline(*_numbers(), FunctionTransformer(_dense), GaussianNB(var_smoothing=1e-3))


# By name: the model, samples it is trained on at most, the factor on its logits.
CALLERS: Mapping[str, tuple[Callable[..., Any], int, float]] = MappingProxyType(
    {
        "forest": (_forest, _MOST, 1.0),
        "overconfident": (_linear, _MOST, SHARPENED),
        "overconfident-forest": (_forest, _MOST, SHARPENED),
        "naive-bayes": (_bayes, _MOST, 1.0),
        "weak": (_linear, _WEAK, SHARPENED),
        "noise": (_linear, 0, 1.0),
    }
)


@lru_cache(maxsize=2)
def stated(caller: str, name: str, folder: Path | None, rows: int | None, *, shuffled: bool = False) -> list[Stated]:
    """The samples of a stream behind the first part, each with what a caller's model that was trained on that part says of it.

    `shuffled`, so that the model stays as good as it was.
    """
    pairs = load(name, folder, rows)
    if shuffled:
        pairs = random.Random(0).sample(pairs, len(pairs))
    first = min(_MOST, int(_SHARE * len(pairs)))
    later = pairs[first:]
    return [(features, label, said) for (features, label), said in zip(later, _said(caller, pairs[:first], later), strict=True)]


def _said(caller: str, known: Sequence[Pair], later: Sequence[Pair]) -> list[dict[str, float]]:
    make, most, factor = CALLERS[caller]
    if not most:
        return _noise(known, len(later))
    model = make(text=is_text(list(known)))
    model.fit([features for features, _ in known[:most]], [label_text(label) for _, label in known[:most]])
    classes = [str(name) for name in model.classes_]
    logs = factor * np.log(np.maximum(model.predict_proba([features for features, _ in later]), _NOTHING))
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return [dict(zip(classes, row, strict=True)) for row in (powers / powers.sum(axis=1, keepdims=True)).tolist()]


def _noise(known: Sequence[Pair], count: int) -> list[dict[str, float]]:
    classes = sorted({label_text(label) for _, label in known})
    rows = np.random.default_rng(0).dirichlet(np.full(len(classes), 0.5), count)
    return [dict(zip(classes, row, strict=True)) for row in rows.tolist()]
