"""A hostile world for policy and budget: adversarial utilities, outages, late and failed commits, refunds, restarts, clocks that jump.

It keeps books of its own, in whole numbers, and compares them with law 6 at every prefix. Models and logs do not exist here.
"""

import math
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from service.core.budget import BudgetManager, Standing
from service.core.catalogue import build_rule
from service.core.config import BudgetSpec, QuerySpec
from service.core.policy import QueryPolicy
from service.core.records import Query

START = datetime(2026, 12, 27, 22, 30, tzinfo=UTC).timestamp()  # a Sunday evening: hour, day, week and year end soon
OBSTACLES = frozenset({"cap", "max-open", "unavailable"})
ROUNDING = 1e-6  # questions

# A pattern gives the utility of the i-th of n samples.
Pattern = Callable[[int, int, random.Random], float]

PATTERNS: Mapping[str, Pattern] = MappingProxyType(
    {
        "constant": lambda *_: 0.5,
        "rising": lambda i, n, _: i / n,
        "falling": lambda i, n, _: 1.0 - i / n,
        "spiky": lambda i, _, chance: 1.0 if i % 500 < 20 else 0.01 * chance.random(),
        "zeros": lambda *_: 0.0,
        "ones": lambda *_: 1.0,
        "alternating": lambda i, *_: float(i % 2),
        "broken": lambda *_: math.nan,
        "uniform": lambda _i, _n, chance: chance.random(),
    }
)


class Job(NamedTuple):
    """One run of policy and budget."""

    rule: str
    percent: int
    pattern: str
    hostile: bool
    decisions: int
    seed: int


class Trials(NamedTuple):
    """Coins thrown: those that fell on asking, the sum of their probabilities, and of the variances."""

    hits: int = 0
    expected: float = 0.0
    variance: float = 0.0

    def __add__(self, other: object) -> "Trials":
        """Add up."""
        if not isinstance(other, Trials):
            return NotImplemented
        return Trials(self.hits + other.hits, self.expected + other.expected, self.variance + other.variance)

    @property
    def sigmas(self) -> float:
        """How far the hits are from what was promised, in standard deviations."""
        return (self.hits - self.expected) / math.sqrt(self.variance) if self.variance else 0.0


class Tally(NamedTuple):
    """What came of a job; `broken` says where a promise was."""

    decisions: int
    asked: Trials
    explored: Trials
    uncovered: int
    given_back: int
    failed: int
    restarts: int
    pauses: int
    broken: tuple[str, ...]

    def __add__(self, other: object) -> "Tally":
        """Add up."""
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))  # type: ignore[operator]


def run(job: Job) -> Tally:
    """Do one run."""
    world = World(job)
    pattern = PATTERNS[job.pattern]
    for i in range(job.decisions):
        world.step(pattern(i, job.decisions, world.chance))
    return world.tally()


def spec_of(job: Job, chance: random.Random) -> BudgetSpec:
    """Draw a budget; the default one at the job's rate where the world is peaceful."""
    if not job.hostile:
        return BudgetSpec(rate=job.percent / 100)
    burst = chance.choice((0, 5, 50, 500))
    by_money = chance.random() < 0.5
    count = chance.choice((1, 7, 40, 300))
    return BudgetSpec(
        rate=job.percent / 100,
        burst=burst,
        bank=chance.choice((None, 0, 20, 1_000)),
        labels=None if by_money else chance.choice((None, count)),
        spend=round(0.3 * count, 1) if by_money else None,
        price=0.3,
        per=chance.choice(("hour", "day", "week", "total") if count > 40 else ("hour", "day")),
        max_open=chance.choice((3, 50, 10_000)),
    )


class InFlight(NamedTuple):
    """A question on its way to the log: its token, logged time, the marks as of then, and how its commit ends after how many samples."""

    token: int
    at: float
    mark: tuple[Standing, list[float]]
    lands: bool
    after: int


class Savings:
    """The promise about pauses: what follows one is at most what was left before it, or the bank, and what comes in since."""

    def __init__(self, rate: Fraction, bank: float) -> None:
        """Watch an account with this rate and bank."""
        self.rate = float(rate)
        self.bank = bank
        self.pauses = 0
        self._paused = False
        self._allowance: float | None = None  # None before the first pause

    def see(self, left: float, *, paused: bool) -> None:
        """Take note of a sample; `left` is what may be asked right after it."""
        if paused and not self._paused:
            self.pauses += 1
            self._allowance = max(left, self.bank)
        elif not paused and self._allowance is not None:
            self._allowance += self.rate
        self._paused = paused

    def take(self, count: int) -> bool:
        """Spend questions, or get them back; whether the promise holds."""
        if self._allowance is None:
            return True
        self._allowance -= count
        return self._allowance >= -ROUNDING - self.rate


class World:
    """One stream's policy and account, and independent books about them."""

    def __init__(self, job: Job) -> None:
        """Start the stream."""
        self.job = job
        self.chance = random.Random(job.seed)
        self.spec = spec_of(job, self.chance)
        self.secret = job.seed.to_bytes(16)
        self.exploration = self.chance.choice((0.3, 0.3, 0.0, 1.0)) if job.hostile else 0.3
        self.delay = self.chance.choice((0, 10, 300))
        self.gives_back = job.hostile and self.chance.random() < 0.5
        self.budget = BudgetManager(self.spec)
        self._start_policy()
        self.clock = START
        self.steps = self.seen = self.asked = self.given_back = self.restarts = self.failed = self.uncovered = 0
        self.open: deque[int] = deque()  # the step of each open question
        self.flight: deque[InFlight] = deque()
        self.mark = self._marks()
        self.outage = self.full_disk = 0  # samples that they still last
        self.stuck = False  # the last question to end did not get into the log
        self.by_period: Counter[object] = Counter()
        self.logged = 0.0
        self.savings = Savings(Fraction(job.percent, 100), self.budget.bank)
        self.all_asks, self.exploring = Trials(), Trials()
        self.broken: list[str] = []

    def _start_policy(self) -> None:
        rule = build_rule(QuerySpec(rule=self.job.rule))
        self.policy = QueryPolicy(rule, self.job.rule, self.budget, self.exploration, self.secret)

    def step(self, utility: float) -> None:
        """Let one sample happen, and whatever else happens before it."""
        self.steps += 1
        if self.job.hostile:
            self._events()
        self._land()
        self._close_old()
        self.clock += self.chance.expovariate(1 / 60)
        query = self.policy.decide(f"{self.steps}", utility, self.clock, available=self.outage == 0)
        self.seen += 1
        self._count(query)
        self.savings.see(self.budget.left, paused=query.reason in OBSTACLES or self.stuck)
        if query.ask:
            self._ask()
        self._check()

    def tally(self) -> Tally:
        """Return what came of it."""
        counts = (self.uncovered, self.given_back, self.failed, self.restarts, self.savings.pauses)
        return Tally(self.steps, self.all_asks, self.exploring, *counts, tuple(self.broken))

    # --- what happens --------------------------------------------------------------------------------------------------------

    def _events(self) -> None:
        chance = self.chance.random()
        self.outage, self.full_disk = max(0, self.outage - 1), max(0, self.full_disk - 1)
        if chance < 0.001:
            self.outage = self.chance.randrange(1, 2_000)
        elif chance < 0.002:
            self.full_disk = self.chance.randrange(1, 2_000)
        elif chance < 0.003:
            self.clock += self.chance.choice((-172_800.0, -3_600.0, -1.0, 3_600.0, 90_000.0, 700_000.0))
        elif chance < 0.004:
            self._restart()
        elif chance < 0.005:
            self.mark = self._marks()  # a checkpoint
        elif chance < 0.03 and self.open:
            self._refund(self.open.pop())  # withdrawn

    def _ask(self) -> None:
        lands = self.full_disk == 0 and not (self.job.hostile and self.chance.random() < 0.02)
        token = self.budget.take()
        self.flight.append(InFlight(token, self.budget.last_at, self._marks(), lands, self.chance.choice((0, 0, 1, 3))))
        self._expect(self.savings.take(1), "a flood after a pause")

    def _land(self) -> None:
        while self.flight and self.flight[0].after <= 0:
            question = self.flight.popleft()
            self.budget.release(question.token)
            self.stuck = not question.lands
            if question.lands:
                self._commit(question)
            else:
                self.failed += 1
                self.savings.take(-1)
        self.flight = deque(question._replace(after=question.after - 1) for question in self.flight)

    def _commit(self, question: InFlight) -> None:
        self.budget.commit(question.at)
        self.asked += 1
        self.mark = question.mark
        self.open.append(self.steps)
        self._expect(question.at >= self.logged, "the logged clock goes back")
        self.logged = max(self.logged, question.at)
        self.by_period[calendar(self.spec.per, question.at)] += 1

    def _close_old(self) -> None:
        while self.open and self.open[0] <= self.steps - self.delay:
            asked_at = self.open.popleft()
            if self.gives_back and self.chance.random() < 0.3:
                self._refund(asked_at)  # expired
        self.budget.open = len(self.open)

    def _refund(self, asked_at: int) -> None:
        del asked_at
        self.given_back += 1
        self.budget.given_back += 1
        self.budget.open = len(self.open)
        self.savings.take(-1)

    def _restart(self) -> None:
        learned = self.budget.learned()
        self.budget = BudgetManager(self.spec)
        self.budget.restore(learned)
        standing, rule = self.mark
        self.budget.resume(standing)
        self._start_policy()
        if rule:
            self.policy.rule.restore(rule)
        self.seen = standing.seen
        self.restarts += 1
        self.stuck = False
        for _ in self.flight:
            self.savings.take(-1)
        self.flight.clear()

    def _marks(self) -> tuple[Standing, list[float]]:
        return self.budget.standing(), self.policy.rule.state()

    # --- the books -----------------------------------------------------------------------------------------------------------

    def _count(self, query: Query) -> None:
        probability = query.probability
        self._expect(0.0 <= probability <= 1.0 and 0.0 <= query.utility <= 1.0, "a probability or utility outside [0, 1]")
        self.uncovered += probability == 0.0
        self.all_asks += Trials(query.ask, probability, probability * (1.0 - probability))
        if query.reason not in OBSTACLES and self.budget.left >= 1.0:
            floor = self.exploration * self.spec.rate
            self.exploring += Trials(query.reason == "exploration", floor, floor * (1.0 - floor))

    def _check(self) -> None:
        spent = self.asked + len(self.flight) - self.given_back
        self._expect(100 * (spent - self.spec.burst) <= self.job.percent * self.seen, "asked more than rate x seen + burst")
        self._expect(self.budget.seen == self.seen and self.budget.spent == spent, "the account differs from the books")
        if self.flight:
            self._expect(len(self.open) + len(self.flight) <= self.spec.max_open, "more than max_open questions are open")
            self._check_cap()

    def _check_cap(self) -> None:
        period = calendar(self.spec.per, self.flight[-1].at)
        count = self.by_period[period] + sum(calendar(self.spec.per, question.at) == period for question in self.flight)
        if self.spec.labels is not None:
            self._expect(count <= self.spec.labels, "more labels than the period allows")
        if self.spec.spend is not None:
            self._expect(count * Fraction(str(self.spec.price)) <= Fraction(str(self.spec.spend)), "more money than the period allows")

    def _expect(self, holds: bool, promise: str) -> None:
        if not holds:
            self.broken.append(f"{promise}, at step {self.steps}")


def calendar(per: str, at: float) -> object:
    """Return the UTC calendar period of a time, by the calendar."""
    moment = datetime.fromtimestamp(at, UTC)
    if per == "hour":
        return moment.date(), moment.hour
    if per == "day":
        return moment.date()
    return moment.isocalendar()[:2] if per == "week" else "total"
