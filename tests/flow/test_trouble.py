"""What goes wrong between the steps: deletions, duplicates in the log, corrections of configurations, requests behind requests."""

import asyncio

import pytest

from service.core.errors import Conflict, StorageFull, UnknownStream
from service.core.events import Configured, Labelled, Swapped
from service.core.learner import Learner
from service.testing import InlineWorkshop


async def test_an_event_that_cannot_be_written_harms_nobody_else(house):
    """An event that cannot be written fails its own request, and the log goes on."""
    await house.flow.observe("s", "before", {"x": 1})
    with pytest.raises(ValueError, match="serialize"):
        await house.flow.label("s", "odd", "ok", features={"x": 10**30})
    learned = await house.flow.label("s", "before", "ok")

    assert learned.outcome == "learned"
    assert house.learner().budget.reserved == 0


async def test_requests_behind_one_another_work_one_at_a_time(house):
    """However many requests come for one id, and whenever, one of them decides."""
    first = asyncio.create_task(house.flow.observe("s", "a", {"x": 1}))
    second = asyncio.create_task(house.flow.observe("s", "a", {"x": 1}))
    await first
    answers = [*(await asyncio.gather(second, house.flow.observe("s", "a", {"x": 1}))), first.result()]

    assert sum(not answer.replayed for answer in answers) == 1
    assert house.learner().budget.seen == 1
    assert house.engine.streams["s"]._turns == {}


class SlowWorkshop(InlineWorkshop):
    """A workshop that begins when it is told to."""

    def __init__(self, log):
        """Wait."""
        super().__init__(log)
        self.begin = asyncio.Event()
        self.begun = asyncio.Event()

    async def rebuild(self, stream, superseded, through):
        """Rebuild when told to."""
        self.begun.set()
        await self.begin.wait()
        return await super().rebuild(stream, superseded, through)


async def test_deleting_a_stream_while_it_is_rebuilt_leaves_nothing_in_the_log(house):
    """A rebuild that ends after its stream does not write into the log, which would not start again."""
    workshop = house.engine.upkeep._workshop = SlowWorkshop(house.log)
    await house.flow.label("s", "a", "ok", features={"x": 1})
    await house.administration.patch("s", {"model": {"type": "naive-bayes"}})
    house.engine.upkeep.wake.set()
    await workshop.begun.wait()
    await house.administration.delete("s")
    workshop.begin.set()
    await house.administration.put("s", {})
    await house.engine.upkeep.stop()
    await house.engine.journal.settled()

    assert not any(isinstance(event, Swapped) for _, event in house.log.read("s", 0, 2**62))
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_a_deletion_that_fails_leaves_the_stream_as_it_was(house):
    """What was committed while the deletion was tried is folded, and the stream serves on."""
    house.log.hold()
    label = asyncio.create_task(house.flow.label("s", "a", "ok", features={"x": 1}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    deletion = asyncio.create_task(house.administration.delete("s"))
    await asyncio.sleep(0)
    with pytest.raises(UnknownStream):
        await house.flow.observe("s", "b", {"x": 1})
    house.log.fail_drops = True
    house.log.let_go()
    with pytest.raises(StorageFull):
        await deletion

    assert (await label).outcome == "learned"
    assert house.replayed().fingerprint() == house.learner().fingerprint()
    assert (await house.flow.observe("s", "b", {"x": 1})).decision.query.ask


async def test_a_duplicate_that_reached_the_log_does_not_survive_a_correction(house):
    """An answer that was delivered twice at once is gone with both copies."""
    await house.flow.observe("s", "a", {"x": 1})
    for name, label in (("b", "ok"), ("c", "no")):
        await house.flow.label("s", name, label, features={"x": 2})
    learner = house.learner()
    answer = learner.answer("a", "wrong", "", {"x": 1}, 0.0, brought=False, labeled_at=None)
    await asyncio.gather(house.engine.journal.append("s", answer), house.engine.journal.append("s", answer))
    await house.flow.retract("s", "a")
    await house.settled()

    assert sum(isinstance(event, Labelled) and event.label == "wrong" for _, event in house.log.read("s", 0, 2**62)) == 2
    assert house.learner().taught.classes == ["ok", "no"]


async def test_votes_a_sample_cannot_change_once_there_are_labels(house):
    """What labels taught depends on the number of votes, so it is fixed from the first label on."""
    await house.administration.patch("s", {"labels": {"per_sample": 2}})
    await house.administration.patch("s", {"labels": {"per_sample": 1}})
    await house.flow.label("s", "a", "ok", features={"x": 1})

    with pytest.raises(Conflict, match="cannot change"):
        await house.administration.patch("s", {"labels": {"per_sample": 3}})


async def test_a_redelivered_label_is_a_duplicate_even_where_its_class_is_gone(house):
    """A duplicate is never an error."""
    await house.flow.label("s", "a", "old", features={"x": 1})
    await house.administration.patch("s", {"classes": ["new"]})

    assert (await house.flow.label("s", "a", "old")).outcome == "duplicate"


async def test_a_withdrawn_question_is_not_replayed_as_asked(build):
    """Whoever was told `unavailable` is told the same again after a restart."""
    house = build(remembered=0)
    await house.administration.put("s", {"budget": {"rate": 1.0}})
    house.log.hold()
    told = await house.flow.observe("s", "a", {"x": 1})
    house.log.let_go()
    await house.settled()
    await house.settled()
    again = await house.flow.observe("s", "a", {"x": 1})

    assert (told.decision.query.reason, again.decision.query.reason) == ("unavailable", "unavailable")
    assert (again.replayed, again.decision.query.ask) == (True, False)


async def test_another_rule_does_not_begin_with_the_old_ones_state(build):
    """After a change of rule and a crash the new rule starts as it would have."""
    house = build()
    await house.administration.put("s", {"query": {"rule": "variable-uncertainty"}, "budget": {"rate": 0.5}})
    for number in range(40):
        await house.flow.observe("s", str(number), {"x": number})
        await house.flow.label("s", str(number), str(number % 2), features={"x": number})
    await house.administration.patch("s", {"query": {"rule": "split"}})
    crashed = house.replayed()
    crashed.resume()

    assert crashed.policy.rule.state() == house.learner().policy.rule.state() == [1.0]


async def test_exploration_changes_without_touching_the_rule(house):
    """The rule goes on where it was."""
    rule = house.learner().policy.rule
    await house.administration.patch("s", {"exploration": 0.5})

    assert house.learner().policy.rule is rule
    assert house.learner().policy.exploration == 0.5


async def test_a_snapshot_of_another_history_does_not_stop_learning(house):
    """A snapshot stands at its anchor: checkpoints that a restored log does not have are not waited for."""
    await house.flow.label("s", "a", "ok", features={"x": 1})
    learner = house.learner()
    for _ in range(40):
        checkpoint = learner.checkpointed(1, 0.0, None)
        await house.engine.journal.append("s", checkpoint, slot="checkpoint-1")
    restored = Learner.of(learner.learned())

    assert restored.seq == restored.anchor < learner.seq


async def test_checkpoints_do_not_pile_up_while_the_log_hangs(house):
    """A stream has one checkpoint on its way at the most."""
    live = house.engine.streams["s"]
    house.log.hold()
    for number in range(20):
        live.learner.decide(str(number), {"x": 1}, 0.0)
        house.engine.checkpoints.write(live)

    assert len(house.engine.journal._waiting) <= 2
    assert isinstance(next(iter(house.log.read("s", 0, 2**62)))[1], Configured)


async def test_streams_are_bounded(build):
    """One stream too many is refused; those that are there may still be changed."""
    house = build(streams=2)
    for name in ("a", "b", "a"):
        await house.administration.put(name, {})

    with pytest.raises(Conflict, match="delete one"):
        await house.administration.put("c", {})
