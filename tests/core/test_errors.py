"""Errors over all traffic from bought labels: means, their intervals, and what may not be claimed."""

import random

import numpy as np
import pytest

from service.core.catalogue import effective
from service.core.evaluation import evaluate_errors, overall_errors
from service.core.evaluation.errors import _times, errors
from service.core.evaluation.traffic import KINDS
from service.core.evaluation.view import Population, Rows
from service.core.events import Configured
from service.core.learner import Learner
from service.core.tasks import number_text


class Traffic:
    """A regression stream of which half the samples are hard; hard ones are asked more often."""

    def __init__(self, seed, **raw):
        """Create it."""
        self.rng = random.Random(seed)
        config = effective({"task": "regression", "budget": {"rate": 0.1, "burst": 20}, "query": {"measure": "deviation"}, **raw})
        self.learner = Learner(1, Configured(0.0, config, seed.to_bytes(16)))
        self.seq = 1
        self.errors = []
        self.asked = []

    def run(self, count):
        """Let samples come; what is asked is answered at once."""
        for _ in range(count):
            hard = self.rng.random() < 0.5
            x = {"a": self.rng.gauss(0, 1), "hard": float(hard), "kind": "hard" if hard else "easy"}
            y = 2.0 * x["a"] + self.rng.gauss(0, 3.0 if hard else 0.5)
            decision = self.learner.decide(str(len(self.errors)), x, 0.0)
            self.errors.append(np.nan if decision.forecast.value is None else abs(y - decision.forecast.value))
            if decision.query.ask:
                self.learner.apply(self.seq + 1, self.learner.question(decision, x))
                self.seq += 2
                self.learner.apply(self.seq, self.learner.answer(decision.id, number_text(y), "", x, 0.0, brought=False, labeled_at=None))
                self.asked.append(self.errors[-1])
        return self


def test_intervals_hold_the_errors_of_all_traffic():
    """Of forty streams nine in ten estimates and more hold the true MAE and RMSE, of the whole and of the last samples."""
    whole = squared = last = 0
    for seed in range(40):
        traffic = Traffic(seed).run(1_200)
        errors = np.array(traffic.errors)
        told = overall_errors(traffic.learner.view(whole=True))
        whole += told.low <= np.nanmean(errors) <= told.high
        squared += told.rmse_low <= np.sqrt(np.nanmean(errors**2)) <= told.rmse_high
        recent = evaluate_errors(traffic.learner.view(whole=True), traffic.learner.config).recent
        last += recent.low is None or recent.low <= np.nanmean(errors[-500:]) <= recent.high

    assert whole >= 36
    assert squared >= 34
    assert last >= 36


def test_every_answer_stands_for_the_samples_it_was_drawn_from():
    """Of 1,000 samples half are off by 1 and half by 5; of the hard ones ten times as many are asked, and the estimate is 3."""
    hard = np.arange(440) >= 40
    losses, chances = np.where(hard, 5.0, 1.0), np.where(hard, 0.8, 0.08)
    nothing = np.zeros(440, np.int32)
    inside = np.where(hard, 0, 1).astype(np.uint8)
    rows = Rows(nothing.astype(np.uint64), chances, nothing.astype(np.uint8), hard, nothing, nothing, losses, inside, [], [])
    counts = np.zeros(KINDS)
    counts[0] = 1_000
    told = errors(Population(counts, float(500 * 0.25 + 500 * 11.5)), rows)

    assert (told.mae, told.naive) == (pytest.approx(3.0), pytest.approx((40 + 400 * 5) / 440))
    assert told.rmse == pytest.approx(np.sqrt(13.0))
    assert told.inside == pytest.approx(0.5)
    assert 100 < told.effective < 160  # 440 answers are worth so many of random sampling


def test_nothing_is_claimed_of_too_little():
    """Without samples, without answers, and without traffic that could have been asked; with the reason."""
    traffic = Traffic(1)
    assert evaluate_errors(traffic.learner.view(whole=True), traffic.learner.config).total.reason == "no samples"
    traffic.run(3)
    told = evaluate_errors(traffic.learner.view(whole=True), traffic.learner.config)
    assert (told.window.mae, told.window.reason) == (None, "too few labels")
    none = Traffic(1, budget={"rate": 0.0, "burst": 0}).run(10)
    assert evaluate_errors(none.learner.view(whole=True), none.learner.config).window.reason == "disabled"


def test_the_figures_of_a_stream():
    """Windows, slices, what was spent; savings are not told. The interval since the start is the wider one."""
    traffic = Traffic(2, slices=["kind"], budget={"rate": 0.2, "burst": 20, "price": 0.5}).run(1_500)
    told = evaluate_errors(traffic.learner.view(whole=True), traffic.learner.config)
    kinds = told.slices["kind"]

    assert told.total.n == told.window.n == 1_500
    assert told.recent.n == 500
    assert told.total.high - told.total.low > told.window.high - told.window.low
    assert told.window.naive == pytest.approx(np.nanmean(traffic.asked), rel=1e-9)
    assert kinds["easy"].mae < told.window.mae < kinds["hard"].mae
    assert sum(part.share for part in kinds.values()) == pytest.approx(1.0)
    assert told.window.inside == pytest.approx(0.95, abs=0.08)
    assert told.spent.money == pytest.approx(told.spent.labels * 0.5)
    assert (told.saved.random, told.saved.reason) == (None, "not told of regression streams")


def test_what_holds_at_all_times_is_wider_than_what_holds_once():
    """An asymptotic confidence sequence: never below the normal quantile, and tightest near where it is tuned."""
    times = [_times(labels) for labels in (5.0, 50.0, 200.0, 2_000.0, 1e6)]
    assert min(times) > 1.96
    assert times[2] < times[0]
    assert times[2] < 3.2


def test_an_erased_or_corrected_answer_changes_the_figures():
    """A row follows the label that stands, and an erased one has none."""
    traffic = Traffic(3).run(600)
    evidence = traffic.learner.evidence
    row = max(range(len(evidence)), key=lambda at: 0.0 if np.isnan(evidence.losses[at]) else evidence.losses[at])
    before = overall_errors(traffic.learner.view(whole=True))
    evidence.settle(row, number_text(0.0))
    corrected = overall_errors(traffic.learner.view(whole=True))
    evidence.forget(row)
    erased = overall_errors(traffic.learner.view(whole=True))

    assert corrected.answered == before.answered == erased.answered + 1
    assert corrected.mae != before.mae
    assert np.isnan(evidence.losses[row])
