"""A batch in portions: the next is asked when the one before has its answers, within the budget, and no longer than somebody wants it."""

import asyncio

from tests.flow.test_choosing import answered, pool, quiet


def waiting(house):
    """The open questions of the stream."""
    return list(house.learner().queries.open)


async def settled(house):
    """Have what is under way look at its questions several times."""
    for _ in range(20):
        await asyncio.sleep(0)
    await house.engine.journal.settled()


async def answer_all(house):
    """Answer what waits, and return how much that was."""
    asked = await house.engine.questions.waiting("s", "oldest", 500, None)
    await answered(house, asked)
    return len(asked)


async def test_the_next_portion_comes_when_the_first_has_its_answers(build):
    """Never more than four are open, until ten were asked."""
    house = await quiet(build)
    found = await house.engine.portions.select("s", 10, 4)
    assert (len(found.asked), found.refused, house.engine.portions.pending("s")) == (4, {}, 6)
    await settled(house)
    assert len(waiting(house)) == 4

    counts = []
    for left in (6, 2, 0):
        await house.until(lambda left=left: house.engine.portions.pending("s") == left)
        counts.append(await answer_all(house))

    assert counts == [4, 4, 2]
    assert house.engine.portions.pending("s") == 0
    assert house.learner().budget.asked == 10


async def test_one_answer_of_a_portion_is_not_enough(build):
    """All of it is waited for, so that the next knows what all of it taught."""
    house = await quiet(build)
    found = await house.engine.portions.select("s", 10, 4)
    await answered(house, found.asked[:3])
    await settled(house)

    assert waiting(house) == [found.asked[3].event.sample_id]
    assert not house.engine.streams["s"].choosing.locked()  # nobody is picking


async def test_a_budget_that_ends_ends_the_batch(build):
    """What is not allowed is said at once where it is known, and is not waited for later."""
    house = await quiet(build, burst=6)
    found = await house.engine.portions.select("s", 10, 4)
    await answered(house, found.asked)
    await house.until(lambda: not house.engine.portions.pending("s"))

    assert len(waiting(house)) == 2
    assert (await house.engine.portions.select("s", 30, 20)).refused == {"budget": 30}
    assert house.engine.portions.pending("s") == 0


async def test_another_batch_takes_the_place_of_the_first(build):
    """What was still to come of it is not asked."""
    house = await quiet(build)
    first = await house.engine.portions.select("s", 10, 2)
    second = await house.engine.portions.select("s", 3)
    await answered(house, [*first.asked, *second.asked])
    await settled(house)

    assert (house.engine.portions.pending("s"), waiting(house)) == (0, [])
    assert house.learner().budget.asked == 5


async def test_of_two_batches_that_come_at_once_one_goes_on(build):
    """The first portions of both are asked, and no more than the rest of one."""
    house = await quiet(build)
    await asyncio.gather(house.engine.portions.select("s", 6, 2), house.engine.portions.select("s", 6, 2))
    while waiting(house):
        await answer_all(house)
        await settled(house)
        await house.until(lambda: waiting(house) or not house.engine.portions.pending("s"))

    assert house.learner().budget.asked == 2 + 6


async def test_a_stream_that_goes_takes_its_batch_along(build):
    """Nothing waits for its questions any more."""
    house = await quiet(build)
    await house.engine.portions.select("s", 10, 2)
    await house.administration.delete("s")
    await house.until(lambda: not house.engine.portions.pending("s"))


async def test_stopping_ends_it(build):
    """A server that stops waits for nobody's answers, and what was asked stays asked."""
    house = await quiet(build)
    await house.engine.portions.select("s", 10, 2)
    assert len(pool(house)) > 0
    await house.stop()

    assert house.engine.portions.pending("s") == 0
    assert len(house.replayed().queries.open) == 2
