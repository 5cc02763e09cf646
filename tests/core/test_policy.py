"""From a utility to a question: the coin, exploration's floor and reserve, the budget's gate, and the words for it."""

import math
from hashlib import blake2b
from itertools import pairwise
from statistics import fmean
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.budget import BudgetManager
from service.core.config import BudgetSpec
from service.core.policy import Coin, QueryPolicy
from service.core.rules import RULES, Stateless, Verdict
from service.core.rules.uncertainty import VariableUncertainty

SECRET = b"sixteen bytes ok"


class Constant(Stateless):
    """A rule that asks with one probability."""

    reason: ClassVar[str] = "uncertain"

    def __init__(self, probability):
        """Keep the probability."""
        self.probability = probability

    def query(self, utility, account):
        """Return it."""
        return Verdict(self.probability, None)


def policy_of(rule, exploration=0.3, secret=SECRET, **budget):
    """Return a policy over a new account."""
    return QueryPolicy(rule, "rule", BudgetManager(BudgetSpec(**budget)), exploration, secret)


def decide(policy, count, utility=0.5, **options):
    """Decide about so many samples, each question committed at once."""
    decided = []
    for i in range(count):
        query = policy.decide(f"s{policy.budget.seen}", utility, float(i), **options)
        if query.ask:
            policy.budget.release(policy.budget.take())
            policy.budget.commit(policy.budget.last_at)
        decided.append(query)
    return decided


# The coin


def test_the_coin_is_the_first_53_bits_of_a_keyed_hash():
    """Anyone who holds the secret computes the same number with BLAKE2b alone."""
    expected = int.from_bytes(blake2b("größe".encode(), key=SECRET, digest_size=8).digest(), "big") // 2**11 / 2**53
    assert Coin(SECRET).throw("größe") == expected


def test_the_coin_is_uniform():
    """Over 20,000 ids the empirical distribution is within Kolmogorov's bound of the uniform one, and neighbours are unrelated."""
    throws = [Coin(SECRET).throw(f"evt_{i}") for i in range(20_000)]
    distance = max(abs(throw - i / len(throws)) for i, throw in enumerate(sorted(throws)))
    assert distance < 1.95 / math.sqrt(len(throws))  # exceeded by chance once in a thousand
    assert abs(fmean((a - 0.5) * (b - 0.5) for a, b in pairwise(throws))) < 4 / 12 / math.sqrt(len(throws))


def test_another_secret_throws_another_coin():
    """Two streams' coins about the same ids are unrelated."""
    pairs = [(Coin(SECRET).throw(f"{i}"), Coin(b"another 16 bytes").throw(f"{i}")) for i in range(10_000)]
    assert abs(fmean((a - 0.5) * (b - 0.5) for a, b in pairs)) < 4 / 12 / math.sqrt(len(pairs))


@pytest.mark.parametrize("name", RULES)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60), st.floats(0, 1), st.sampled_from([0, 5, 50]))
def test_asking_is_the_coin_below_the_probability(name, samples, exploration, burst):
    """Law 5: whatever the rule, utilities and account, `ask` is coin < probability."""
    policy = policy_of(RULES[name](), exploration, rate=0.2, burst=burst)
    for i, (utility, available) in enumerate(samples):
        query = policy.decide(f"{i}", utility, 0.0, available=available)
        assert query.ask == (Coin(SECRET).throw(f"{i}") < query.probability)
        if query.ask:
            policy.budget.take()


# Probabilities


def test_probability_is_floor_and_rule():
    """With rate 0.1 and exploration 0.3 a rule's 0.5 becomes 0.03 + 0.97 x 0.5, and its 0 becomes 0.03."""
    assert policy_of(Constant(0.5), rate=0.1).decide("a", 0.5, 0.0).probability == pytest.approx(0.515)
    assert policy_of(Constant(0.0), rate=0.1).decide("a", 0.5, 0.0).probability == pytest.approx(0.03)
    assert policy_of(Constant(0.5), exploration=0.0, rate=0.1).decide("a", 0.5, 0.0).probability == 0.5


def test_the_rule_is_told_its_own_share():
    """What exploration leaves of rate 0.1 is (0.1 - 0.03) / 0.97 a sample, so that both together make the rate."""
    policy = policy_of(RULES["random"](), rate=0.1)
    assert policy.decide("a", 0.5, 0.0).probability == pytest.approx(0.1)
    policy.budget.configure(BudgetSpec(rate=0.2))
    assert policy.decide("b", 0.5, 0.0).probability == pytest.approx(0.2)
    policy.configure(0.6)
    assert policy.decide("c", 0.5, 0.0).probability == pytest.approx(0.2)


@pytest.mark.parametrize("wanted", [0.0, 1.0])
def test_exploration_matches_its_probability(wanted):
    """A rule that never asks and one that always does leave exploration its share: 1.5 % of 20,000 within four deviations."""
    decided = decide(policy_of(Constant(wanted), rate=0.05), 20_000)
    explored = sum(query.reason == "exploration" for query in decided)
    assert abs(explored - 300) < 4 * math.sqrt(20_000 * 0.015 * 0.985)
    assert sum(query.probability == 0.0 for query in decided) < 20


def test_greed_stops_at_the_reserve_and_exploration_at_the_end():
    """With a grant of 50 a rule that always asks leaves 10 questions, which exploration may use, down to the last whole one."""
    greedy = policy_of(Constant(1.0), exploration=0.0, rate=0.0, burst=50)
    assert sum(query.ask for query in decide(greedy, 200)) == 40
    assert greedy.budget.left >= 1.0
    both = policy_of(Constant(1.0), exploration=0.5, rate=0.05, burst=50)
    decided = decide(both, 5_000)
    assert min(query.budget.allowed - query.budget.asked for query in decided) < 10
    assert all(query.budget.asked <= query.budget.allowed for query in decided)


def test_a_small_grant_keeps_a_fifth():
    """With a grant of 5 the reserve is one question."""
    assert sum(query.ask for query in decide(policy_of(Constant(1.0), exploration=0.0, rate=0.0, burst=5), 50)) == 4


# The cold start


def test_a_cold_model_asks_ten_then_three_times_the_rate():
    """A model without two classes asks its first ten outright; then at most with 3 x rate, in the rule's branch of the coin."""
    policy = policy_of(Constant(1.0), rate=0.05)
    decided = decide(policy, 11, utility=1.0, cold=True)
    assert [query.ask for query in decided] == [True] * 10 + [decided[10].ask]
    assert {query.reason for query in decided[:10]} <= {"cold-start", "exploration"}
    assert decided[10].probability == pytest.approx(0.015 + 0.985 * 0.15)


def test_a_rule_that_asks_less_is_heard_when_cold():
    """The cold start is a limit: a rule's own smaller probability stands."""
    assert policy_of(Constant(0.2), exploration=0.0, rate=0.05).decide("a", 1.0, 0.0, cold=True).probability == 0.2


# What is no utility


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("broken", "sound"), [(math.nan, 1.0), (-math.nan, 1.0), (math.inf, 1.0), (-1e-17, 0.0), (1.0000001, 1.0)])
def test_no_rule_meets_a_broken_utility(name, broken, sound):
    """A utility that is no number counts as full, one beyond an end as that end; the rule's state stays sound."""
    broken_one, sound_one = policy_of(RULES[name]()), policy_of(RULES[name]())
    for _ in range(3):
        assert decide(broken_one, 1, utility=broken) == decide(sound_one, 1, utility=sound)
    assert broken_one.rule.state() == sound_one.rule.state()


# The words


def words(policy, count=400, **options):
    """Return the reasons that are given for not asking."""
    return {query.reason for query in decide(policy, count, **options) if not query.ask}


def test_reasons_for_not_asking():
    """Each obstacle has its word, and with an obstacle the probability is 0."""
    assert words(policy_of(Constant(0.0))) == {"confident"}
    assert "budget" in words(policy_of(Constant(1.0), rate=0.01, burst=5))
    assert words(policy_of(Constant(1.0), labels=0)) == {"cap"}
    assert words(policy_of(Constant(1.0), max_open=1), count=50) == {"max-open"}
    assert words(policy_of(Constant(1.0)), available=False) == {"unavailable"}
    assert words(policy_of(Constant(1.0), rate=0.0, burst=0)) == {"disabled"}
    assert policy_of(Constant(1.0), labels=0).decide("a", 0.5, 0.0).probability == 0.0


@pytest.mark.parametrize(("name", "word"), [("logit", "uncertain"), ("random", "random"), ("periodic", "periodic")])
def test_reasons_for_asking_are_the_rules_own(name, word):
    """A question says which rule's idea it was, or that it was exploration."""
    decided = decide(policy_of(RULES[name](), rate=0.2), 400, utility=0.9)
    assert {query.reason for query in decided if query.ask} == {word, "exploration"}


def test_a_rule_does_not_adapt_to_what_it_cannot_do():
    """Through an outage a threshold that follows its asks stays."""
    policy = policy_of(VariableUncertainty())
    decide(policy, 100, utility=0.9, available=False)
    assert policy.rule.state() == [1.0]
    decide(policy, 1, utility=0.9)
    assert policy.rule.state() == [0.99]
