"""From runs to comparisons at matched label counts. It computes; it runs and shows nothing.

Rules do not spend what they are told, so accuracies are read off at the same number of labels that were really bought: linear in
the logarithm of the share bought between a rule's budgets. Beyond its last budget a rule's accuracy is held, since it would buy no more;
below its first one as well, up to half as many labels again, and a rule that buys even more is left out at that share.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from scipy.stats import rankdata, wilcoxon  # type: ignore[import-untyped]  # River brings it along
from scipy.stats import t as student

from benchmarks.label_efficiency.jobs import DEFAULT, FULL, RANDOM, Found, Job

_SLACK = 1.02  # by which the default's smallest share may exceed the one that is compared
_GRACE = 1.5  # the same of the others: scikit-activeml's managers buy 1.44 % where they are told 1 %
_CONFIDENCE = 0.95

Runs = Mapping[Job, Found]


class Point(NamedTuple):
    """The share of samples whose label was bought, and the accuracy over all, means over seeds."""

    share: float
    accuracy: float


class Row(NamedTuple):
    """A rule at a share: its mean over streams, its average rank, and the default's lead over it."""

    rule: str
    accuracy: float
    rank: float
    lead: float
    wins: int
    p: float  # Wilcoxon's signed ranks over streams, two-sided


class Gain(NamedTuple):
    """The default less random asking with as many labels, paired by seed: Student's interval of 95 %."""

    mean: float
    low: float
    high: float
    labels: float


def curves(runs: Runs, model: str) -> dict[str, dict[str, list[Point]]]:
    """Points by rule and stream, in the order of shares; random asking is the default's control."""
    groups: dict[tuple[str, str, float], list[tuple[float, float]]] = defaultdict(list)
    for job, found in runs.items():
        if job.model != model or job.rule == FULL or job.delay or job.lost:
            continue
        share = found.labels / found.n
        groups[job.rule, job.stream, job.budget].append((share, found.accuracy))
        if found.control is not None:
            groups[RANDOM, job.stream, job.budget].append((share, found.control))
    drawn: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for (rule, stream, _), pairs in groups.items():
        drawn[rule][stream].append(Point(fmean(share for share, _ in pairs), fmean(accuracy for _, accuracy in pairs)))
    return {rule: {stream: sorted(points) for stream, points in by_stream.items()} for rule, by_stream in drawn.items()}


def at(points: Sequence[Point], share: float) -> float:
    """The accuracy at a share.

    >>> at([Point(0.01, 0.7), Point(0.1, 0.9)], 0.1), at([Point(0.01, 0.7), Point(0.1, 0.9)], 0.001)
    (0.9, 0.7)
    """
    bought = [point for point in points if point.share > 0]
    after = bisect_right([point.share for point in bought], share)
    if after in (0, len(bought)):
        return bought[min(after, len(bought) - 1)].accuracy if bought else points[0].accuracy
    left, right = bought[after - 1], bought[after]
    part = (log(share) - log(left.share)) / (log(right.share) - log(left.share))
    return left.accuracy + part * (right.accuracy - left.accuracy)


def reached(drawn: Mapping[str, Mapping[str, Sequence[Point]]], share: float) -> list[str]:
    """The streams on which the default can buy as little as this; its grant is 50 questions."""
    return sorted(stream for stream, points in drawn[DEFAULT].items() if points[0].share <= share * _SLACK)


def matched(drawn: Mapping[str, Mapping[str, Sequence[Point]]], share: float) -> list[Row]:
    """Every rule at the share, the best first, over the streams that the default reaches."""
    streams = reached(drawn, share)
    rules = [rule for rule, by_stream in drawn.items() if all(comparable(rule, by_stream.get(stream), share) for stream in streams)]
    table = {rule: [at(drawn[rule][stream], share) for stream in streams] for rule in rules}
    if not streams:
        return []
    ranks = rankdata([[-value for value in table[rule]] for rule in rules], axis=0)
    rows = []
    for rule, own in zip(rules, ranks, strict=True):
        leads = [ours - theirs for ours, theirs in zip(table[DEFAULT], table[rule], strict=True)]
        p = float(wilcoxon(leads).pvalue) if any(leads) and len(leads) > 1 else 1.0
        rows.append(Row(rule, fmean(table[rule]), fmean(own), fmean(leads), sum(lead > 0 for lead in leads), p))
    return sorted(rows, key=lambda row: -row.accuracy)


def comparable(rule: str, points: Sequence[Point] | None, share: float) -> bool:
    """Whether a rule can buy about as little as this."""
    return points is not None and points[0].share <= share * (_SLACK if rule in (DEFAULT, RANDOM) else _GRACE)


def supervised(runs: Runs, model: str, *, delay: int = 0) -> dict[str, float]:
    """Full supervision by stream, with the best of the learning rates that were run."""
    best: dict[str, float] = {}
    for job, found in runs.items():
        if job.model == model and job.rule == FULL and job.delay == delay:
            best[job.stream] = max(best.get(job.stream, 0.0), found.accuracy)
    return best


def gains(runs: Runs, model: str) -> dict[tuple[int, float, str], Gain]:
    """The default's gain over random by delay, budget and stream, and for the mean of the streams, called `mean`."""
    by_stream: dict[tuple[int, float, str], list[tuple[float, int]]] = defaultdict(list)
    by_seed: dict[tuple[int, float, int], list[tuple[float, int]]] = defaultdict(list)
    for job, found in sorted(runs.items(), key=lambda item: str(item[0])):
        if job.model == model and found.control is not None:
            pair = (found.accuracy - found.control, found.labels)
            by_stream[job.delay, job.budget, job.stream].append(pair)
            by_seed[job.delay, job.budget, job.seed].append(pair)
    means: dict[tuple[int, float, str], list[tuple[float, int]]] = defaultdict(list)
    for (delay, budget, _), pairs in by_seed.items():
        means[delay, budget, "mean"].append((fmean(gain for gain, _ in pairs), round(fmean(labels for _, labels in pairs))))
    return {group: _gain(pairs) for group, pairs in {**by_stream, **means}.items()}


def _gain(pairs: Iterable[tuple[float, int]]) -> Gain:
    values, labels = zip(*pairs, strict=True)
    half = student.ppf((1 + _CONFIDENCE) / 2, len(values) - 1) * stdev(values) / sqrt(len(values)) if len(values) > 1 else float("inf")
    return Gain(fmean(values), fmean(values) - half, fmean(values) + half, fmean(labels))
