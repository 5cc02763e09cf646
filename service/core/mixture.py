"""How much of a stream's questions each candidate of the rule `auto` steers, by what the answered ones say. Pure functions of evidence.

Nothing is remembered here, so that corrections, erasures and replays count as they do in every other figure.
"""

from collections.abc import Sequence
from math import erfc, log, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.evaluation.evidence import THINNED, UNKNOWN, Evidence
from service.core.evaluation.savings import LIKELY
from service.core.evaluation.view import Flags, Floats, Rows, last_rows, usable

CHANCE: Final = "random"
WINDOW: Final = 1_000  # questions that count, the last ones
PRIOR: Final = (0.04, 0.025)  # what choosing gains over drawing, in accuracy: mean and standard deviation over streams
_FEWEST: Final = 30  # answers from which anything is concluded
_BLUR: Final = 0.01  # standard deviation of what the continued learning curve misses
_TEMPER: Final = 0.2  # nats of weight a standard deviation of surprise
_FAR: Final = 3.0  # standard deviations that count


class RuleShare(NamedTuple):
    """A candidate: its share of the rule's questions, labels that it brought, and how wrong the model was about what it wants."""

    name: str
    weight: float
    labels: float
    surprise: float | None


class Mixture(NamedTuple):
    """How the candidates stand after so many answers; `lead` is what choosing gains over drawing, with its standard deviation."""

    standings: list[RuleShare]
    lead: float
    deviation: float
    answers: int
    numbers: bool = False

    @property
    def shares(self) -> list[float]:
        """The candidates' weights; together 1."""
        return [one.weight for one in self.standings]

    @property
    def reason(self) -> str:
        """Why, in a sentence or two."""
        drawn = sum(one.weight for one in self.standings if one.name == CHANCE)
        if not self.answers:
            return f"Too few answers yet: {drawn:.0%} is drawn at random, the rest shared out evenly."
        said = f"{self._gain}, so {drawn:.0%} is drawn at random."
        chosen = [one for one in self.standings if one.name != CHANCE]
        best = max(chosen, key=lambda one: one.weight)
        off = "furthest off" if self.numbers else f"{best.surprise or 0.0:.0%} wrong"
        return f"{said} Of the rest most is asked by {best.name}: the model is {off} about what it wants asked."

    @property
    def _gain(self) -> str:
        if (self.lead, self.deviation) == PRIOR:
            return "What choosing gains over drawing these answers do not tell"
        return f"Choosing gains {100 * self.lead:+.1f} points over drawing (± {100 * self.deviation:.1f})"


def held(evidence: Evidence, names: Sequence[str], share: float, *, numbers: bool = False) -> Mixture:
    """Judge the candidates by the last questions that they had a say in; `share` is drawn at least.

    Labels that are `numbers` may have any unit: how far the model was off counts in the mean of all traffic.
    """
    wished = evidence.wishes.last(WINDOW)
    if evidence.wishes.names != list(names):
        return _even(names, share)
    rows = last_rows(evidence, len(wished))
    spoken = usable(rows) & ~np.isnan(rows.losses) & ~np.isnan(wished[:, 0])
    if int(spoken.sum()) < _FEWEST:
        return _even(names, share)
    lead, deviation = _lead(rows.of(usable(rows)))
    ratios = wished[spoken] / rows.chances[spoken, np.newaxis]
    losses = rows.losses[spoken]
    if numbers:
        losses = losses / max(float(np.average(losses, weights=1.0 / rows.chances[spoken])), 1e-300)
    surprise, spread = _surprise(ratios, -np.expm1(-losses))
    weights = _weights(np.array([name == CHANCE for name in names]), surprise, spread, _drawn(lead, deviation, share))
    parts = (weights * ratios / np.maximum((weights * ratios).sum(axis=1), 1e-12)[:, np.newaxis]).sum(axis=0)
    standings = map(RuleShare, names, weights.tolist(), parts.tolist(), surprise.tolist())
    return Mixture(list(standings), lead, deviation, len(ratios), numbers)


def shares_at_first(names: Sequence[str], share: float) -> list[float]:
    """The candidates' weights before any answer says something of them."""
    drawn = _drawn(*PRIOR, share)
    return [drawn if name == CHANCE else (1.0 - drawn) / (len(names) - 1) for name in names]


def _even(names: Sequence[str], share: float) -> Mixture:
    shares = shares_at_first(names, share)
    return Mixture([RuleShare(name, weight, 0.0, None) for name, weight in zip(names, shares, strict=True)], *PRIOR, 0)


def _drawn(lead: float, deviation: float, share: float) -> float:
    """The part that is drawn: the probability that choosing gains nothing, and at least `share`."""
    return max(share, 0.5 * erfc(lead / deviation / sqrt(2.0)))


def _lead(rows: Rows) -> tuple[float, float]:
    """What choosing gains over drawing as many labels: mean and standard deviation, after the prior.

    The first arm learned the random answers alone, the second a third of these (`service.core.evaluation.savings`). From the first arm to
    as many labels as there are, accuracy grows by what a tripling gained, less as curves flatten. Every answer stands for 1/p samples.
    Where there are no arms, for numbers and a model of the caller's own, the prior is all there is.
    """
    rows = rows.of(_compared(rows))
    drawn = int(rows.explored.sum())
    if drawn < _FEWEST:
        return PRIOR
    first, second = (np.asarray(guess == rows.truths, np.float64) for guess in rows.guesses)
    triplings = log(len(rows) / drawn) / log(THINNED)
    gains = rows.correct - first - LIKELY * triplings * (first - second)
    mean, variance = _estimated(1.0 / rows.chances[:, np.newaxis], gains)
    noise, belief = float(variance[0]) + _BLUR**2, PRIOR[1] ** 2
    return (PRIOR[0] / belief + float(mean[0]) / noise) / (1.0 / belief + 1.0 / noise), (1.0 / belief + 1.0 / noise) ** -0.5


def _compared(rows: Rows) -> Flags:
    """Answers that the first arm said something of, or that came before it could have learned any: some models have no arms."""
    before: NDArray[np.int64] = np.cumsum(rows.explored, dtype=np.int64) - rows.explored
    flags: Flags = (rows.guesses[0] != UNKNOWN) | (before == 0)
    return flags


def _surprise(ratios: Floats, wrong: Floats) -> tuple[Floats, Floats]:
    """How wrong the model was in the mean about what each candidate wants, and its standard error; `ratios` are p_k / p."""
    means, variances = _estimated(ratios, wrong)
    return means, np.sqrt(variances) + 1e-3


def _estimated(weights: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Hajek's estimate of a mean by column of weights, and its variance."""
    sums = np.maximum(weights.sum(axis=0), 1e-12)
    means: Floats = (weights * values[:, np.newaxis]).sum(axis=0) / sums
    variances: Floats = (np.square(weights) * np.square(values[:, np.newaxis] - means)).sum(axis=0) / np.square(sums)
    return means, variances


def _weights(chance: Flags, surprise: Floats, spread: Floats, drawn: float) -> Floats:
    """Shares of candidates: `drawn` for chance, the rest by exponential weights of how far the others' surprise lies from their mean."""
    nats = _TEMPER * np.clip((surprise - surprise[~chance].mean()) / spread, -_FAR, _FAR)
    others = np.where(chance, 0.0, np.exp(nats))
    shares: Floats = np.where(chance, drawn, others / others.sum() * (1.0 - drawn))
    return shares
