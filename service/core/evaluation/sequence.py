"""An interval for the accuracy since the start that holds at all times at once, however often and whenever one looks.

For a sample with the error r = correct - m of a guess m that was made before (a function of its kind, fixed for ever), asked with
probability p, and any fixed l

    E[(1 + asked (exp(l r) - 1) / p) exp(-l r)] = 1

exactly, so the product over all samples is a martingale that begins at 1, for every l for which it cannot become negative. Only the
sum of all r is unknown in it, which is the number of right predictions less the sum of all m. A mean of such martingales over several l
and m exceeds 20 with a probability of at most 1/20 (Ville 1939), ever: what numbers of right predictions it does not refute is the
interval. A mixture in the manner of Robbins (1970), with this sampling's exact moments in place of bounds on them; compare the
empirical Bernstein sequences of Waudby-Smith and Ramdas (2024), which know no more than a range.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from service.core.evaluation.estimate import CONFIDENCE, PRIOR, answering
from service.core.evaluation.traffic import LEAST, SURE
from service.core.evaluation.view import Floats, Population, Rows

_Convex = Callable[[float], float]

_GUESSES: Final = (np.ones(SURE), PRIOR)
_STEPS: Final = 8  # sizes of l in each direction
_RATIO: Final = 1.5  # of one size to the next
_MARGIN: Final = 0.97  # of the largest l that keeps the product positive
_HALVINGS: Final = 40


class Bets:
    """The mean of the martingales at a moment, as a function of the number of right predictions since the start."""

    def __init__(self, population: Population, rows: Rows, floor: float) -> None:
        """Take all traffic with a chance and the questions about it; `floor` is the smallest chance that a sample may have.

        Where questions have no answer, the answered ones stand for them, and the guarantee holds as far as they do.
        """
        given = answering(rows)
        known = given.rows.kinds < SURE
        chances = given.chances[known]
        kinds, correct = given.rows.kinds[known], given.rows.correct[known]
        sizes = _sizes(min(max(floor * given.rate, LEAST), float(chances.min(initial=1.0))))
        self._slopes = np.tile(np.concatenate([sizes, -sizes]), len(_GUESSES))
        errors = [(correct - guess[kinds], float(population.counts[:SURE] @ guess)) for guess in _GUESSES]
        logs = [_product(size, error, chances) + size * guessed for error, guessed in errors for size in (*sizes, *-sizes)]
        self._heights = np.array(logs) - np.log(len(logs) / (1.0 - CONFIDENCE))

    def refuted(self, right: float) -> float:
        """The log of what the bets against this number have won over what they need to refute it: above 0 where they did."""
        logs = self._heights - self._slopes * right
        largest = logs.max()
        return float(largest + np.log(np.exp(logs - largest).sum()))


def sequence(population: Population, rows: Rows, floor: float) -> tuple[float, float] | None:
    """The interval for the accuracy over all covered traffic so far; None where every number of right predictions is refuted."""
    bets = Bets(population, rows, floor)
    inside = _lowest(bets.refuted, 0.0, population.predicted)
    if bets.refuted(inside) > 0.0:
        return None
    ends = _edge(bets.refuted, inside, 0.0), _edge(bets.refuted, inside, population.predicted)
    return ends[0] / population.covered, ends[1] / population.covered


def _sizes(smallest: float) -> Floats:
    largest = -np.log1p(-min(smallest, 0.5)) * _MARGIN
    sizes: Floats = largest * _RATIO ** -np.arange(_STEPS, dtype=np.float64)
    return sizes


def _product(size: float, errors: Floats, chances: Floats) -> float:
    return float(np.log1p(np.expm1(size * errors) / chances).sum())


def _lowest(function: _Convex, low: float, high: float) -> float:
    """Where a convex function is lowest."""
    for _ in range(_HALVINGS):
        left, right = low + (high - low) / 3.0, high - (high - low) / 3.0
        if function(left) <= function(right):
            high = right
        else:
            low = left
    return (low + high) / 2.0


def _edge(function: _Convex, inside: float, outside: float) -> float:
    """Where a convex function that is at most 0 `inside` passes 0 on the way `outside`, or `outside` where it does not."""
    if function(outside) <= 0.0:
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2.0
        if function(middle) > 0.0:
            outside = middle
        else:
            inside = middle
    return outside
