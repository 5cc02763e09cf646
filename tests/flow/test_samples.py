"""What a sample gets, from the first one to the one that comes while the disk is gone."""

import asyncio

import pytest

from service.core.errors import Conflict, UnknownSample, UnknownStream
from service.core.events import Asked, Withdrawn
from service.testing import InMemoryLog


async def test_a_cold_model_asks_and_the_question_is_in_the_log(house):
    """The first sample of a stream is asked about, and its question is durable when the answer comes."""
    answer = await house.flow.observe("s", "a", {"x": 1})

    assert answer.decision.query.ask
    assert answer.decision.query.reason in {"cold-start", "exploration"}
    assert [event.sample_id for _, event in house.log.read("s", 0, 99) if isinstance(event, Asked)] == ["a"]


async def test_an_unknown_stream_is_refused(house):
    """A sample of a stream that was never created gets an error that says how to create it."""
    with pytest.raises(UnknownStream, match="PUT /v1/streams/nope"):
        await house.flow.observe("nope", "a", {"x": 1})


async def test_the_same_id_gets_the_stored_answer(house):
    """A repeated sample is not decided again."""
    first = await house.flow.observe("s", "a", {"x": 1})
    again = await house.flow.observe("s", "a", {"x": 1})

    assert (first.replayed, again.replayed) == (False, True)
    assert again.decision == first.decision
    assert house.learner().budget.seen == 1


async def test_the_same_id_with_other_features_is_a_conflict(house):
    """An id stands for one sample."""
    await house.flow.observe("s", "a", {"x": 1})

    with pytest.raises(Conflict):
        await house.flow.observe("s", "a", {"x": 2})


async def test_an_asked_id_is_known_after_a_restart(build):
    """Asked ids are remembered in the log, with the answer as it was given."""
    before = build()
    await before.administration.put("s", {})
    first = await before.flow.observe("s", "a", {"x": 1})
    await before.stop()
    after = build(before.log, [("s", before.replayed())])

    again = await after.flow.observe("s", "a", {"x": 1})

    assert again.replayed
    assert again.decision == first.decision
    with pytest.raises(Conflict):
        await after.flow.observe("s", "a", {"x": 2})


async def test_concurrent_requests_with_one_id_are_one_sample(house):
    """A request with an id that is in flight waits for the same commit and gets the same answer."""
    answers = await asyncio.gather(*(house.flow.observe("s", "a", {"x": 1}) for _ in range(20)))

    assert len({answer.decision.query.budget.seen for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert house.learner().budget.asked == 1


async def test_a_full_disk_does_not_stop_predicting(house):
    """Where the question cannot be stored the sample is answered without it, and its place in the budget is free again."""
    house.log.full = True
    lost = await house.flow.observe("s", "a", {"x": 1})
    house.log.full = False
    found = await house.flow.observe("s", "b", {"x": 1})

    assert (lost.decision.query.ask, lost.decision.query.reason, lost.decision.query.probability) == (False, "unavailable", 0.0)
    assert found.decision.query.ask
    assert (house.learner().budget.asked, house.learner().budget.reserved) == (1, 0)


async def test_a_log_that_does_not_answer_is_not_waited_for(house):
    """After a second the answer is `unavailable`; the question that lands all the same is withdrawn and given back."""
    house.log.hold()
    slow = await house.flow.observe("s", "a", {"x": 1})
    at_once = await asyncio.wait_for(house.flow.observe("s", "b", {"x": 1}), 0.5)
    house.log.let_go()
    await house.settled()
    await house.settled()

    assert [answer.decision.query.reason for answer in (slow, at_once)] == ["unavailable", "unavailable"]
    assert [type(event) for _, event in house.log.read("s", 0, 99) if isinstance(event, Withdrawn)] == [Withdrawn]
    budget = house.learner().budget
    assert (budget.asked, budget.given_back, budget.open, budget.reserved) == (1, 1, 0, 0)


async def test_a_sample_that_was_not_asked_waits_for_nothing(build):
    """Without a question there is no event, so a held log holds nobody up."""
    house = build()
    await house.administration.put("s", {"budget": {"rate": 0.0, "burst": 0}})
    house.log.hold()

    answer = await asyncio.wait_for(house.flow.observe("s", "a", {"x": 1}), 0.5)

    assert (answer.decision.query.ask, answer.decision.query.reason) == (False, "disabled")


async def test_what_is_forgotten_is_not_found(build):
    """Answers that asked nothing are remembered up to a number; then the id is unknown again."""
    house = build(remembered=1)
    await house.administration.put("s", {"budget": {"rate": 0.0, "burst": 0}})
    await house.flow.observe("s", "a", {"x": 1})
    held = await house.flow.held("s", "a")
    await house.flow.observe("s", "b", {"x": 1})

    assert held.decision.id == "a"
    with pytest.raises(UnknownSample):
        await house.flow.held("s", "a")


async def test_open_questions_are_listed_by_utility_and_by_age(house):
    """The most useful question comes first, or the oldest, and a cursor continues behind the last."""
    for name in ("a", "b"):
        await house.flow.observe("s", name, {"x": 1})
        await house.flow.label("s", name, name)
    for position, x in enumerate((5.0, 1.0, 0.0)):
        await house.flow.observe("s", f"q{position}", {"x": x})

    oldest = await house.engine.questions.waiting("s", "oldest", 10, None)
    useful = await house.engine.questions.waiting("s", "utility", 10, None)
    rest = await house.engine.questions.waiting("s", "oldest", 10, (0.0, oldest[0][0].asked_seq))

    assert [item.event.sample_id for item in oldest] == ["q0", "q1", "q2"]
    assert [item.sample.utility for item in useful] == sorted((item.sample.utility for item in useful), reverse=True)
    assert [item.event.sample_id for item in rest] == ["q1", "q2"]


async def test_a_deleted_stream_is_gone_with_its_log(house):
    """Deleting a stream erases its events, and its name is free for another."""
    await house.flow.observe("s", "a", {"x": 1})
    await house.administration.delete("s")
    gone = list(house.log.read("s", 0, 99))
    _, new = await house.administration.put("s", {})

    assert gone == []
    assert new
    assert house.learner().budget.seen == 0


def test_the_fake_log_is_a_log():
    """The fake starts without a thread, so that a test that never starts it leaves nothing behind."""
    asyncio.run(InMemoryLog().stop())
