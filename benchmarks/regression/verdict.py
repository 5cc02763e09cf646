"""What the runs say together: the labels that random asking needs for the same error, and whether intervals hold. Values in, values out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import exp, log
from statistics import fmean
from typing import NamedTuple

from scipy.stats import ttest_rel  # type: ignore[import-untyped]  # River brings it along

from benchmarks.regression.jobs import Found, Job
from service.simulate.verdict import accuracy_with, needed

CLEAR = 0.01  # of p
BAR = 0.8  # of random asking's labels
COVERS = (0.93, 0.985)  # of labels, inside intervals of 95 %
HOLDS = 0.9  # of estimates' intervals of 95 %


class Standing(NamedTuple):
    """A measure on a stream: per budget its labels over those that random asking needs for the same error, and their geometric mean.

    `p` is Student's for paired differences of errors from those of random asking with as many labels, `against_timed` the gain over
    random asking at the same times, a share of its error. None in `ratios`: random asking gets there with no number of labels.
    """

    stream: str
    measure: str
    labels: Sequence[float]
    errors: Sequence[float]
    ratios: Sequence[float | None]
    ratio: float
    p: float
    against_timed: float
    inside: float | None
    held: float | None

    @property
    def wins(self) -> bool:
        """Whether it needs clearly fewer labels."""
        return self.ratio < 1.0 and self.p < CLEAR


def standings(found: Mapping[Job, Found]) -> list[Standing]:
    """Every measure on every stream, the best of a stream first."""
    groups: dict[tuple[str, str], dict[Job, Found]] = defaultdict(dict)
    for job, one in found.items():
        if job.measure is not None:
            groups[job.stream, job.measure][job] = one
    made = [standing(stream, measure, runs, curves(found, stream)) for (stream, measure), runs in groups.items()]
    return sorted(made, key=lambda one: (one.stream, one.ratio))


def curves(found: Mapping[Job, Found], stream: str) -> dict[int, list[tuple[float, float]]]:
    """Random asking's curve by seed: labels, and the error taken negative."""
    made: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for job, one in found.items():
        if job.stream == stream and job.measure is None:
            made[job.seed].append((one.labels, -one.mae))
    return {seed: sorted(places) for seed, places in made.items()}


def standing(stream: str, measure: str, runs: Mapping[Job, Found], by_seed: Mapping[int, list[tuple[float, float]]]) -> Standing:
    """Judge a measure on a stream."""
    mean = [(fmean(labels for labels, _ in places), fmean(score for _, score in places)) for places in zip(*by_seed.values(), strict=True)]
    budgets = sorted({job.budget for job in runs})
    labels = [fmean(one.labels for job, one in runs.items() if job.budget == budget) for budget in budgets]
    errors = [fmean(one.mae for job, one in runs.items() if job.budget == budget) for budget in budgets]
    ratios = [_ratio(mean, bought, error) for bought, error in zip(labels, errors, strict=True)]
    most = mean[-1][0]
    logs = [log(bought / most if ratio is None else ratio) for bought, ratio in zip(labels, ratios, strict=True)]
    inside = [one.inside for one in runs.values() if one.inside is not None]
    held = [one.held for one in runs.values() if one.held is not None]
    timed = fmean(1.0 - one.mae / one.timed for one in runs.values() if one.timed)
    return Standing(
        stream,
        measure,
        labels,
        errors,
        ratios,
        exp(fmean(logs)),
        _p(runs, by_seed),
        timed,
        fmean(inside) if inside else None,
        fmean(held) if held else None,
    )


def _ratio(curve: Sequence[tuple[float, float]], labels: float, error: float) -> float | None:
    """Labels over those at which random asking has this error; None where it never has."""
    found = needed(curve, -error)
    return None if found is None else labels / found.labels


def _p(runs: Mapping[Job, Found], by_seed: Mapping[int, list[tuple[float, float]]]) -> float:
    """A difference a seed: the mean over budgets of the error over random asking's with as many labels, in logarithms."""
    ours: dict[int, list[float]] = defaultdict(list)
    theirs: dict[int, list[float]] = defaultdict(list)
    for job, one in runs.items():
        ours[job.seed].append(log(one.mae))
        theirs[job.seed].append(log(-accuracy_with(by_seed[job.seed], one.labels)))
    return float(ttest_rel([fmean(ours[seed]) for seed in ours], [fmean(theirs[seed]) for seed in ours]).pvalue)


def complaints(found: Sequence[Standing]) -> list[str]:
    """Where the bars are missed: a stream on which some measure wins, and none by enough; intervals that do not hold."""
    wrong = []
    for stream in dict.fromkeys(one.stream for one in found):
        here = [one for one in found if one.stream == stream]
        wins = [one.ratio for one in here if one.wins]
        if wins and min(wins) > BAR:
            wrong.append(f"{stream}: the best measure needs {min(wins):.0%} of random asking's labels, not {BAR:.0%}")
        inside = [one.inside for one in here if one.inside is not None]
        if inside and not COVERS[0] <= fmean(inside) <= COVERS[1]:
            wrong.append(f"{stream}: intervals of 95 % hold {fmean(inside):.1%} of the labels")
    held = [one.held for one in found if one.held is not None]
    if held and fmean(held) < HOLDS:
        wrong.append(f"intervals of the estimated error hold the true one in {fmean(held):.1%} of the runs")
    return wrong
