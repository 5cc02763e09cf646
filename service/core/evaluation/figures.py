"""Figures beside accuracy, each answered question weighed by the samples it stands for: by class, by slice, F1, kappa, log loss."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from service.core.evaluation.estimate import interval, ratio, weights_of
from service.core.evaluation.view import Floats, Rows

MOST_VALUES: Final = 20  # values of a slice that are told apart
_MOST_CLASSES: Final = 100  # that are shown
_FEWEST: Final = 5  # labels from which anything is claimed
_LEAST_EFFECTIVE: Final = 2.0
OTHER: Final = "other"


class Part(msgspec.Struct, frozen=True):
    """Accuracy over a part of the traffic, from the answered questions about it; `share` is how much of all traffic it is."""

    asked: int
    answered: int
    share: float | None
    accuracy: float | None
    low: float | None
    high: float | None
    naive: float | None
    reason: str | None


class OfClass(msgspec.Struct, frozen=True):
    """How well a class is told from the others; `share` is how much of all traffic it is. None where nothing says."""

    answered: int
    share: float
    precision: float | None
    recall: float | None
    f1: float | None


class Quality(msgspec.Struct, frozen=True):
    """Figures over all traffic beside accuracy. `log_loss` is the mean of -log of the true label's probability (at least 1e-6)."""

    macro_f1: float | None
    kappa: float | None
    log_loss: float | None
    classes: dict[str, OfClass]


NOTHING = Quality(None, None, None, {})


def quality(rows: Rows, labels: Sequence[str]) -> Quality:
    """F1, kappa, log loss and the classes' figures; of nothing there is nothing to say."""
    answered, weights = weights_of(rows)
    if not len(answered):
        return NOTHING
    table = _table(answered, weights, len(labels))
    n = len(labels)
    true, said, right = table[:n].sum(axis=1), table[:, :n].sum(axis=0), np.diag(table)[:n]
    seen = np.flatnonzero(true + said)
    f1 = 2.0 * right[seen] / (true + said)[seen]
    known = ~np.isnan(answered.losses)
    loss = ratio(weights[known], answered.losses[known])[0] if known.any() else None
    counts = np.bincount(answered.truths, minlength=n)
    shown = sorted(seen.tolist(), key=lambda code: -float(true[code]))[:_MOST_CLASSES]
    classes = {labels[code]: _of_class(int(counts[code]), true[code], said[code], right[code]) for code in shown}
    return Quality(float(f1.mean()), _kappa(true, said, float(right.sum())), loss, classes)


def _table(rows: Rows, weights: Floats, n: int) -> Floats:
    """Shares of the traffic by true and predicted label; the last column is of samples without a prediction."""
    cells = rows.truths.astype(np.int64) * (n + 1) + np.where(rows.predicted < 0, n, rows.predicted)
    table: Floats = np.bincount(cells, weights, (n + 1) ** 2).reshape(n + 1, n + 1) / weights.sum()
    return table


def _of_class(answered: int, true: float, said: float, right: float) -> OfClass:
    f1 = 2.0 * right / (true + said)
    return OfClass(answered, float(true), float(right / said) if said else None, float(right / true) if true else None, float(f1))


def _kappa(true: Floats, said: Floats, right: float) -> float | None:
    """Cohen's kappa (1960): agreement beyond chance; None where chance alone agrees."""
    chance = float((true * said).sum())
    return (right - chance) / (1.0 - chance) if chance < 1.0 else None


def parts(rows: Rows, names: Sequence[str]) -> dict[str, dict[str, Part]]:
    """Every slice's values with their figures: the 20 with the most questions, the rest together as `other`."""
    return {name: dict(_parts(rows, index)) for index, name in enumerate(names)}


def _parts(rows: Rows, index: int) -> Iterator[tuple[str, Part]]:
    values = [part[index] for part in rows.parts]
    counted = Counter(value for value in values if value)
    named = sorted(counted, key=lambda value: (value == OTHER, -counted[value], value))[:MOST_VALUES]
    groups = np.array([named.index(value) if value in named else MOST_VALUES if value else -1 for value in values], dtype=np.int64)
    everything = weights_of(rows)[1].sum()
    for group, value in enumerate(named):
        if value != OTHER:
            yield value, _part(rows.of(groups == group), everything)
    rest = (groups == MOST_VALUES) | (groups == (named.index(OTHER) if OTHER in named else MOST_VALUES))
    if rest.any():
        yield OTHER, _part(rows.of(rest), everything)


def _part(rows: Rows, everything: float) -> Part:
    answered, weights = weights_of(rows)
    count = len(answered)
    naive = float(answered.correct.mean()) if count else None
    share = float(weights.sum() / everything) if count else None
    if count >= _FEWEST:
        accuracy, effective = ratio(weights, answered.correct)
        if effective >= _LEAST_EFFECTIVE:
            return Part(len(rows), count, share, accuracy, *interval(accuracy, effective), naive, None)
    return Part(len(rows), count, share, None, None, None, naive, "too few labels")
