"""The verdict of the benchmark of regression: what is compared with what, and what counts as missed."""

import pytest

from benchmarks.regression.__main__ import SHORT_BUDGETS, SHORT_MEASURES, SHORT_STREAMS, jobs
from benchmarks.regression.jobs import SHARES, Found, rows_of
from benchmarks.regression.sets import REAL
from benchmarks.regression.verdict import complaints, standings


def found(measured, *, inside=0.95, held=True):
    """Runs of two measures on one stream of 1,000, where random asking with n labels has an error of 100 / n, up to the seed's noise."""
    made = {}
    for job in jobs(["diabetes"], SHORT_MEASURES, "linear", SHORT_BUDGETS, 5):
        noise = 1.0 + 0.01 * job.seed
        if job.measure is None:
            labels = round(1_000 * job.budget)
            made[job] = Found(labels, 100.0 / labels * noise, None, None, None)
        else:
            error = measured[job.measure] * noise * (1.0 + 0.001 * job.seed)
            made[job] = Found(100, error, 1.0, inside, held)
    return made


def test_labels_are_those_that_random_asking_needs_for_the_same_error():
    """With 100 labels an error of 1/2 takes 200 at random, and one of 2 takes 50; a clear win is one over paired seeds."""
    best, worst = standings(found({"gsx": 0.5, "deviation": 2.0}))
    assert (best.measure, worst.measure) == ("gsx", "deviation")
    assert best.ratio == pytest.approx(0.5, rel=0.1)
    assert worst.ratio == pytest.approx(2.0, rel=0.1)
    assert best.wins
    assert not worst.wins
    assert best.against_timed == pytest.approx(0.49, abs=0.01)
    assert complaints([best, worst]) == []


def test_an_error_that_random_asking_never_reaches_counts_as_all_its_labels():
    """Of the most that were tried."""
    best, _ = standings(found({"gsx": 0.01, "deviation": 1.0}))
    assert best.ratios == [None]
    assert best.ratio == pytest.approx(100 / 900)


@pytest.mark.parametrize(
    ("measured", "inside", "held", "wrong"),
    [
        ({"gsx": 0.9, "deviation": 1.0}, 0.95, True, "the best measure needs 89% of random asking's labels"),
        ({"gsx": 0.5, "deviation": 1.0}, 0.80, True, "intervals of 95 % hold 80.0% of the labels"),
        ({"gsx": 0.5, "deviation": 1.0}, 0.95, False, "hold the true one in 0.0% of the runs"),
    ],
)
def test_what_is_missed_is_said(measured, inside, held, wrong):
    """A win that is too small, and intervals that do not hold; no win at all is no complaint."""
    (said,) = complaints(standings(found(measured, inside=inside, held=held)))
    assert wrong in said
    assert complaints(standings(found({"gsx": 1.5, "deviation": 1.2}))) == []


def test_the_sets_are_there():
    """As many samples as their sources have, numbers all of them."""
    assert {name: len(rows_of(name)) for name in REAL} == {"TrumpApproval": 1001, "ChickWeights": 578, "WaterFlow": 1268, "diabetes": 442}
    assert all(isinstance(value, int | float) for name in REAL for value in rows_of(name)[0][0].values())
    assert set(SHORT_STREAMS) <= REAL.keys()
    assert max(SHARES) < 1.0
