"""The rule `auto`: candidates in shadow, a mixture whose probability is known, and shares that follow what answers say."""

import math
import random

import msgspec
import numpy as np
import pytest

from service.core import events
from service.core.budget import BudgetManager
from service.core.catalogue import effective
from service.core.config import BudgetSpec
from service.core.evaluation import Evidence
from service.core.evaluation.wishes import Wishes
from service.core.events import Asked, Configured, Mark, Swapped
from service.core.freezer import freeze, thaw
from service.core.learner import Learner
from service.core.mixture import PRIOR, WINDOW, held
from service.core.policy import QueryPolicy
from service.core.rebuild import fold, rebuild_of
from service.core.records import BudgetView, Decision, Forecast, Prediction, Query
from service.core.rules import Account
from service.core.rules.auto import CANDIDATES, AutoRule

NAMES = tuple(CANDIDATES)
FRESH = Account(rate=0.04, balance=0.0, grant=40.0, open=True)


# The mixture


def test_the_mixture_is_the_sum_of_the_candidates_by_their_weights():
    """0.5, 0.3, 0.1 and 0.1 of what each would have asked with; what each said is told."""
    rule = AutoRule()
    rule.weights = lambda: [0.5, 0.3, 0.1, 0.1]
    verdict = rule.query(0.7, FRESH)
    alone = [make().query(0.7, FRESH) for make in CANDIDATES.values()]

    assert list(verdict.wished.values()) == [one.probability for one in alone]
    assert verdict.probability == pytest.approx(np.dot([0.5, 0.3, 0.1, 0.1], list(verdict.wished.values())))
    assert verdict.threshold == alone[0].threshold


def test_its_probability_is_the_frequency_of_its_asks():
    """Of 20,000 samples as many are asked as the probabilities promise, within four deviations, at the budget's rate."""
    budget, chance = BudgetManager(BudgetSpec(rate=0.1)), random.Random(1)
    policy = QueryPolicy(AutoRule(), "auto", budget, 0.3, b"k" * 16)
    decided = []
    for number in range(20_000):
        decided.append(policy.decide(f"{number}", chance.random() ** 3, 0.0))
        if decided[-1].ask:
            budget.take()
    promised, variance = (sum(f(query.probability) for query in decided) for f in (lambda p: p, lambda p: p * (1 - p)))

    assert abs(sum(query.ask for query in decided) - promised) < 4 * math.sqrt(variance)
    assert 0.1 * 20_000 - 40 <= budget.spent <= 0.1 * 20_000 + 50


def test_every_candidate_keeps_an_account_of_its_own():
    """Each would have asked for about what is due: the one with the highest set point does not leave the others without money."""
    budget, chance = BudgetManager(BudgetSpec(rate=0.1)), random.Random(2)
    policy = QueryPolicy(AutoRule(), "auto", budget, 0.3, b"k" * 16)
    wished = np.zeros(len(NAMES))
    for number in range(10_000):
        query = policy.decide(f"{number}", chance.random() ** 3, 0.0)
        wished += list(query.wished.values())
        if query.ask:
            budget.take()
    own = (0.1 - 0.03) / 0.97 * 10_000

    assert wished == pytest.approx(own, abs=0.1 * own)


def test_where_candidates_had_no_say_they_are_not_told_of():
    """A cold model asks by its own limit, and where the money is left to exploration nobody chose."""
    policy = QueryPolicy(AutoRule(), "auto", BudgetManager(BudgetSpec(rate=0.1, burst=10)), 0.3, b"k" * 16)
    assert policy.decide("a", 1.0, 0.0, cold=True).wished is None
    for _ in range(9):
        policy.budget.take()
    assert policy.decide("b", 1.0, 0.0).wished is None


# What the answers say


def row(evidence, probability, wished, *, surprise=0.5, right=True, arms=(True, True), explored=False):
    """Ask a question whose answer is `a`, to which the model gave 1 - `surprise`; it is `right` or not, and so are the arms."""
    number = len(evidence)
    query = Query(True, probability, "exploration" if explored else "uncertain", 0.5, None, "auto", BudgetView(0, 0, 0, 0), wished)
    prediction = Prediction("a" if right else "b", 0.6, {"a": 1.0 - surprise, "b": surprise})
    mark = Mark(number + 1, 0, 0.0, 0.1, 0.0, [], 1)
    place = evidence.ask(Asked(0.0, {}, Decision(f"{number}", 0, prediction, query), mark, 1.0))
    evidence.guess(place, ["a" if arm else "b" for arm in arms] if arms else [])
    evidence.settle(place, "a")


def wishes(**wanted):
    """What the candidates want, 0.01 unless it is said."""
    return {name: wanted.get(name.replace("-", "_"), 0.01) for name in NAMES}


def weights(evidence):
    """The candidates' weights by name."""
    return {one.name: one.weight for one in held(evidence, NAMES, 0.05).standings}


def test_before_there_are_answers_all_that_choose_are_alike():
    """Choosing is believed to gain 4 ± 2.5 points over drawing, so 5.5 % is drawn."""
    shares = weights(Evidence(()))
    assert shares["random"] == pytest.approx(0.5 * math.erfc(PRIOR[0] / PRIOR[1] / math.sqrt(2.0)))
    assert shares["logit"] == shares["quantile"] == shares["importance-weighted"] == pytest.approx((1.0 - shares["random"]) / 3)


def test_shares_shift_to_the_candidate_that_finds_what_the_model_does_not_know():
    """What logit wants is asked rarely and surprises by 0.9, or surely and by 0.1; what quantile wants surprises by 0.6.

    Each answer counts p_k / p: 0.1 x 100 and 0.9 x 1,000 make 0.83 for logit. Unweighted it would be 0.37, and quantile ahead.
    """
    evidence = Evidence(())
    for _ in range(100):
        row(evidence, 1.0, wishes(logit=0.5), surprise=0.1)
        row(evidence, 1.0, wishes(quantile=0.5), surprise=0.6)
    for _ in range(50):
        row(evidence, 0.05, wishes(logit=0.5), surprise=0.9)
    mixture = held(evidence, NAMES, 0.05)
    logit, quantile = mixture.standings[:2]

    assert logit.surprise == pytest.approx((100 * 0.5 * 0.1 + 50 * 10 * 0.9) / (100 * 0.5 + 50 * 10), abs=0.02)
    assert logit.weight > 1.5 * quantile.weight
    assert mixture.answers == 250
    assert "logit" in mixture.reason


@pytest.mark.parametrize(("helps", "low", "high"), [(True, 0.05, 0.05), (False, 0.9, 1.0)])
def test_where_choosing_loses_against_drawing_more_is_drawn(helps, low, high):
    """Over all traffic, which answers at 0.05 stand for, and not among what was asked for sure, where it is the other way round."""
    evidence = Evidence(())
    for _ in range(200):
        row(evidence, 1.0, wishes(logit=1.0), right=not helps, arms=(helps, helps))
        row(evidence, 0.05, wishes(random=0.05), right=helps, arms=(not helps, not helps), explored=True)
    mixture = held(evidence, NAMES, 0.05)

    assert (mixture.lead > 0) == helps
    assert low <= weights(evidence)["random"] <= high


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_numbers_count_the_same_in_any_unit(unit):
    """What quantile wants was predicted ten times as far off as what logit wants, whatever that is measured in."""
    evidence = Evidence(())
    for place in range(200):
        wished = wishes(quantile=0.5) if place % 2 else wishes(logit=0.5)
        query = Query(True, 0.5, "uncertain", 0.5, None, "auto", BudgetView(0, 0, 0, 0), wished)
        forecast = Forecast(0.0, unit, None, None)
        decision = Decision(f"{place}", 0, Prediction(None, None, {}), query, forecast)
        asked = Asked(0.0, {}, decision, Mark(place + 1, 0, 0.0, 0.1, 0.0, [], 1), 1.0)
        evidence.settle(evidence.ask(asked), repr(10.0 * unit if place % 2 else unit))
    mixture = held(evidence, NAMES, 0.05, numbers=True)
    shares = {one.name: one.weight for one in mixture.standings}

    assert shares["quantile"] > 1.5 * shares["logit"]
    assert "furthest off about what it wants" in mixture.reason


@pytest.mark.parametrize("right", [True, False])
def test_without_arms_nothing_is_claimed_of_drawing(right):
    """Numbers and a model of the caller's own have none, and how often that is right says nothing of what choosing gains."""
    evidence = Evidence(())
    for place in range(200):
        row(evidence, 0.05, wishes(random=0.05), right=right, arms=(), explored=place % 2 == 0)
    mixture = held(evidence, NAMES, 0.05)

    assert (mixture.lead, mixture.deviation) == PRIOR
    assert "do not tell" in mixture.reason


def test_a_time_without_arms_does_not_count():
    """Where the model was the caller's own for a while, what choosing gains is told by the rest."""
    alone, both = Evidence(()), Evidence(())
    for place in range(300):
        if place == 150:
            for later in range(200):
                row(both, 0.05, wishes(random=0.05), arms=(), explored=later % 2 == 0)
        for evidence in (alone, both):
            row(evidence, 0.05, wishes(random=0.05), arms=(place % 3 > 0, place % 5 > 0), explored=True)
    ones = [held(evidence, NAMES, 0.05) for evidence in (alone, both)]

    assert ones[0].lead == pytest.approx(ones[1].lead, abs=0.02)


def test_other_candidates_begin_anew():
    """Wishes of candidates that are no longer there say nothing."""
    evidence = Evidence(())
    for _ in range(100):
        row(evidence, 0.5, {"logit": 0.5, "random": 0.1}, surprise=0.9)
    assert held(evidence, NAMES, 0.05).answers == 0


def test_only_the_last_questions_count():
    """What happened longer ago is forgotten, so that shares follow a stream that changes."""
    evidence = Evidence(())
    for name in ("logit", "quantile"):
        for _ in range(WINDOW):
            row(evidence, 0.5, wishes(**{name: 0.5}), surprise=0.9)
            if name == "logit":
                row(evidence, 0.5, wishes(quantile=0.5), surprise=0.1)
    shares = weights(evidence)
    assert shares["quantile"] >= shares["logit"]


def test_wishes_are_kept_by_row():
    """Rows before the first wish have none; one without a wish in between is empty; it is the same after a snapshot."""
    kept = Wishes()
    for number, wished in enumerate([None, None, {"a": 0.1, "b": 0.2}, None, {"a": 0.3, "b": 0.4}]):
        kept.ask(number, wished)
    assert (kept.first, len(kept)) == (2, 3)
    for one in (kept, Wishes.of(thaw(freeze(kept.learned())))):
        assert np.array_equal(one.last(2), [[math.nan, math.nan], [0.3, 0.4]], equal_nan=True)
        assert len(one.last(10)) == 3


# The log


class Book:
    """A stream with the rule and its log, in memory."""

    def __init__(self, **raw):
        """Create it."""
        self.log = []
        self.learner = None
        self.append(Configured(0.0, effective({"query": {"rule": "auto"}, "budget": {"rate": 0.3}, **raw}), b"k" * 16))

    def append(self, event):
        """Commit and fold an event, by way of its bytes."""
        self.log.append((len(self.log) + 1, events.decode(events.encode(event))))
        if self.learner is None:
            self.learner = Learner(*self.log[-1])
            return None
        return self.learner.apply(*self.log[-1])

    def read(self, after, upto):
        """The log between two positions."""
        return [item for item in self.log if after < item[0] <= upto]

    def label(self, sample_id, label, features):
        """Commit an answer."""
        return self.append(self.learner.answer(sample_id, label, "", features, 0.0, brought=False, labeled_at=None))

    def drive(self, count, seed=1):
        """Samples whose questions are answered at once; gives what was asked."""
        chance, asked = random.Random(seed), {}
        for number in range(count):
            features = {"x": chance.gauss(0, 1), "y": chance.random()}
            decision = self.learner.decide(f"{seed}-{number}", features, 0.0)
            if decision.query.ask:
                asked[decision.id] = features
                self.append(self.learner.question(decision, features))
                self.label(decision.id, "pos" if features["x"] + chance.gauss(0, 0.3) > 0 else "neg", features)
        return asked


def test_replay_and_snapshot_give_the_same_shares():
    """What the answers say is learned state: a fold of the log and a thawed snapshot judge the candidates as the serving state does."""
    book = Book()
    book.drive(500)
    mixture = book.learner.mixture()

    assert mixture.answers > 100
    assert mixture.standings[0].weight != mixture.standings[1].weight
    assert fold(book.read).mixture() == Learner.of(thaw(freeze(book.learner.learned()))).mixture() == mixture
    assert fold(book.read).fingerprint() == book.learner.fingerprint()


def test_a_correction_counts_as_if_the_first_label_had_never_been():
    """Shares are those of the log without what was superseded."""
    book = Book()
    asked = book.drive(400)
    before = book.learner.mixture()
    corrected = list(asked)[-60:]
    for sample_id in corrected:
        book.label(sample_id, "neg" if asked[sample_id]["x"] > 0 else "pos", asked[sample_id])
    gone = frozenset(book.learner.superseded)
    learner = None
    for seq, event in book.log:
        if learner is None:
            learner = Learner(seq, event)
        elif seq not in gone and not isinstance(event, Swapped):
            learner.apply(seq, event)

    assert book.learner.mixture() != before
    assert learner.mixture().standings == book.learner.mixture().standings
    assert rebuild_of(book.learner.superseded, book.read, len(book.log)) is not None


def test_a_stream_that_changes_its_rule_keeps_its_model_and_begins_the_mixture():
    """Questions asked under another rule say nothing of the candidates."""
    book = Book(query={})
    book.drive(300)
    assert book.learner.mixture() is None
    version = book.learner.version
    book.append(Configured(0.0, effective({"query": {"rule": "auto"}, "budget": {"rate": 0.3}})))
    assert book.learner.mixture().answers == 0
    book.drive(300, seed=2)

    assert book.learner.version > version
    assert 0 < book.learner.mixture().answers < len(book.learner.evidence)
    assert fold(book.read).mixture() == book.learner.mixture()


def test_a_question_says_nothing_of_candidates_under_another_rule():
    """Streams that have one rule pay for none of this."""
    book = Book(query={})
    asked = book.drive(50)
    event = next(event for _, event in book.log if isinstance(event, Asked))

    assert asked
    assert event.decision.query.wished is None
    assert b"wished" not in msgspec.json.encode(event.decision)
    assert len(book.learner.evidence.wishes) == 0
