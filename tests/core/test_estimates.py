"""Estimators: unbiased over every fall of the coins, intervals as worked out by hand, and null where nothing can be said."""

from itertools import product
from math import exp, inf

import numpy as np
import pytest
from scipy.stats import beta

from service.core.evaluation.estimate import answering, corrected, estimate, interval, spread, trust, worth
from service.core.evaluation.evidence import UNKNOWN, UNTOLD
from service.core.evaluation.figures import parts, quality
from service.core.evaluation.savings import _triplings, needed
from service.core.evaluation.sequence import Bets, sequence
from service.core.evaluation.traffic import BLANK, GONE, KINDS, SURE, UNCOVERED
from service.core.evaluation.view import Population, Rows

CHANCES = [0.1, 0.1, 0.3, 0.5, 0.9, 1.0]
SAMPLE_KINDS = [9, 8, 4, 2, 0, 1]
RIGHT = [1, 0, 1, 1, 0, 1]


def rows(chances, kinds, right, *, answered=None, explored=None, guesses=None, slices=None, losses=None):
    """Questions whose predicted label is 0; the true one is 0 where it was right and 1 where not."""
    n = len(chances)
    truths = np.array([1 - hit for hit in right], np.int32)
    if answered is not None:
        truths[~np.array(answered, bool)] = UNKNOWN
    return Rows(
        np.arange(1, n + 1, dtype=np.uint64),
        np.array(chances, float),
        np.array(kinds, np.uint8),
        np.zeros(n, bool) if explored is None else np.array(explored, bool),
        np.array([UNKNOWN if kind == BLANK else 0 for kind in kinds], np.int32),
        truths,
        np.full(n, 0.5) if losses is None else np.array(losses, float),
        np.full(n, UNTOLD, np.uint8),
        [np.array(guess, np.int32) for guess in guesses or ([0] * n, [0] * n)],
        slices or [()] * n,
    )


def population(chances, kinds):
    """The traffic that these samples are."""
    cost = sum(1 / p - 1 for p, kind in zip(chances, kinds, strict=True) if kind < SURE)
    return Population(np.bincount(kinds, minlength=KINDS).astype(float), cost)


def falls():
    """Every fall of the coins over the six samples: its probability, and the questions that are asked."""
    for coins in product((0, 1), repeat=len(CHANCES)):
        likelihood = np.prod([p if coin else 1 - p for p, coin in zip(CHANCES, coins, strict=True)])
        if likelihood:
            at = [index for index, coin in enumerate(coins) if coin]
            yield likelihood, rows(*([column[index] for index in at] for column in (CHANCES, SAMPLE_KINDS, RIGHT)))


@pytest.mark.parametrize("trusted", [np.zeros(SURE), np.ones(SURE), np.linspace(0.3, 0.7, SURE)], ids=["nothing", "all", "something"])
def test_the_estimate_is_unbiased_whatever_confidence_is_worth(trusted):
    """Over every fall of the coins the mean of the estimates is the number of right predictions, exactly."""
    traffic = population(CHANCES, SAMPLE_KINDS)
    mean = sum(likelihood * corrected(traffic, answering(asked), trusted) for likelihood, asked in falls())

    assert mean == pytest.approx(sum(RIGHT), abs=1e-12)


def test_the_variance_is_that_of_all_samples():
    """Over every fall of the coins the variance is the sum of each sample's (1 - p) / p times its squared error."""
    traffic, trusted = population(CHANCES, SAMPLE_KINDS), np.full(SURE, 0.6)
    spreads = sum(likelihood * (corrected(traffic, answering(asked), trusted) - sum(RIGHT)) ** 2 for likelihood, asked in falls())
    expected = sum((hit - 0.6) ** 2 * (1 / p - 1) for hit, p in zip(RIGHT, CHANCES, strict=True))

    assert spreads == pytest.approx(expected, rel=1e-12)


def test_the_bets_are_fair():
    """Over every fall of the coins the bets against the truth win nothing: their mean stays 1, exactly; so they rarely reach 20."""
    traffic = population(CHANCES, SAMPLE_KINDS)
    won = [(likelihood, 20 * exp(Bets(traffic, asked, 0.1).refuted(sum(RIGHT)))) for likelihood, asked in falls()]

    assert sum(likelihood * wealth for likelihood, wealth in won) == pytest.approx(1.0, abs=1e-12)
    assert sum(likelihood for likelihood, wealth in won if wealth >= 20) <= 0.05


def test_a_sequence_holds_what_is_not_refuted():
    """The bets are even at its ends, and it becomes narrower with every label."""
    widths = []
    for n in (200, 2_000, 20_000):
        chances, kinds, right = [0.1] * n, [5] * n, ([1] * 9 + [0]) * (n // 10)
        traffic, asked = population(chances, kinds), rows(chances[::10], kinds[::10], (right * 2)[: n // 10])
        low, high = sequence(traffic, asked, 0.1)
        bets = Bets(traffic, asked, 0.1)
        assert bets.refuted(low * n) == pytest.approx(0.0, abs=1e-3)
        assert low < 0.9 < high
        widths.append(high - low)

    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 0.1


def test_an_interval_by_hand():
    """Jeffreys below, Clopper and Pearson above, at 95 %; certainty where everything was sure to be asked."""
    assert interval(0.8, 20.0) == pytest.approx((beta.ppf(0.025, 16.5, 4.5), beta.ppf(0.975, 17, 4)))
    assert interval(1.0, 20.0) == pytest.approx((beta.ppf(0.025, 20.5, 0.5), 1.0))
    assert interval(0.0, 20.0) == pytest.approx((0.0, beta.ppf(0.975, 1, 20)), abs=1e-3)
    assert interval(0.37, inf) == (0.37, 0.37)


def test_what_an_interval_is_worth():
    """Every sample asked with 1 in 10 over 1,000 samples: 1,000 x 0.1 / 0.9 labels; twice as many where half the variance is left."""
    traffic = population([0.1] * 1_000, [5] * 1_000)

    assert worth(traffic, 1.0, 1.0) == pytest.approx(1_000 * 0.1 / 0.9)
    assert worth(traffic, 1.0, 0.5) == pytest.approx(2_000 * 0.1 / 0.9)
    assert worth(traffic, 0.5, 1.0) == pytest.approx(1_000 * 0.05 / 0.95)
    assert worth(population([1.0] * 10, [5] * 10), 1.0, 1.0) == inf


def test_an_estimate_by_hand():
    """Ten sure labels of which 4 are right, and of 190 confident samples 19 labels of which 18 are."""
    kinds, chances = [0] * 10 + [8] * 190, [1.0] * 10 + [0.1] * 190
    asked = rows([1.0] * 10 + [0.1] * 19, [0] * 10 + [8] * 19, [1] * 4 + [0] * 6 + [1] * 18 + [0])
    found = estimate(population(chances, kinds), asked, asked)

    assert found[:4] == (200, 1.0, 29, 29)
    assert found.accuracy == pytest.approx((4 + 180) / 200, abs=1e-9)
    assert found.naive == pytest.approx(22 / 29)
    assert found.low < found.accuracy < found.high
    assert (found.low, found.high) == pytest.approx(interval(found.accuracy, found.effective))


def test_confidence_is_trusted_as_far_as_labels_say():
    """Without labels a kind is worth its own confidence, with many the share of them that was right."""
    empty = rows([], [], [])
    many = rows([0.1] * 1_000, [9] * 1_000, [0, 1] * 500)

    assert trust(empty)[[0, 4, 9]] == pytest.approx([0.45, 0.85, 0.999])
    assert trust(many)[9] == pytest.approx(0.5, abs=2e-3)
    assert trust(many)[4] == pytest.approx(0.85)
    assert (spread(empty, trust(empty)), spread(many, trust(many))) == pytest.approx((1.0, 1.0), abs=0.01)


def test_confidence_that_tells_right_from_wrong_narrows_the_interval():
    """Where sure predictions are right and unsure ones wrong, little of the variance is left, yet never none."""
    told = rows([0.1] * 1_000, [9, 0] * 500, [1, 0] * 500)

    assert spread(told, trust(told)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("counts", "asked", "disabled", "reason"),
    [
        ({}, 0, False, "no samples"),
        ({5: 100}, 0, True, "disabled"),
        ({5: 94, UNCOVERED: 6}, 50, False, "not covered"),
        ({5: 100}, 4, False, "too few labels"),
        ({5: 95, UNCOVERED: 5}, 50, False, None),
        ({5: 100}, 50, True, None),
    ],
)
def test_nothing_is_claimed_where_nothing_can_be(counts, asked, disabled, reason):
    """The reason is said, what is known is told all the same."""
    traffic = Population(np.array([counts.get(kind, 0) for kind in range(KINDS)], float), 100.0)
    given = rows([0.5] * asked, [5] * asked, [1] * asked)
    found = estimate(traffic, given, given, disabled=disabled)

    assert (found.reason, found.asked, found.naive) == (reason, asked, 1.0 if asked else None)
    assert (found.accuracy is None) == (found.low is None) == (found.high is None) == (reason is not None)


def test_few_labels_that_stand_for_many_samples_are_too_few():
    """Five labels at 1 in 10,000 say nothing of 10,000 samples, however right they are."""
    n = 10_000
    asked = rows([1.0] * 5, [0] * 5, [1] * 5)

    assert estimate(population([1e-4] * n, [9] * n), asked, asked).reason == "too few labels"


def test_a_sample_without_a_prediction_is_wrong_and_takes_no_label():
    """Half the samples blank: accuracy is half that of the others, whatever the blank ones' labels are."""
    kinds, chances = [BLANK] * 100 + [8] * 100, [0.5] * 200
    asked = rows([0.5] * 100, [BLANK] * 50 + [8] * 50, [0] * 50 + [1] * 50)
    found = estimate(population(chances, kinds), asked, asked)

    assert found.accuracy == pytest.approx(0.5, abs=1e-3)


def test_the_answered_questions_stand_for_those_without_an_answer():
    """With every second question unanswered, each of the others stands for two; sure and costly ones are adjusted apart."""
    asked = rows([1.0] * 4 + [0.1] * 4, [5] * 8, [1] * 8, answered=[1, 1, 1, 1, 1, 0, 1, 0])
    given = answering(asked)

    assert given.chances.tolist() == pytest.approx([1.0] * 4 + [0.05] * 2)
    assert given.rate == 0.5
    assert len(answering(rows([0.1] * 2, [5] * 2, [1] * 2, answered=[0, 0])).rows) == 0


def test_answers_that_are_missing_widen_the_interval_and_are_reported():
    """The same answers, once all of them and once half of twice as many questions."""
    traffic = population([0.1] * 1_000, [8] * 1_000)
    every = rows([0.1] * 100, [8] * 100, ([1] * 9 + [0]) * 10)
    half = rows([0.1] * 100, [8] * 100, ([1] * 9 + [0]) * 10, answered=[1] * 50 + [0] * 50)
    whole, less = estimate(traffic, every, every), estimate(traffic, half, half)

    assert (less.asked, less.answered) == (100, 50)
    assert less.accuracy == pytest.approx(whole.accuracy, abs=0.01)
    assert less.high - less.low > 1.2 * (whole.high - whole.low)


def test_erased_and_uncovered_questions_say_nothing():
    """Neither enters an estimate."""
    asked = rows([0.5, 0.5, 0.5], [5, GONE, UNCOVERED], [1, 1, 1])

    assert answering(asked).rows.kinds.tolist() == [5]


# Figures beside accuracy


def test_figures_by_hand():
    """Two classes, weights 1 and 9: F1, kappa, log loss, precision and recall as worked out by hand."""
    asked = rows([1.0] * 2 + [1 / 9] * 2, [0, 0, 8, 8], [1, 0, 1, 1], losses=[0.1, 2.0, 0.3, 0.3])
    found = quality(asked, ["a", "b"])

    assert found.classes["a"].recall == 1.0
    assert found.classes["a"].precision == pytest.approx(19 / 20)
    assert found.classes["b"].recall == 0.0
    assert found.classes["b"].precision is None
    assert found.macro_f1 == pytest.approx((2 * 19 / 39 + 0) / 2)
    assert found.kappa == pytest.approx((19 / 20 - 19 / 20) / (1 - 19 / 20))
    assert found.log_loss == pytest.approx((0.1 + 2.0 + 9 * 0.3 * 2) / 20)
    assert (found.classes["a"].answered, found.classes["a"].share) == (3, pytest.approx(19 / 20))


def test_chance_alone_has_no_kappa():
    """Where every label and every prediction is the same, agreement means nothing."""
    assert quality(rows([0.5] * 9, [5] * 9, [1] * 9), ["a"]).kappa is None


def test_slices_are_bounded():
    """Of 30 values the 20 with the most questions are told apart, the rest are one; empty ones belong to none."""
    values = [f"v{index:02}" for index in range(30) for _ in range(30 - index)] + [""] * 7
    asked = rows([0.5] * len(values), [5] * len(values), [1] * len(values), slices=[(value,) for value in values])
    found = parts(asked, ["country"])["country"]

    assert list(found) == [f"v{index:02}" for index in range(20)] + ["other"]
    assert found["other"].asked == sum(range(1, 11))
    assert found["v00"].accuracy == 1.0
    assert sum(part.share for part in found.values()) == pytest.approx(1 - 7 / len(values))


def test_a_slice_with_few_labels_claims_nothing():
    """It says how many there are, and why."""
    found = parts(rows([0.5] * 4, [5] * 4, [1] * 4, slices=[("DE",)] * 4), ["country"])["country"]["DE"]

    assert (found.asked, found.answered, found.accuracy, found.reason) == (4, 4, None, "too few labels")


# Savings


def test_triplings_by_hand():
    """After a gain of 2 points constant ones reach 6 in three steps, halving ones 1.5 in two and 2 never, growing ones 7.5 in two."""
    points = np.array([0.02])

    assert _triplings(np.array([0.06]), points, 1.0) == pytest.approx([3.0])
    assert _triplings(np.array([0.015]), points, 0.5) == pytest.approx([2.0])
    assert _triplings(np.array([0.02]), points, 0.5) == [inf]
    assert _triplings(np.array([0.075, -0.1]), points, 1.5).tolist() == pytest.approx([2.0, -inf])
    assert _triplings(np.array([-0.02]), points, 0.5) == pytest.approx([-1.0])
    assert _triplings(np.array([0.01, -0.01]), np.array([0.0, 0.0]), 1.0).tolist() == [inf, -inf]


def test_savings_of_a_model_that_is_ahead():
    """Arms at 70 and 75 %, the service at 80: random asking needs more than the arm's labels, and perhaps never gets there."""
    right = [1] * 3_200 + [0] * 800
    guesses = [[0 if index < hits else 5 for index in range(4_000)] for hits in (3_000, 2_800)]
    asked = rows([0.5] * 4_000, [5] * 4_000, right, explored=[0, 1] * 2_000, guesses=guesses)
    found = needed(population([0.5] * 8_000, [5] * 8_000), asked)

    assert found.low > 2_000
    assert found.high is None
    assert found.labels is None or found.labels > found.low


def test_savings_need_answers_to_random_questions():
    """With fewer than 30 nothing is said."""
    asked = rows([0.5] * 50, [5] * 50, [1] * 50, explored=[1] * 29 + [0] * 21)

    assert needed(population([0.5] * 100, [5] * 100), asked) == (None, None, None, "too few labels")
