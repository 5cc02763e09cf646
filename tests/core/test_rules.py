"""The query rules: each formula with numbers worked by hand, and what every rule promises."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.core.rules import RULES, Account
from service.core.rules.iwal import ImportanceWeighted
from service.core.rules.logit import Logit
from service.core.rules.periodic import Periodic
from service.core.rules.quantile import Quantile
from service.core.rules.random import Random
from service.core.rules.uncertainty import FixedUncertainty, RandomVariableUncertainty, Split, VariableUncertainty

FRESH = Account(rate=0.04, balance=0.0, grant=40.0, open=True)
SHUT = replace(FRESH, open=False)

utilities = st.floats(0.0, 1.0)
accounts = st.builds(Account, st.floats(0.0, 1.0), st.floats(-1e6, 1e3), st.floats(0.0, 1e3), st.booleans(), st.floats(0.0, 1e4))
steps = st.lists(st.tuples(utilities, accounts, st.booleans()), max_size=20)


def probability(rule, utility, account=FRESH):
    """Return the probability that a rule gives."""
    return rule.query(utility, account).probability


def sigmoid(value):
    """Return the logistic function."""
    return 1.0 / (1.0 + math.exp(-value))


# logit


def test_logit_at_the_start():
    """With nothing spent x = -2, so utility 1/2 (logit 0) is asked with sigmoid(2 / 0.2), and the threshold is sigmoid(-2)."""
    verdict = Logit().query(0.5, FRESH)
    assert verdict.probability == pytest.approx(sigmoid(10.0), rel=1e-12)
    assert verdict.threshold == pytest.approx(0.1192029220221175, rel=1e-12)


def test_logit_climbs_ten_logits_over_the_grant():
    """A grant of 40 gives 1/4 logit a question: after 8 questions x = 0, after 40 x = 8."""
    half, full = replace(FRESH, balance=8.0), replace(FRESH, balance=40.0)
    assert probability(Logit(), 0.5, half) == pytest.approx(0.5)
    assert Logit().query(0.5, full).threshold == pytest.approx(sigmoid(8.0))
    assert probability(Logit(), 1.0, full) < 0.001


def test_logit_falls_fast_where_labels_are_owed():
    """What is owed moves x by ten logits in 12 questions, whatever the grant: six owed are five logits, x = -7."""
    for grant in (12.0, 40.0, 400.0):
        account = replace(FRESH, grant=grant, balance=-6.0)
        assert Logit().query(0.0, account).threshold == pytest.approx(sigmoid(-7.0))


def test_logit_without_a_grant_keeps_room():
    """With no grant x is 8 where nothing is owed and -2 where 12 questions are: the threshold decides, not the end of the money."""
    none = replace(FRESH, grant=0.0)
    assert Logit().query(0.5, none).threshold == pytest.approx(sigmoid(8.0))
    assert Logit().query(0.5, replace(none, balance=-12.0)).threshold == pytest.approx(sigmoid(-2.0))


def test_logit_cuts_certainty_on_both_sides():
    """Utilities 0 and 1 count as 0.0005 and 0.998, logits -7.600 and 6.213, so that the threshold can reach them."""
    wide = Logit(temperature=1.0, start=0.0)
    assert probability(wide, 0.0) == pytest.approx(0.0005)
    assert probability(wide, 1.0) == pytest.approx(0.998)


def test_logit_takes_a_gain_of_its_own():
    """A configured gain is logits a question: x = -2 + 0.5 x 4 = 0."""
    assert probability(Logit(gain=0.5), 0.5, replace(FRESH, balance=4.0)) == pytest.approx(0.5)


def test_logit_is_blurred_by_late_answers():
    """Ten questions asked meanwhile make the temperature 0.2 x (1 + 0.3 x 10) = 0.8; the threshold stays."""
    late = Logit().query(0.5, replace(FRESH, late=10.0))
    assert late.probability == pytest.approx(sigmoid(2.0 / 0.8), rel=1e-12)
    assert late.threshold == Logit().query(0.5, FRESH).threshold


def test_logit_is_blurred_no_further_than_the_threshold_reaches():
    """At a rate of 4 % the temperature grows to 6 / ln 25 at most, and a higher one that was configured stays as it is."""
    late = replace(FRESH, late=1e4)
    assert probability(Logit(), 0.5, late) == pytest.approx(sigmoid(2.0 * math.log(25.0) / 6.0), rel=1e-12)
    assert probability(Logit(temperature=5.0), 0.5, late) == probability(Logit(temperature=5.0), 0.5)


def sure_of(utility, samples=2_000):
    """Return a default rule that saw this utility only."""
    rule = Logit()
    for _ in range(samples):
        rule.update(utility, FRESH, asks=False)
    return rule


def test_logit_calibrates_a_model_that_is_too_sure():
    """Logits that lie 10 below 0 in the mean count a fourth, at four times the temperature: -10 is -2.5, 0.5 below x = -2."""
    rule = sure_of(sigmoid(-10.0))
    verdict = rule.query(sigmoid(-10.0), FRESH)
    assert verdict.probability == pytest.approx(sigmoid(-0.5 / 0.8))
    assert verdict.threshold == pytest.approx(sigmoid(-2.0 * 4.0))
    assert probability(rule, 0.5) == pytest.approx(sigmoid(2.0 / 0.8))


def test_logit_tells_certainties_apart():
    """Where 1e-12 is common, 1e-6 is asked rather, though both lie below the cut of a calibrated model."""
    rule = sure_of(1e-12)
    assert probability(Logit(), 1e-6) == probability(Logit(), 1e-12)
    assert probability(rule, 1e-6) > probability(rule, 1e-12) + 0.1


@pytest.mark.parametrize("utility", [sigmoid(-2.49), 0.5, 1.0])
def test_logit_leaves_a_calibrated_model_alone(utility):
    """Up to a mean of 2.5 logits below 0 nothing changes, and a model may be as unsure as it likes."""
    assert sure_of(utility).query(0.3, FRESH) == Logit().query(0.3, FRESH)


def test_logit_follows_a_model_that_becomes_calibrated():
    """The mean takes a fiftieth of every sample: from 0 one of certainty -7.5 moves it to 0.15, and it decays by 2 % a sample."""
    rule = sure_of(sigmoid(-7.5), samples=1)
    assert rule.state() == [pytest.approx(0.15)]
    rule.update(1.0, FRESH, asks=True)
    assert rule.state() == [pytest.approx(0.147)]


def test_logit_continues_from_its_state():
    """A rule that is restored asks as the one whose state it was."""
    rule, twin = sure_of(1e-9), Logit()
    twin.restore(rule.state())
    assert twin.query(0.01, FRESH) == rule.query(0.01, FRESH) != Logit().query(0.01, FRESH)


def test_logit_of_a_sure_model_is_blurred_no_further_than_the_threshold_reaches():
    """Certainty to the last digit is 13.8 times too sure; at a rate of 4 % the temperature still stops at 6 / ln 25."""
    assert probability(sure_of(0.0), 1e-15) == pytest.approx(sigmoid(-0.5 * math.log(25.0) / 6.0))


@given(low=utilities, high=utilities, seen=utilities, account=accounts)
def test_logit_asks_rather_about_the_less_sure(low, high, seen, account):
    """The probability never falls with utility, and never rises with what was spent, whatever the model was like before."""
    rule = sure_of(seen, samples=100)
    low, high = sorted((low, high))
    richer = replace(account, balance=account.balance - 3.0)
    assert probability(rule, low, account) <= probability(rule, high, account)
    assert probability(rule, low, account) <= probability(rule, low, richer)


# The uncertainty rules


def test_fixed_uncertainty_is_a_plain_threshold():
    """Confidence below 0.9, that is utility above 0.1, is asked for sure; the threshold shown is in utility."""
    rule = FixedUncertainty()
    assert [probability(rule, utility) for utility in (0.05, 0.1, 0.15, 1.0)] == [0.0, 0.0, 1.0, 1.0]
    assert rule.query(0.5, FRESH).threshold == pytest.approx(0.1)


def test_variable_uncertainty_moves_its_threshold():
    """From theta = 1: asked at confidence 0.2 -> 0.99, asked -> 0.9801, not asked at confidence 1 -> 0.989901."""
    rule = VariableUncertainty()
    for utility, theta in ((0.8, 0.99), (0.8, 0.9801), (0.0, 0.989901)):
        rule.update(utility, FRESH, asks=False)
        assert rule.state() == [pytest.approx(theta)]
    assert (probability(rule, 0.02), probability(rule, 0.01)) == (1.0, 0.0)
    assert rule.query(0.5, FRESH).threshold == pytest.approx(1.0 - 0.989901)


def test_variable_uncertainty_stands_still_without_money():
    """Where the rule may not ask its threshold stays."""
    rule = VariableUncertainty()
    rule.update(0.8, SHUT, asks=True)
    assert rule.state() == [1.0]


@pytest.mark.parametrize("rule", [VariableUncertainty(), RandomVariableUncertainty(), Split()])
def test_variable_thresholds_are_bounded(rule):
    """Certainties leave theta near 1, where they are asked about, and asks leave it at 0.001: neither is a place of no return."""
    for _ in range(2_000):
        rule.update(0.0, FRESH, asks=False)
    assert 0.98 < rule.state()[0] <= 1.01
    rule.restore([1.01])
    assert probability(rule, 0.0) > 0.4
    for _ in range(2_000):
        rule.update(1.0, FRESH, asks=True)
    assert rule.state() == [0.001]


def test_random_variable_uncertainty_in_closed_form():
    """P(c < theta x eta) with theta = 1, deviation 1: 1 - Phi(c - 1) = 0.6915 at c = 1/2, 0.8413 at c = 0, 1/2 at c = 1."""
    rule = RandomVariableUncertainty()
    assert probability(rule, 0.5) == pytest.approx(0.6914624612740131)
    assert probability(rule, 1.0) == pytest.approx(0.8413447460685429)
    assert probability(rule, 0.0) == pytest.approx(0.5)


def test_random_variable_uncertainty_follows_its_coin():
    """Its threshold shrinks where its own coin fell on asking, and grows where it did not, whatever the confidence."""
    rule = RandomVariableUncertainty()
    rule.update(0.0, FRESH, asks=True)
    assert rule.state() == [0.99]
    rule.update(1.0, FRESH, asks=False)
    assert rule.state() == [pytest.approx(0.9999)]


def test_split_mixes_random_and_variable():
    """A tenth at the rate and nine tenths by the threshold: 0.1 x 0.04 + 0.9 = 0.904, or 0.004; theta moves by 0.9 steps."""
    rule = Split()
    assert probability(rule, 0.8) == pytest.approx(0.904)
    assert probability(rule, 0.0) == pytest.approx(0.004)
    rule.update(0.8, FRESH, asks=False)
    assert rule.state() == [pytest.approx(0.991)]


# quantile


def filled(values, **params):
    """Return a quantile rule that saw these utilities."""
    rule = Quantile(**params)
    for value in values:
        rule.update(value, FRESH, asks=False)
    return rule


def test_quantile_asks_the_uppermost_share():
    """With target 0.2 and ten recent utilities, above the second largest is sure, the fifth is not, between them is a part."""
    rule = filled([i / 10 for i in range(10)])
    account = replace(FRESH, rate=0.2, balance=35.0)
    assert probability(rule, 0.95, account) == 1.0  # (0.2 x 11 - 0) / 1 > 1
    assert probability(rule, 0.85, account) == 1.0  # (2.2 - 1) / 1 > 1
    assert probability(rule, 0.75, account) == pytest.approx(0.2)  # (2.2 - 2) / 1
    assert probability(rule, 0.5, account) == 0.0


def test_quantile_shares_between_equals():
    """Where all utilities are equal each is asked with the target."""
    account = replace(FRESH, rate=0.2, balance=35.0)
    assert probability(filled([0.3] * 50), 0.3, account) == pytest.approx(0.2)


def test_quantile_is_balanced_by_what_is_owed():
    """The target is rate + (grant - 5 - balance) / tolerance: 0.04 + 10 / 50 = 0.24 ten questions below the set point."""
    assert probability(Quantile(), 0.5, replace(FRESH, balance=25.0)) == pytest.approx(0.24)
    assert probability(Quantile(), 0.5, replace(FRESH, balance=38.0)) == 0.0
    assert probability(Quantile(), 0.5, replace(FRESH, balance=-20.0)) == 1.0


def test_quantile_forgets_the_oldest():
    """The window slides: after four new utilities a window of four knows nothing of the old ones."""
    rule = filled([0.9, 0.9, 0.9, 0.9, 0.1, 0.2, 0.3, 0.4], window=4)
    assert rule.state() == [0.1, 0.2, 0.3, 0.4]
    assert probability(rule, 0.5, replace(FRESH, rate=0.2, balance=35.0)) == 1.0


# random and periodic


def test_random_is_the_rate():
    """Every sample has the rate, whatever its utility."""
    assert {probability(Random(), utility) for utility in (0.0, 0.5, 1.0)} == {0.04}


def test_periodic_asks_for_what_is_owed():
    """A whole question owed is asked for sure; less is not."""
    assert [probability(Periodic(), 0.5, replace(FRESH, balance=balance)) for balance in (-0.99, -1.0, -3.0)] == [0.0, 1.0, 1.0]


# Every rule


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=40)
@given(history=steps, utility=utilities, account=accounts)
def test_every_rule_gives_a_probability(name, history, utility, account):
    """Whatever came before, a rule gives a probability in [0, 1], and looking changes nothing."""
    rule = RULES[name]()
    for past, under, asks in history:
        rule.update(past, under, asks=asks)
    before = rule.state()
    verdict = rule.query(utility, account)
    assert 0.0 <= verdict.probability <= 1.0
    assert rule.state() == before
    assert rule.query(utility, account) == verdict


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=40)
@given(history=steps, future=steps)
def test_every_rule_continues_from_its_state(name, history, future):
    """A rule that was restored from another one's state decides as that one does from then on."""
    rule, twin = RULES[name](), RULES[name]()
    for past, under, asks in history:
        rule.update(past, under, asks=asks)
    twin.restore(rule.state())
    for utility, account, asks in future:
        assert twin.query(utility, account) == rule.query(utility, account)
        rule.update(utility, account, asks=asks)
        twin.update(utility, account, asks=asks)


@pytest.mark.parametrize("name", RULES)
def test_states_that_are_compact_are_short(name):
    """A state that is written with every question has a few numbers only."""
    rule = RULES[name]()
    for i in range(1_000):
        rule.update(i / 1_000, FRESH, asks=False)
    assert not rule.compact or len(rule.state()) <= 4


# The importance-weighted rule


def slack_of(account):
    """The slack e of the importance-weighted rule with a grant of 40: exp(2 - balance / 4)."""
    return math.exp(2.0 - account.balance / 4.0)


def test_importance_weighted_is_the_root_of_its_equation():
    """Where it is no certainty, p solves 1 - u = sqrt(e/p) + e/p (Beygelzimer et al. 2010, their constants 1)."""
    for balance in (12.0, 20.0, 40.0):
        account = replace(FRESH, balance=balance)
        for utility in (0.0, 0.3, 0.6):
            p, e = probability(ImportanceWeighted(), utility, account), slack_of(account)
            assert p == 1.0 or math.sqrt(e / p) + e / p == pytest.approx(1.0 - utility)


def test_importance_weighted_by_hand():
    """With e = 0.01 and G = 0.75, sqrt(1 + 3) - 1 = 1, so that p = 4 x 0.01."""
    account = replace(FRESH, balance=(2.0 - math.log(0.01)) * 4.0)
    assert probability(ImportanceWeighted(), 0.25, account) == pytest.approx(0.04)
    assert ImportanceWeighted().query(0.25, account).threshold == pytest.approx(1.0 - 0.1 - 0.01)
    assert probability(ImportanceWeighted(), 0.9, account) == 1.0


def test_importance_weighted_gives_every_sample_a_chance():
    """Even certainty is asked about with some probability, the less the more was spent."""
    chances = [probability(ImportanceWeighted(), 0.0, replace(FRESH, balance=balance)) for balance in (20.0, 30.0, 40.0)]
    assert 1.0 > chances[0] > chances[1] > chances[2] > 0.0


@given(low=utilities, high=utilities, account=accounts)
def test_importance_weighted_asks_rather_about_the_less_sure(low, high, account):
    """The probability never falls with utility."""
    low, high = sorted((low, high))
    assert probability(ImportanceWeighted(), low, account) <= probability(ImportanceWeighted(), high, account)
