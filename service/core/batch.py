"""Which samples of many to ask about at once: useful ones that differ from one another. Vectors and utilities come in; nothing is learned.

Everything repeats to the bit for the same vectors, utilities and seed on one machine; what is picked is logged, so that is enough.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.core.sketch import Sketch

WIDTH = 256  # columns; more are added to these by hash

_CANDIDATES = 20  # times the batch: so many of the most useful are looked at
_MOST_CANDIDATES = 4_000
_STARTS = 5  # of k-means, of which the best one counts
_WORK = 200_000_000  # samples x clusters x columns of all starts together; the first one is made in any case
_ROUNDS = 10  # of each
_MOST_OTHERS = 500  # samples of a cluster that a medoid is measured by
_FAINT = 1e-6  # utility of what is sure, so that all weights are positive
_SATURATES = 2.0  # deviations, about which distance begins to grow less

Rows = NDArray[np.float64]
Numbers = NDArray[np.float64]
Places = NDArray[np.intp]


class Table:
    """Vectors as rows of one width, taken in one by one, so that others may have the loop in between."""

    def __init__(self) -> None:
        """Start with none."""
        self._sketch = Sketch(width=WIDTH)
        self._rows: list[NDArray[np.float32]] = []

    def add(self, vector: dict[str, object]) -> None:
        """Take a vector in."""
        self._rows.append(self._sketch.of(vector))

    def rows(self) -> Rows:
        """All of them, (n, 256), saturated: an outlier is far from the rest, not further than that."""
        if not self._rows:
            return np.zeros((0, WIDTH))
        stacked = np.stack(self._rows).astype(np.float64)
        used = stacked.any(axis=0)
        saturated: Rows = np.tanh(stacked[:, used] / _SATURATES)
        return saturated


def pick(rows: Rows, utilities: Sequence[float], wanted: int, seed: int) -> list[int]:
    """Return the places of at most `wanted` samples, (n, d) rows and n utilities in [0, 1], in the order in which to ask.

    Of the most useful ones, 20 times as many as are wanted, weighted k-means makes as many clusters, and medoids are picked (after
    Zhdanov, Diverse mini-batch active learning, 2019). While nothing is known all utilities are equal: then the clusters are those of
    all samples, and what is picked stands for them (Hu and others, Off to a good start, 2010). The order is such that the first
    answers tell different things.
    """
    weights = np.maximum(np.asarray(utilities, np.float64), _FAINT)
    if len(rows) <= wanted:
        return [int(place) for place in np.argsort(-weights, kind="stable")]
    generator = np.random.default_rng(seed)
    if weights.min() == weights.max():
        candidates = np.sort(generator.permutation(len(rows))[:_MOST_CANDIDATES])
    else:
        candidates = np.argsort(-weights, kind="stable")[: min(_MOST_CANDIDATES, _CANDIDATES * wanted)]
    found = _representatives(rows[candidates], weights[candidates], wanted, generator)
    return [int(candidates[place]) for place in _far_first(rows[candidates], found)]


def _representatives(rows: Rows, weights: Numbers, wanted: int, generator: np.random.Generator) -> list[int]:
    """The medoids of weighted k-means' clusters, each with seats by the square root of its weight, dealt by Webster's method.

    So outliers, which make clusters of their own, get none, and large clusters several: the further ones are drawn.
    """
    starts = min(_STARTS, max(1, _WORK // max(1, rows.size * wanted)))
    centres = min((_centres(rows, weights, wanted, generator) for _ in range(starts)), key=lambda centres: _cost(rows, weights, centres))
    nearest = _squares(rows, centres).argmin(axis=1)
    members = [np.flatnonzero(nearest == cluster) for cluster in np.unique(nearest)]
    seats = _seats(np.sqrt([weights[places].sum() for places in members]), np.array([len(places) for places in members]), wanted)
    picked = []
    for places, seated in zip(members, seats, strict=True):
        if seated:
            medoid = _medoid(rows, weights, places)
            others = generator.permutation(places[places != medoid])
            picked += [medoid, *others[: seated - 1].tolist()]
    return picked


def _seats(masses: Numbers, sizes: Places, wanted: int) -> list[int]:
    """So many seats dealt by mass, never more to one than its size (Webster's method, also called Sainte-Lague's)."""
    seats = np.zeros(len(masses), np.intp)
    for _ in range(wanted):
        seats[np.where(seats < sizes, masses / (seats + 0.5), -1.0).argmax()] += 1
    return [int(seated) for seated in seats]


def _medoid(rows: Rows, weights: Numbers, places: Places) -> int:
    """The sample of a cluster with the least weighted mean distance to its heaviest ones."""
    others = places[np.argsort(-weights[places], kind="stable")[:_MOST_OTHERS]]
    apart = np.sqrt(_squares(rows[places], rows[others])) @ weights[others]
    return int(places[apart.argmin()])


def _centres(rows: Rows, weights: Numbers, wanted: int, generator: np.random.Generator) -> Rows:
    """Lloyd's rounds from scattered starts."""
    centres = rows[_scattered(rows, weights, wanted, generator)]
    for _ in range(_ROUNDS):
        nearest = _squares(rows, centres).argmin(axis=1)
        shares = np.zeros((len(rows), wanted))
        shares[np.arange(len(rows)), nearest] = weights
        mass, sums = shares.sum(axis=0), shares.T @ rows  # a product lets other threads run meanwhile
        held = mass > 0
        centres[held] = sums[held] / mass[held, None]
    return centres


def _cost(rows: Rows, weights: Numbers, centres: Rows) -> float:
    """What k-means makes small: weighted squared distances to the nearest centre."""
    return float(_squares(rows, centres).min(axis=1) @ weights)


def _far_first(rows: Rows, chosen: Sequence[int]) -> list[int]:
    """The chosen ones in another order: the most central first, then always the one farthest from those before (Gonzalez, 1985)."""
    left = list(chosen)
    apart = -np.square(rows[left] - rows.mean(axis=0)).sum(axis=1)
    ordered: list[int] = []
    while left:
        place = int(apart.argmax())
        found = np.square(rows[left] - rows[left[place]]).sum(axis=1)
        apart = np.delete(np.minimum(apart, found) if ordered else found, place)
        ordered.append(left.pop(place))
    return ordered


def _scattered(rows: Rows, weights: Numbers, wanted: int, generator: np.random.Generator) -> list[int]:
    """Starts for k-means: each is drawn with probability weight x squared distance to those before (Arthur and Vassilvitskii, 2007)."""
    chosen = [int(generator.choice(len(rows), p=weights / weights.sum()))]
    apart = _squares(rows, rows[chosen])[:, 0]
    while len(chosen) < wanted:
        chances = apart * weights
        total = chances.sum()
        chosen.append(int(generator.choice(len(rows), p=chances / total if total > 0 else None)))
        apart = np.minimum(apart, _squares(rows, rows[chosen[-1:]])[:, 0])
    return chosen


def _squares(rows: Rows, centres: Rows) -> Rows:
    """Squared Euclidean distances, (n, k)."""
    squares: Rows = np.vecdot(rows, rows)[:, None] - 2.0 * rows @ centres.T + np.vecdot(centres, centres)
    return np.maximum(squares, 0.0)
