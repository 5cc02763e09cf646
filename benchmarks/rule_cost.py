"""Measures what a decision costs beyond the model's prediction: `python -m benchmarks.rule_cost [--short] [--json FILE]`.

Every rule with every measure on one stream of 9 numbers under a logistic model that was taught 400 labels: microseconds a decision, less
those of preprocessing and prediction alone, in interleaved rounds. The first quartile of the rounds is shown: what else runs on the machine
only adds. Where scikit-activeml can be imported its own strategies
stand beside them, with the same predictions. Exits 1 where a bar is missed: 5 us for the default, 60 us for committees and density.
"""

import argparse
import gc
import inspect
import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.parallel import pin_hash_seed
from service.core.catalogue import effective
from service.core.events import Configured
from service.core.features import Features
from service.core.learner import Learner
from service.core.measures import MEASURES
from service.core.rules import RULES

COLUMNS = 9
LABELS = 400
CHUNK = 500  # samples a round
ROUNDS, SHORT_ROUNDS = 15, 5
DEFAULT = ("logit", "margin")
BARS = {("logit", "committee"): 60.0, ("logit", "density"): 60.0, ("auto", "margin"): 60.0, DEFAULT: 5.0}  # us
PEER_SAMPLES = 60  # samples a round; they take milliseconds

Cell = tuple[str, str]


def samples(chance: random.Random, count: int) -> list[Features]:
    """Draw samples of two overlapping classes."""
    return [{f"x{i}": chance.gauss(0, 1) for i in range(COLUMNS)} for _ in range(count)]


def label_of(features: Features, chance: random.Random) -> str:
    """Give the label, a tenth of them wrong."""
    right = float(features["x0"] or 0) + float(features["x1"] or 0) > 0
    return "ab"[right != (chance.random() < 0.1)]


def taught(rule: str, measure: str) -> Learner:
    """Return a learner of this rule and measure whose windows are full."""
    config = effective({"model": {"type": "logistic"}, "query": {"rule": rule, "measure": measure}})
    learner, chance = Learner(1, Configured(0.0, config, bytes(16))), random.Random(1)
    for number, features in enumerate(samples(chance, LABELS)):
        answer = learner.answer(f"old-{number}", label_of(features, chance), "", features, 0.0, brought=True, labeled_at=None)
        learner.apply(number + 2, answer)
    for number, features in enumerate(samples(chance, 2 * CHUNK)):
        learner.decide(f"warm-{number}", features, 0.0)
    return learner


def decided(learner: Learner, features: Sequence[Features], names: Sequence[str]) -> float:
    """Return microseconds a decision, one by one; what is asked is counted after the round."""
    started = time.perf_counter()
    decisions = [learner.decide(name, sample, 0.0) for name, sample in zip(names, features, strict=True)]
    seconds = time.perf_counter() - started
    for decision in decisions:
        if decision.query.ask:
            learner.budget.commit(0.0)
    return 1e6 * seconds / len(features)


def predicted(learner: Learner, features: Sequence[Features]) -> float:
    """Return microseconds for preprocessing and prediction alone."""
    started = time.perf_counter()
    for sample in features:
        learner.taught.predict(learner.vectoriser.observe(sample))
    return 1e6 * (time.perf_counter() - started) / len(features)


def costs(cells: Sequence[Cell], rounds: int) -> dict[Cell, float]:
    """Return what a decision costs beyond the prediction, in microseconds: the first quartile over the rounds."""
    learners = {cell: taught(*cell) for cell in cells}
    found: dict[Cell, list[float]] = {cell: [] for cell in cells}
    chance = random.Random(2)
    gc.collect()
    gc.disable()
    for number in track(range(rounds), "Deciding", console=Console(stderr=True)):
        features = samples(chance, CHUNK)
        names = [f"{number}-{i}" for i in range(CHUNK)]
        for cell, learner in learners.items():
            base = min(predicted(learner, features), predicted(learner, features))
            found[cell].append(decided(learner, features, names) - base)
    gc.enable()
    return {cell: first_quartile(values) for cell, values in found.items()}


def first_quartile(values: Sequence[float]) -> float:
    """Return the value that a quarter of them does not exceed."""
    return sorted(values)[(len(values) - 1) // 4]


# scikit-activeml's own code


def peers(rounds: int) -> dict[str, float]:
    """Return microseconds of `query` and `update` of scikit-activeml's strategies on the same predictions; empty without the package."""
    try:
        import numpy as np  # noqa: PLC0415 - only where the peers are measured
        from skactiveml import stream  # noqa: PLC0415 - not a dependency
    except ImportError:
        return {}
    learner, chance = taught(*DEFAULT), random.Random(3)
    clf = _classifier(learner, np)
    past = samples(chance, 200)
    known = np.array([list(map(float, row.values())) for row in past]), np.array([int(label_of(row, chance) == "b") for row in past])
    found = {}
    for name, make in _strategies(stream).items():
        strategy = make()
        taken = [_asked(strategy, clf, known, np.array(list(samples(chance, 1)[0].values()))) for _ in range(PEER_SAMPLES * rounds // 5)]
        found[name] = first_quartile(taken[len(taken) // 4 :])
    return found


def _strategies(stream: Any) -> Mapping[str, Callable[[], Any]]:
    names = ("StreamRandomSampling", "PeriodicSampling", "FixedUncertainty", "VariableUncertainty", "RandomVariableUncertainty", "Split")
    names += ("StreamDensityBasedAL", "StreamProbabilisticAL", "CognitiveDualQueryStrategyRanVarUn")
    windows = {"StreamDensityBasedAL": {"window_size": 200}, "StreamProbabilisticAL": {"metric": "rbf"}}

    def made(name: str) -> Any:
        make = getattr(stream, name)
        classes = {"classes": [0, 1]} if "classes" in inspect.signature(make).parameters else {}
        return make(budget=0.05, random_state=1, **classes, **windows.get(name, {}))

    return {name: partial(made, name) for name in names}


def _classifier(learner: Learner, np: Any) -> Any:
    from skactiveml.base import SkactivemlClassifier  # noqa: PLC0415 - not a dependency

    class Ours(SkactivemlClassifier):  # type: ignore[misc]
        """The logistic model, as the library wants it; it was taught before."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803 - scikit-learn's names
            """Learn nothing."""
            self._validate_data(X, y, sample_weight)
            return self

        def predict_proba(self, X: Any) -> Any:  # noqa: N803 - the same
            """Predict with River's model."""
            rows = [learner.taught.model.predict_proba_one({f"x{i}": value for i, value in enumerate(row)}) for row in X]
            return np.array([[row[0], row[1]] for row in rows])

    return Ours(classes=[0, 1]).fit(np.zeros((2, COLUMNS)), np.array([0, 1]))


def _asked(strategy: Any, clf: Any, known: tuple[Any, Any], row: Any) -> float:
    X, y = known  # noqa: N806 - the library's names
    kind, candidates = type(strategy).__name__, row.reshape(1, -1)
    given: dict[str, Any] = {} if kind in ("StreamRandomSampling", "PeriodicSampling") else {"clf": clf}
    if kind == "StreamProbabilisticAL":
        given |= {"X": X, "y": y}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        asked, utilities = strategy.query(candidates=candidates, return_utilities=True, **given)
        more = {"budget_manager_param_dict": {"utilities": utilities}} if kind == "StreamProbabilisticAL" else {}
        strategy.update(candidates=candidates, queried_indices=asked, **more)
        return 1e6 * (time.perf_counter() - started)


# Showing


def table(found: Mapping[Cell, float], theirs: Mapping[str, float]) -> Table:
    """Show rules against measures, and the peers' strategies below."""
    rules, measures = sorted({rule for rule, _ in found}), [name for name in MEASURES if any(name == m for _, m in found)]
    shown = Table("Measure", *rules, title="Microseconds a decision beyond the model's prediction")
    for measure in measures:
        cells = [found.get((rule, measure)) for rule in rules]
        shown.add_row(measure, *("" if cost is None else _shown((rule, measure), cost) for rule, cost in zip(rules, cells, strict=True)))
    if theirs:
        shown.add_section()
    for name, cost in theirs.items():
        shown.add_row(f"scikit-activeml {name}", f"{cost:,.0f}")
    return shown


def _shown(cell: Cell, cost: float) -> str:
    bar = BARS.get(cell)
    return f"{cost:.1f}" if bar is None else f"[{'green' if cost <= bar else 'bold red'}]{cost:.1f}[/] (bar {bar:.0f})"


def main() -> int:
    """Measure them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help=f"{SHORT_ROUNDS} rounds, and each rule or measure with the default's other half"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pin_hash_seed()
    rounds = SHORT_ROUNDS if options.short else ROUNDS
    cells = [(rule, measure) for rule in RULES for measure in MEASURES]
    if options.short:
        cells = [cell for cell in cells if DEFAULT[0] in cell or DEFAULT[1] in cell]
    found, theirs = costs(cells, rounds), peers(rounds)
    Console(width=200).print(table(found, theirs))
    if options.json is not None:
        rows = [{"rule": rule, "measure": measure, "microseconds": cost} for (rule, measure), cost in found.items()]
        options.json.write_text(json.dumps({"ours": rows, "scikit-activeml": dict(theirs)}, indent=1) + "\n", encoding="utf-8")
    missed = [
        f"{rule} with {measure}: {found[rule, measure]:.1f} us, bar {bar:.0f}"
        for (rule, measure), bar in BARS.items()
        if found[rule, measure] > bar
    ]
    print("\n".join(missed) or "Every bar holds.")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
