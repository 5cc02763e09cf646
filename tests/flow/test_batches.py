"""Samples that are taken in together get what they would get one by one, and leave the same state."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import asking
from service.admission import Incoming
from service.asking import Answer
from service.core.errors import Conflict
from service.testing import InMemoryLog
from tests.conftest import House


@pytest.fixture(autouse=True, scope="module")
def _patient():
    """A process that is held up for a second has not lost its log: which questions are told as `unavailable` is not the point here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "ASK_PATIENCE", 60.0)
        yield


BUDGETS = [
    {"rate": 1.0, "burst": 100},
    {"rate": 0.2, "burst": 5},
    {"rate": 0.5, "burst": 20, "max_open": 3},
    {"rate": 0.5, "burst": 20, "labels": 4, "per": "total"},
    {"rate": 0.0, "burst": 0},
]
FEATURES = st.sampled_from([{"x": 1.0, "y": 2}, {"x": -3.5, "y": 1}, {"y": 7, "z": "red"}, {"x": None}])


async def answered(answer):
    """What a sample gets in the end, or its error."""
    try:
        return await answer if not isinstance(answer, Answer | Exception) else answer
    except Conflict as error:
        return error


def one(house, sample):
    """What a sample gets that comes alone."""
    try:
        return house.flow.answer_to("s", sample)
    except Conflict as error:
        return error


def told_of(answer):
    """An answer or an error as values that can be compared."""
    return str(answer) if isinstance(answer, Exception) else answer


async def played(budget, groups, *, together):
    """What a server gives and has in memory after groups of samples that came in together or one by one, some without waiting."""
    # Where questions are asked, what is forgotten first depends on when their commits come.
    house = House(InMemoryLog(), remembered=12 if budget["rate"] == 0.0 else 1_000)
    house.engine.upkeep._main.cancel()  # a checkpoint that falls due between two samples would take a place in the log
    await house.administration.put("s", {"budget": budget})
    for name, x in (("a", 1.0), ("b", -1.0)):
        await house.flow.label("s", f"taught-{name}", name, features={"x": x, "y": 1})
    answers = []
    for samples, settled in groups:
        incoming = [Incoming(f"{number}", features) for number, features in samples]
        given = house.flow.answers_to("s", incoming) if together else [one(house, sample) for sample in incoming]
        answers += [asyncio.ensure_future(answered(answer)) for answer in given]
        if settled:
            await asyncio.gather(*answers)
    given = [told_of(answer) for answer in await asyncio.gather(*answers)]
    await house.engine.journal.settled()
    learner, memory = house.learner(), house.engine.flow._memory
    observed = sorted(str(told[:3]) for told in house.observer.told if told[0] in {"decided", "replayed"})
    left = learner.fingerprint(), learner.marked(), learner.vectoriser.state(), sorted(memory.of("s")), observed
    await house.stop()
    return given, left


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(BUDGETS),
    st.lists(st.tuples(st.lists(st.tuples(st.integers(0, 40), FEATURES), min_size=1, max_size=40), st.booleans()), max_size=4),
)
def test_samples_taken_in_together_are_decided_as_one_by_one(budget, groups):
    """Decisions, replays, conflicts and all that is left are the same: ids come again, in one group and while they are in flight."""
    together = asyncio.run(played(budget, groups, together=True))
    one_by_one = asyncio.run(played(budget, groups, together=False))

    assert together == one_by_one


class CountingLog(InMemoryLog):
    """A log that notes how many entries it is handed at a time."""

    def __init__(self):
        """Nothing yet."""
        super().__init__()
        self.handed = []

    def submit(self, entries):
        """Note and queue."""
        self.handed.append(len(entries))
        return super().submit(entries)


async def test_what_is_asked_in_one_turn_or_while_the_log_writes_goes_together(build):
    """Questions of a batch linger until one presses, and go with it; the log is handed no more before it is done with what it has."""
    house = build(CountingLog())
    await house.administration.put("s", {"budget": {"rate": 1.0, "burst": 100}})
    house.log.hold()
    answers = [asyncio.ensure_future(answer) for answer in house.flow.answers_to("s", [Incoming(f"{i}", {"x": i}) for i in range(20)])]
    await asyncio.sleep(0)
    for i in range(20, 25):
        answers.append(asyncio.ensure_future(house.flow.observe("s", f"{i}", {"x": i})))
        await asyncio.sleep(0)
    held = list(house.log.handed)
    house.log.let_go()
    asked = [answer.decision.query.ask for answer in await asyncio.gather(*answers)]

    assert asked == [True] * 25
    assert held == [1, 21]
    assert house.log.handed == [1, 21, 4]


async def test_what_lingers_goes_by_itself(build):
    """Nobody has to press: a batch's questions are asked soon, and many at once."""
    house = build(CountingLog())
    await house.administration.put("s", {"budget": {"rate": 1.0, "burst": 500}})
    few = [asyncio.ensure_future(answer) for answer in house.flow.answers_to("s", [Incoming(f"{i}", {"x": i}) for i in range(3)])]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    at_first = list(house.log.handed)
    await asyncio.gather(*few)
    many = [asyncio.ensure_future(answer) for answer in house.flow.answers_to("s", [Incoming(f"m{i}", {"x": i}) for i in range(64)])]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    at_once = list(house.log.handed)
    await asyncio.gather(*many)

    assert at_first == [1]
    assert at_once == [1, 3, 64]
