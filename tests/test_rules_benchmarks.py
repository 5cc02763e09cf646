"""The verdicts of the benchmarks about rules and measures: what counts as a win, and what a decision is said to cost."""

import math

import pytest

from benchmarks.rule_cost import BARS, DEFAULT, first_quartile
from benchmarks.where_rules_win import NAMED, Found, complaints, jobs, verdict, verdicts
from service.core.measures import MEASURES
from service.core.rules import RULES


def runs(gains):
    """Pairs of runs with these gains in accuracy."""
    return [Found(0.8 + gain, 0.8, 100) for gain in gains]


def test_a_win_is_clear_over_paired_seeds():
    """Student: t = mean / (deviation / sqrt(n)): gains of 1, 2, 3 points have t = 2 sqrt(3), p = 0.0742 with two degrees of freedom."""
    one = verdict(runs([0.01, 0.02, 0.03]))
    assert one.p == pytest.approx(0.0741799, abs=1e-6)
    assert not one.wins
    assert verdict(runs([0.05 + 0.001 * (-1) ** i for i in range(10)])).wins
    assert not verdict(runs([-0.05 + 0.001 * (-1) ** i for i in range(10)])).wins


def test_runs_that_are_all_alike_need_no_test():
    """Without spread a gain is certain, and no gain is none."""
    assert verdict(runs([0.01] * 10)).wins
    assert not verdict(runs([0.0] * 10)).wins


def test_a_measure_that_wins_nowhere_is_a_complaint():
    """One stream is enough; losses elsewhere are shown and not hidden."""
    short = jobs(None, NAMED, "logistic", short=True)
    found = {job: Found(0.9 + job.seed * 1e-4 if job.measure == "density" else 0.7, 0.8, 100) for job in short}
    assert complaints(verdicts(found)) == ["committee beats random on no stream", "model-change beats random on no stream"]


def test_what_has_a_bar_exists():
    """Bars are about rules and measures of the catalogue, the default among them."""
    assert DEFAULT in BARS
    assert all(rule in RULES and measure in MEASURES for rule, measure in BARS)


def test_the_first_quartile_is_exceeded_by_three_quarters():
    """Of eight rounds the second cheapest is shown."""
    assert first_quartile([5.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0]) == 2.0
    assert math.isclose(first_quartile([3.0]), 3.0)
