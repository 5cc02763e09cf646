"""The account: law 6 at every prefix over whatever may happen, calendar periods, caps, bank and forfeits, and what a restart keeps."""

from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.core.budget import BudgetManager, period_of
from service.core.catalogue import effective
from service.core.config import BudgetSpec
from service.core.events import Configured
from service.core.learner import Learner
from service.core.policy import QueryPolicy
from service.core.rules import RULES

DAY = 86_400.0
SECRET = b"sixteen bytes ok"


def account(seen=0, asked=0, at=0.0, **spec):
    """Return an account that saw and asked so much."""
    budget = BudgetManager(BudgetSpec(**spec))
    for _ in range(seen):
        budget.see(at)
    ask(budget, asked)
    return budget


def ask(budget, count=1):
    """Ask, and have it committed at once."""
    for _ in range(count):
        at = budget.last_at
        budget.release(budget.take())
        budget.commit(at)


def fail(budget):
    """Ask, and have the commit fail."""
    budget.release(budget.take())


# What is due and what is left


def test_the_account_adds_up():
    """After 200 samples at 5 % with a grant of 50: 10 due, 60 allowed, and 60 - 12 left after 12 questions."""
    budget = account(seen=200, asked=12, rate=0.05)
    assert (budget.due, budget.left, budget.spent) == (10.0, 48.0, 12)
    view = budget.view(budget.due, budget.spent, 1)
    assert (view.seen, view.asked, view.allowed, view.open) == (200, 13, 60, 13)


def test_questions_on_their_way_count_as_asked():
    """A reservation lowers what is left at once; a failed commit gives it back."""
    budget = account(rate=0.0, burst=5)
    token = budget.take()
    assert (budget.left, budget.spent, budget.reserved) == (4.0, 1, 1)
    budget.release(token)
    assert (budget.left, budget.spent, budget.reserved) == (5.0, 0, 0)


def test_what_is_given_back_may_be_asked_again():
    """A withdrawn question's place is free again."""
    budget = account(asked=5, rate=0.0, burst=5)
    assert budget.left < 1.0
    budget.given_back += 1
    assert budget.left >= 1.0


@pytest.mark.parametrize(("burst", "reserve"), [(0, 0.0), (5, 1.0), (20, 4.0), (50, 10.0), (500, 10.0)])
def test_the_reserve_for_exploration(burst, reserve):
    """R = min(10, burst / 5): a rule may ask while 1 + R are left, and the grant that it may use up is the rest."""
    budget = account(rate=0.0, burst=burst)
    assert budget.reserve == reserve
    assert budget.account(0.0, budget.due, budget.spent).grant == max(0.0, burst - reserve - 1.0)
    while budget.account(0.0, budget.due, budget.spent).open:
        ask(budget)
    assert budget.left < 1.0 + reserve <= budget.left + 1.0 or burst == 0


def test_what_is_left_of_the_grant():
    """It goes where more is asked than the rate earns, is earned back, and savings beyond it are no part of it."""
    budget = account(seen=100, asked=0, rate=0.1, burst=20)
    assert (budget.left, budget.grant_left) == (30.0, 20.0)
    ask(budget, 25)
    assert (budget.left, budget.grant_left) == (5.0, 5.0)
    for _ in range(100):
        budget.see(0.0)
    assert (budget.left, budget.grant_left) == (15.0, 15.0)


def test_whole_questions_only():
    """At 10 % without a grant the tenth sample earns the first question, not the ninth."""
    budget = account(seen=9, rate=0.1, burst=0)
    assert budget.left < 1.0
    budget.see(0.0)
    assert budget.left >= 1.0


# Periods and caps


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.floats(-700, 700))  # noqa: DTZ001 - made UTC below
def test_periods_are_the_calendars(moment, hours):
    """Two times share a period exactly if the UTC calendar says so; weeks are ISO weeks."""
    first = moment.replace(tzinfo=UTC)
    second = max(first + timedelta(hours=hours), datetime(1970, 1, 1, tzinfo=UTC))
    for per, key in {
        "hour": lambda t: (t.date(), t.hour),
        "day": lambda t: t.date(),
        "week": lambda t: t.isocalendar()[:2],
        "total": lambda _: 0,
    }.items():
        assert (period_of(per, first.timestamp()) == period_of(per, second.timestamp())) == (key(first) == key(second))


def test_a_cap_by_count_opens_with_the_next_period():
    """Two a day: the third is refused until midnight UTC."""
    budget = account(labels=2, per="day")
    assert budget.see(10.0) is None
    ask(budget, 2)
    assert (budget.see(DAY - 1), budget.period_left) == ("cap", 0)
    assert (budget.see(DAY), budget.period_left) == (None, 2)


def test_a_cap_counts_what_is_on_its_way():
    """A question that is reserved, not yet logged, uses its period's cap."""
    budget = account(labels=1, per="hour")
    budget.see(10.0)
    budget.take()
    assert budget.see(20.0) == "cap"
    assert budget.see(3_600.0) is None


@pytest.mark.parametrize(("spend", "price", "count"), [(0.3, 0.1, 3), (80.0, 0.4, 200), (1.0, 0.3, 3), (0.1, 0.2, 0), (1e12, 0.01, 10**14)])
def test_money_buys_whole_labels_of_its_decimals(spend, price, count):
    """The cap is what the decimals say, where floats would lose a label or invent some."""
    assert account(spend=spend, price=price).period_left == count


def test_clocks_never_go_back():
    """A clock that jumps to yesterday does not open yesterday's cap again, nor forget today's."""
    budget = account(labels=1, per="day")
    budget.see(5 * DAY)
    ask(budget)
    assert [budget.see(at) for at in (4 * DAY, 5 * DAY + 1, 0.0)] == ["cap"] * 3
    assert budget.last_at == 5 * DAY + 1


def test_a_cap_per_another_period_knows_what_was_asked():
    """After two questions in this hour, a new cap of three a day has one left, and one of two a week has none."""
    budget = account(seen=1, asked=2, at=10.0, labels=5, per="hour")
    budget.configure(BudgetSpec(labels=3, per="day"))
    assert budget.period_left == 1
    budget.configure(BudgetSpec(labels=2, per="week"))
    assert budget.see(2 * DAY) == "cap"


def test_open_questions_pause_asking():
    """With max_open 3, open and reserved together reach it."""
    budget = account(asked=2, max_open=3)
    assert budget.see(0.0) is None
    budget.take()
    assert budget.see(0.0) == "max-open"


# Bank and forfeits


@pytest.mark.parametrize(("bank", "asked", "left"), [(None, 40, 50.0), (20, 40, 20.0), (0, 40, 10.0), (20, 10, 40.0)])
def test_an_outage_saves_up_to_the_bank(bank, asked, left):
    """After 10,000 samples without a log, what is left is the bank, or what was left before if that is more."""
    budget = account(asked=asked, rate=0.05, burst=50, bank=bank)
    for _ in range(10_000):
        assert budget.see(0.0, available=False) == "unavailable"
    assert budget.left == pytest.approx(left)


def test_without_an_obstacle_nothing_is_forfeited():
    """A rule that is confident for 10,000 samples may catch up later."""
    assert account(seen=10_000, asked=40, rate=0.05, bank=0).left == 510.0


def test_a_full_disk_is_a_pause_too():
    """From a failed commit to the next good one savings stay at the bank, although the log answers and asking goes on."""
    budget = account(asked=40, rate=0.05, burst=50, bank=20)
    fail(budget)
    for _ in range(10_000):
        assert budget.see(0.0) is None
        fail(budget)
    assert budget.left == pytest.approx(20.0)
    ask(budget)
    for _ in range(100):
        budget.see(0.0)
    assert budget.left == pytest.approx(24.0)


def test_what_fails_later_is_in_the_bank_already():
    """Questions on their way count as saved while commits fail, so that their return lifts nothing above the bank."""
    budget = account(asked=48, rate=0.05, burst=50, bank=5)
    fail(budget)
    for _ in range(1_000):
        tokens = []
        while budget.left >= 1.0:
            tokens.append(budget.take())
        for _ in range(20):
            budget.see(0.0)
        for token in tokens:
            budget.release(token)
    assert budget.left <= 5.0


# Restarts


def test_a_restart_continues_learned_state_and_marks():
    """A new account with the learned part and the marks has the same left, period and clock."""
    budget = account(seen=100, asked=7, at=1_000.0, rate=0.05, labels=8, per="hour")
    again = BudgetManager(budget.spec)
    again.restore(budget.learned())
    again.resume(budget.standing())
    assert (again.left, again.period_left, again.last_at, again.learned()) == (budget.left, 1, 1_000.0, budget.learned())


def test_an_older_mark_means_fewer_questions():
    """Samples since the mark are forgotten, questions are not."""
    budget = account(seen=100, asked=7, rate=0.05)
    mark = account(seen=60, rate=0.05).standing()
    budget.resume(mark)
    assert (budget.left, budget.spent) == (46.0, 7)
    assert budget.standing() == mark


@pytest.mark.parametrize("checkpoint_last", [False, True])
def test_a_restart_after_a_change_of_rate_keeps_what_was_due(checkpoint_last):
    """Marks made at 1 % are worth 1 %, although the log says before or after them that it is 20 % now."""
    config = effective({"budget": {"rate": 0.01}})
    learner = Learner(1, Configured(0.0, config, SECRET))
    for i in range(1_000):
        learner.decide(f"{i}", {"a": 1.0}, 0.0)
    events = [learner.checkpointed(1, 0.0, None), Configured(0.0, effective({"budget": {"rate": 0.2}}))]
    again = Learner(1, Configured(0.0, config, SECRET))
    for seq, event in enumerate(reversed(events) if checkpoint_last else events, 2):
        again.apply(seq, event)
    again.resume()
    assert again.budget.due == pytest.approx(10.0)
    again.budget.see(0.0)
    assert again.budget.due == pytest.approx(10.2)


def test_another_rate_keeps_what_was_due():
    """100 samples at 5 % and 100 at 20 % make 25 due, also where forfeits came before."""
    budget = account(seen=100, rate=0.05)
    budget.configure(BudgetSpec(rate=0.2))
    for _ in range(100):
        budget.see(0.0)
    assert budget.due == pytest.approx(25.0)


# Law 6


class Law6(RuleBasedStateMachine):
    """A policy over an account, in any order of samples, commits, failures, refunds, outages, restarts and other caps.

    `books` are kept here in whole numbers; the account is asked for nothing but decisions.
    """

    @initialize(
        name=st.sampled_from(sorted(RULES)),
        percent=st.integers(0, 100),
        burst=st.sampled_from([0, 1, 5, 50]),
        bank=st.sampled_from([None, 0, 3]),
        exploration=st.floats(0, 1),
        cap=st.sampled_from([None, 0, 1, 4]),
        per=st.sampled_from(["hour", "day", "week", "total"]),
        max_open=st.sampled_from([1, 4, 10_000]),
    )
    def begin(self, name, percent, burst, bank, exploration, cap, per, max_open):
        """Start a stream."""
        self.name, self.percent, self.exploration = name, percent, exploration
        self.spec = BudgetSpec(rate=percent / 100, burst=burst, bank=bank, labels=cap, per=per, max_open=max_open)
        self.budget = BudgetManager(self.spec)
        self._policy()
        self.now = 0.0
        self.count = self.seen = self.asked = self.given_back = self.open = 0
        self.flight = deque()
        self.mark = self._marks()
        self.logged = []

    def _policy(self):
        self.policy = QueryPolicy(RULES[self.name](), self.name, self.budget, self.exploration, SECRET)

    def _marks(self):
        return self.budget.standing(), self.policy.rule.state()

    @rule(
        utility=st.floats(0, 1) | st.just(float("nan")), times=st.sampled_from([1, 1, 30]), available=st.sampled_from([True, True, False])
    )
    def sample(self, utility, times, available):
        """Samples arrive, and what is decided to ask is on its way."""
        for _ in range(times):
            self.count += 1
            query = self.policy.decide(f"{self.count}", utility, self.now, available=available)
            self.seen += 1
            assert 0.0 <= query.probability <= 1.0
            if query.ask:
                self._obey()
                self.flight.append((self.budget.take(), self.budget.last_at, self._marks()))
                self.law()

    def _obey(self):
        assert self.open + len(self.flight) < self.spec.max_open
        if self.spec.labels is not None:
            now = period_of(self.spec.per, self.budget.last_at)
            every = self.logged + [at for _, at, _ in self.flight]
            assert sum(period_of(self.spec.per, at) == now for at in every) < self.spec.labels

    @precondition(lambda self: self.flight)
    @rule(lands=st.sampled_from([True, True, False]))
    def end(self, lands):
        """The oldest commit succeeds or fails."""
        token, at, mark = self.flight.popleft()
        self.budget.release(token)
        if lands:
            self.budget.commit(at)
            self.asked, self.open, self.mark = self.asked + 1, self.open + 1, mark
            self.logged.append(at)

    @precondition(lambda self: self.open)
    @rule(back=st.booleans())
    def close(self, back):
        """An open question is answered, or expires and is given back."""
        self.open -= 1
        self.budget.open = self.open
        self.given_back += back
        self.budget.given_back += back

    @rule(seconds=st.sampled_from([-90_000.0, -1.0, 1.0, 1_800.0, 90_000.0]))
    def tick(self, seconds):
        """The clock moves, not always forward."""
        self.now = max(0.0, self.now + seconds)

    @rule()
    def checkpoint(self):
        """The marks are written."""
        self.mark = self._marks()

    @rule()
    def restart(self):
        """The server dies: what was on its way is lost, the decision state continues from its marks."""
        learned = self.budget.learned()
        self.budget = BudgetManager(self.spec)
        self.budget.restore(learned)
        standing, state = self.mark
        self.budget.resume(standing)
        self._policy()
        if state:
            self.policy.rule.restore(state)
        self.seen = standing.seen
        self.flight.clear()

    @rule(cap=st.sampled_from([None, 0, 1, 4]), per=st.sampled_from(["hour", "day", "week", "total"]), max_open=st.sampled_from([1, 4]))
    def configure(self, cap, per, max_open):
        """Caps change."""
        self.spec = BudgetSpec(rate=self.spec.rate, burst=self.spec.burst, bank=self.spec.bank, labels=cap, per=per, max_open=max_open)
        self.budget.configure(self.spec)

    @invariant()
    def law(self):
        """Asked - given back <= rate x seen + burst, what is on its way included; logged times never fall."""
        if hasattr(self, "spec"):
            spent = self.asked + len(self.flight) - self.given_back
            assert 100 * (spent - self.spec.burst) <= self.percent * self.seen
            assert self.logged == sorted(self.logged)
            assert self.budget.spent == spent


Law6.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
test_law_6_holds_whatever_happens = Law6.TestCase


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=25)
@given(
    utilities=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    decimals=st.integers(0, 10**6),
    burst=st.integers(0, 20),
)
def test_law_6_at_every_rate(name, utilities, decimals, burst):
    """For any rate of six decimals the law holds exactly at each of 400 prefixes."""
    rate = decimals / 10**6
    budget = BudgetManager(BudgetSpec(rate=rate, burst=burst))
    policy = QueryPolicy(RULES[name](), name, budget, 0.3, SECRET)
    for i in range(400):
        if policy.decide(f"{i}", utilities[i % len(utilities)], float(i)).ask:
            ask(budget)
        assert budget.asked <= Fraction(decimals, 10**6) * (i + 1) + burst


def test_caps_hold_in_every_period_of_a_busy_month():
    """30 a day and whatever else is allowed: over a month of 6,000 samples no day has more, and most days have all."""
    budget = BudgetManager(BudgetSpec(rate=0.5, labels=30, per="day"))
    policy = QueryPolicy(RULES["logit"](), "logit", budget, 0.3, SECRET)
    days = Counter()
    for i in range(6_000):
        at = i * 30 * DAY / 6_000
        if policy.decide(f"{i}", 0.5, at).ask:
            ask(budget)
            days[int(at // DAY)] += 1
    assert max(days.values()) == 30
    assert sum(count == 30 for count in days.values()) >= 25
