"""Shows that every allowed River class repeats bit for bit: `python -m benchmarks.determinism [--short] [--only NAME]`.

Each pipeline learns the same stream eight times: under two values of PYTHONHASHSEED, with and without predictions in between, with and
without a snapshot half way. All eight must end with the same probabilities and the same state (by `digest`), and one label more must
change the digest. Exits 1 if any does not.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from river import datasets
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from service.core.allowed import ALLOWED
from service.core.digest import canonical_probabilities, digest
from service.core.freezer import freeze, thaw
from service.core.pipeline import Parts, Step, build

HASH_SEEDS = ("0", "4711")
SHORT, FULL = 120, 1_000  # labels
CHECKPOINT = 25  # labels between the probabilities that are compared
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
    "ARF, MCC-like weights, KSWIN": [
        of("forest.ARFClassifier", n_models=5, metric=of("metrics.CohenKappa"), drift_detector=of("drift.KSWIN", window_size=40))
    ],
    "hard samples of softmax": [SCALER, of("imblearn.HardSamplingClassifier", size=20, p=0.3, classifier=of("linear_model.SoftmaxRegression"))],
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


# One pipeline, in a child process


def probabilities(parts: Parts, x: dict[str, Any]) -> bytes:
    """Predict one sample, as the service would."""
    for transformer in parts.prefix:
        x = transformer.transform_one(x)
    return canonical_probabilities({str(label): float(p) for label, p in parts.model.predict_proba_one(x).items()})


def learn(parts: Parts, x: dict[str, Any], y: int) -> None:
    """Learn one label, the transformers first."""
    for transformer in parts.prefix:
        transformer.learn_one(x)
        x = transformer.transform_one(x)
    parts.model.learn_one(x, y)


def run(steps: Sequence[Step], stream: list[tuple[dict[str, Any], int]], *, predict: bool, snapshot: bool) -> tuple[str, Parts]:
    """Return a hash of the probabilities at every checkpoint, and what was learned."""
    parts, transcript = build(steps), hashlib.blake2b(digest_size=16)
    for i, (x, y) in enumerate(stream[:-1]):
        if predict:  # also before the first label, features in another order, and one that is missing
            probabilities(parts, dict(reversed(x.items())))
            probabilities(parts, dict(list(stream[-1 - i][0].items())[1:]))
        learn(parts, x, y)
        if i % CHECKPOINT == CHECKPOINT - 1:
            transcript.update(probabilities(parts, x) + probabilities(parts, stream[-1 - i // 2][0]))
        if snapshot and i == len(stream) // 2:
            parts = Parts(*thaw(freeze((parts.prefix, parts.model))))
    return transcript.hexdigest(), parts


def examine(steps: list[Spec], n: int) -> dict[str, Any]:
    """Run one pipeline in its four variants under this process's hash seed."""
    typed = msgspec.convert(steps, list[Step])
    mentions_words = any(f'"{name}"' in json.dumps(steps) for name, entry in ALLOWED.items() if entry.text)
    stream = words(n) if mentions_words else numbers(n)
    variants = [run(typed, stream, predict=p, snapshot=s) for p in (False, True) for s in (False, True)]
    parts = variants[0][1]
    before = digest(parts)
    survives = digest(thaw(freeze((parts.prefix, parts.model)))) == digest((parts.prefix, parts.model))
    learn(parts, *stream[-1])
    return {
        "probabilities": [transcript for transcript, _ in variants],
        "states": [before.hex(), *(digest(learned).hex() for _, learned in variants[1:])],
        "survives": survives,
        "moves": digest(parts) != before,
    }


def child(n: int) -> None:
    """Answer each line on standard input, a name and a pipeline, by one line."""
    for line in sys.stdin:
        name, steps = json.loads(line)
        try:
            found = examine(steps, n)
        except Exception as error:  # noqa: BLE001 - a class that raises is a finding too
            found = {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps([name, found]), flush=True)


# All of them


def answers(hash_seed: str, todo: dict[str, list[Spec]], n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Let one child process with that hash seed do all pipelines."""
    command = [sys.executable, "-m", "benchmarks.determinism", "--child", str(n)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONHASHSEED": hash_seed}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None  # noqa: S101 - for mypy
        assert process.stdout is not None  # noqa: S101 - for mypy
        for job in todo.items():
            process.stdin.write(json.dumps(job) + "\n")
        process.stdin.close()
        yield from map(json.loads, process.stdout)


def findings(todo: dict[str, list[Spec]], n: int) -> dict[str, list[dict[str, Any]]]:
    """Collect what the children found, by pipeline."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in todo}
    with Progress(console=Console(stderr=True)) as progress, ThreadPoolExecutor(len(HASH_SEEDS)) as pool:
        task = progress.add_task("Learning", total=len(todo) * len(HASH_SEEDS))

        def collect(hash_seed: str) -> None:
            for name, finding in answers(hash_seed, todo, n):
                found[name].append(finding)
                progress.advance(task)

        list(pool.map(collect, HASH_SEEDS))
    return found


def complaints(found: list[dict[str, Any]]) -> list[str]:
    """Say what is not as it has to be with one pipeline."""
    if len(found) < len(HASH_SEEDS):
        return ["a child process died"]
    errors = [finding["error"] for finding in found if "error" in finding]
    if errors:
        return errors[:1]
    first = found[0]
    checks = {
        "predictions or snapshots change probabilities": all(len(set(f["probabilities"])) == 1 for f in found),
        "the hash seed changes probabilities": all(f["probabilities"][0] == first["probabilities"][0] for f in found),
        "predictions change the state": all(f["states"][0] == f["states"][2] for f in found),
        "snapshots change the state": all(f["states"][0] == f["states"][1] and f["survives"] for f in found),
        "the hash seed changes the state": all(f["states"][0] == first["states"][0] for f in found),
        "one label more changes no digest": all(f["moves"] for f in found),
    }
    return [complaint for complaint, holds in checks.items() if not holds]


def main() -> int:
    """Try all pipelines and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"{SHORT} labels instead of {FULL:,}")
    parser.add_argument("--only", default="", help="pipelines whose name contains this")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return 0
    todo = {name: steps for name, steps in jobs().items() if options.only in name}
    found = findings(todo, SHORT if options.short else FULL)
    table = Table("Pipeline", "Verdict", title=f"{len(todo)} pipelines, 8 runs each")
    wrong = {name: complaints(found[name]) for name in todo}
    for name, problems in wrong.items():
        table.add_row(name, "; ".join(problems) or "same bits")
    Console().print(table)
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
