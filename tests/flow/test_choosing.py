"""Batches from the pool and made samples: the same budget, durability and erasure as for what comes along, and no estimate."""

import asyncio
import random

import pytest

from service.core.errors import Conflict, UnknownSample
from service.core.events import Asked
from service.core.synthesis import NEAR

QUIET = {"budget": {"rate": 0.0, "burst": 0}}  # nothing is asked about what comes along


def sample(number):
    """A sample of two features, one of them an integer, and the label that goes with it."""
    draw = random.Random(number)
    x = draw.gauss(0.0, 1.0)
    return {"x": x, "k": draw.randrange(100), "c": draw.choice("ab")}, "high" if x > 0 else "low"


async def fill(house, count, stream="s", first=0):
    """Send samples."""
    for number in range(first, first + count):
        await house.flow.observe(stream, f"n{number}", sample(number)[0])


async def quiet(build, count=300, burst=20, **config):
    """A house whose stream was silent until its pool was full, with a grant since then."""
    house = build()
    await house.administration.put("s", QUIET | config)
    await fill(house, count)
    await house.administration.patch("s", {"budget": {"burst": burst}})
    return house


async def answered(house, asked):
    """Answer questions as they should be."""
    for item in asked:
        await house.flow.label("s", item.event.sample_id, sample(int(item.event.sample_id[1:]))[1])


def pool(house):
    """The stream's pool."""
    return house.engine.streams["s"].pool


async def test_a_batch_becomes_questions_on_disk_and_leaves_the_pool(build):
    """What is picked waits like any question, its event stands in the log, and it is in the pool no more."""
    house = await quiet(build)
    found = await house.engine.choosing.select("s", 8)

    ids = [item.event.sample_id for item in found.asked]
    assert (len(set(ids)), found.refused) == (8, {})
    assert [event.sample_id for _, event in house.log.read("s", 0, 99) if isinstance(event, Asked)] == ids
    assert {item.event.decision.query.reason for item in found.asked} == {"pool"}
    assert set(house.learner().queries.open) == set(ids)
    assert not any(sample_id in pool(house) for sample_id in ids)


async def test_what_is_not_allowed_is_not_asked_and_said(build):
    """The grant, a cap, open questions and an empty pool bound a batch; the answer says which."""
    house = await quiet(build, count=30, burst=5)
    assert (await house.engine.choosing.select("s", 8)).refused == {"budget": 3}
    await house.administration.patch("s", {"budget": {"burst": 100, "labels": 7, "per": "total"}})
    assert (await house.engine.choosing.select("s", 8)).refused == {"cap": 6}
    await house.administration.patch("s", {"budget": {"labels": None, "max_open": 10}})
    assert (await house.engine.choosing.select("s", 8)).refused == {"max-open": 5}
    await house.administration.patch("s", {"budget": {"max_open": 1000}})
    assert (await house.engine.choosing.select("s", 50)).refused == {"pool": 30}

    budget = house.learner().budget
    assert (budget.asked, budget.reserved, budget.left) == (30, 0, 70)


async def test_exploration_keeps_its_reserve(build):
    """A batch leaves what random questions need, as a rule does."""
    house = build()
    await house.administration.put("s", QUIET)
    await fill(house, 50)
    await house.administration.patch("s", {"budget": {"rate": 0.05, "burst": 20}})

    found = await house.engine.choosing.select("s", 50)

    assert (len(found.asked), found.refused) == (16, {"budget": 34})


async def test_batches_at_once_never_ask_more_than_is_allowed(build):
    """Two that come together share the budget, and no sample is asked about twice."""
    house = await quiet(build, burst=10)

    one, two = await asyncio.gather(house.engine.choosing.select("s", 8), house.engine.choosing.select("s", 8))

    assert (len(one.asked), len(two.asked), two.refused) == (8, 2, {"budget": 6})
    assert house.learner().budget.spent == 10


async def test_what_traffic_asks_meanwhile_is_not_asked_again(build):
    """Samples that come while a batch is picked take their part of the grant; together they keep to it."""
    house = await quiet(build, burst=12)

    traffic = [house.flow.observe("s", f"n{number}", sample(number)[0]) for number in range(300, 330)]
    found, *_ = await asyncio.gather(house.engine.choosing.select("s", 8), *traffic)

    budget = house.learner().budget
    assert (budget.asked, budget.left) == (12, 0)
    assert len(found.asked) < 8 == len(found.asked) + sum(found.refused.values())


async def test_the_model_learns_and_nothing_is_estimated(build):
    """Answers to a batch teach; evaluation counts them as spent and knows nothing else of them."""
    house = await quiet(build)
    found = await house.engine.choosing.select("s", 10)
    await answered(house, found.asked)

    learner = house.learner()
    assert (learner.labels, len(learner.evidence)) == (10, 0)
    told = await house.engine.appraisal.evaluation("s")
    assert (told.spent.labels, told.total.asked, told.total.answered, told.total.accuracy) == (10, 0, 0, None)


async def test_a_batch_leaves_estimates_as_they_were(build):
    """Asking, answering and making change nothing that is claimed of traffic; what coins decide afterwards counts as before."""
    house = build()
    await house.administration.put("s", {"budget": {"rate": 0.2, "burst": 20}})
    for number in range(400):
        answer = await house.flow.observe("s", f"n{number}", sample(number)[0])
        if answer.decision.query.ask:
            await house.flow.label("s", f"n{number}", sample(number)[1])
    await house.administration.patch("s", {"budget": {"burst": 100}})
    before, account = await house.engine.appraisal.evaluation("s"), house.learner().budget.seen
    await answered(house, (await house.engine.choosing.select("s", 20)).asked)
    made = await house.engine.choosing.synthesise("s", 5, ask=True)
    await house.flow.label("s", made.made[0].sample_id, "low")
    after = await house.engine.appraisal.evaluation("s")

    assert before.window.accuracy is not None
    assert (after.window, after.recent, after.total, after.classes) == (before.window, before.recent, before.total, before.classes)
    assert (after.spent.labels, house.learner().budget.seen) == (before.spent.labels + 21, account)
    assert (after.saved.random, after.saved.low) == (before.saved.random, before.saved.low and before.saved.low - 21)


async def test_later_batches_go_where_the_model_is_unsure(build):
    """Once the model knows something, what it is sure of is not asked about."""
    house = await quiet(build, count=1_000, burst=100)
    await answered(house, (await house.engine.choosing.select("s", 40)).asked)

    later = await house.engine.choosing.select("s", 10)

    assert max(abs(item.event.features["x"]) for item in later.asked) < 0.5


async def test_a_disk_that_is_full_costs_nothing(build):
    """Questions that are not stored are reported, and their places in budget and pool are as before."""
    house = await quiet(build)
    house.log.full = True
    found = await house.engine.choosing.select("s", 5)

    assert (found.asked, found.refused) == ([], {"unavailable": 5})
    assert (house.learner().budget.spent, len(pool(house)), len(house.learner().queries.open)) == (0, 300, 0)


async def test_the_log_rebuilds_what_was_chosen_and_made(build):
    """Replayed, the log gives the same state to the bit, batches and made samples included."""
    house = await quiet(build, burst=60)
    await answered(house, (await house.engine.choosing.select("s", 30)).asked)
    made = await house.engine.choosing.synthesise("s", 5, ask=True)
    await house.flow.label("s", made.made[0].sample_id, "low")
    await house.flow.label("s", made.made[0].sample_id, "high")
    await house.settled()

    assert house.replayed().fingerprint() == house.learner().fingerprint()
    assert house.replayed().transcript == house.learner().transcript


async def test_a_picked_sample_sent_again_gets_its_question(build):
    """From then on the stored answer is that of the question."""
    house = await quiet(build)
    (item,) = (await house.engine.choosing.select("s", 1)).asked
    again = await house.flow.observe("s", item.event.sample_id, item.event.features)

    assert (again.replayed, again.decision.query.reason) == (True, "pool")
    assert (await house.flow.held("s", item.event.sample_id)).decision == again.decision


async def test_an_erased_sample_leaves_the_pool(build):
    """Also one that is remembered nowhere else."""
    house = build(remembered=1)
    await house.administration.put("s", QUIET)
    await fill(house, 10)

    await house.flow.erase("s", "n3")

    assert "n3" not in pool(house)
    with pytest.raises(Conflict):
        await house.flow.observe("s", "n3", sample(3)[0])


async def test_retention_clears_the_pool(build):
    """Samples of an age leave it."""
    house = build()
    await house.administration.put("s", QUIET | {"retention": 100.0})
    await fill(house, 5)
    house.clock.advance(60)
    await fill(house, 5, first=5)
    house.clock.advance(60)

    await house.until(lambda: len(pool(house)) == 5)

    assert sorted(sample_id for sample_id, _ in pool(house).items()) == [f"n{number}" for number in range(5, 10)]


async def test_made_samples_are_marked_near_the_boundary_and_within_what_was_seen(build):
    """Their ids and reason say what they are; numbers lie within the observed range, integers are whole, texts are known ones."""
    house = await quiet(build, burst=60)
    await answered(house, (await house.engine.choosing.select("s", 40)).asked)
    seen = [sample(number)[0] for number in range(300)]

    found = await house.engine.choosing.synthesise("s", 10, ask=True)

    assert (len(found.made), found.refused) == (10, {})
    assert all(made.sample_id.startswith("synthetic-") for made in found.made)
    assert {house.learner().queries.samples[made.sample_id].state for made in found.made} == {"open"}
    for made in found.made:
        features = made.synthetic.features
        assert made.synthetic.margin <= NEAR
        assert min(one["x"] for one in seen) <= features["x"] <= max(one["x"] for one in seen)
        assert isinstance(features["k"], int)
        assert features["c"] in "ab"
        assert features not in seen


async def test_proposals_alone_change_nothing(build):
    """Without questions nothing is logged and nothing spent."""
    house = await quiet(build)
    await answered(house, (await house.engine.choosing.select("s", 20)).asked)
    before = house.learner().fingerprint()

    found = await house.engine.choosing.synthesise("s", 4, ask=False)

    assert [made.sample_id for made in found.made] == [None] * 4
    assert house.learner().fingerprint() == before


async def test_texts_and_ignorance_are_refused(build):
    """There is nothing between two sentences, and no boundary before two classes are known."""
    house = build()
    await house.administration.put("s", {"model": {"type": "text"}})
    await house.administration.put("noticed", {})
    await house.flow.observe("noticed", "a", {"note": "the parcel never came and nobody answers"})
    await house.administration.put("t", {})

    for stream in ("s", "noticed"):
        with pytest.raises(Conflict, match="texts"):
            await house.engine.choosing.synthesise(stream, 1, ask=True)
    with pytest.raises(Conflict, match="fewer than two classes"):
        await house.engine.choosing.synthesise("t", 1, ask=True)


async def test_where_there_is_no_boundary_nothing_is_made(build):
    """Numbers have none, and where a model of the caller's own has its boundary only that model knows; a batch is picked all the same."""
    house = build()
    await house.administration.put("n", {"task": "regression", "budget": {"rate": 0.0, "burst": 20}})
    await house.administration.put("e", {"model": {"type": "external"}, "budget": {"rate": 0.0, "burst": 20}})
    for number in range(40):
        house.engine.streams["n"].pool.offer(f"{number}", {"x": float(number)}, 0.5, 0.0)
        house.engine.streams["e"].pool.offer(f"{number}", {}, 0.5, 0.0, probabilities={"a": number / 40, "b": 1.0 - number / 40})

    for stream, why in (("n", "numbers"), ("e", "your own model")):
        with pytest.raises(Conflict, match=why):
            await house.engine.choosing.synthesise(stream, 1, ask=True)
        asked = (await house.engine.choosing.select(stream, 5)).asked
        assert len(asked) == 5
    assert all(item.event.probabilities for item in asked)


async def test_samples_that_could_teach_nothing_are_not_picked(build):
    """Where the model became the caller's own, those that came without its probabilities stay in the pool."""
    house = build()
    await house.administration.put("e", QUIET)
    for number in range(8):
        stated = {"a": 0.7, "b": 0.3} if number % 2 else None
        house.engine.streams["e"].pool.offer(f"{number}", {"x": float(number)}, 0.5, 0.0, probabilities=stated)
    await house.administration.patch("e", {"model": {"type": "external"}, "budget": {"burst": 20}})

    found = await house.engine.choosing.select("e", 6)
    assert {item.event.sample_id for item in found.asked} == {"1", "3", "5", "7"}
    assert found.refused == {"pool": 2}


async def test_what_was_made_of_an_erased_sample_is_erased(build):
    """A parent takes its children along, also one that nothing else is known of; what they taught is undone."""
    house = await quiet(build, burst=60, pool={"size": 40})
    await answered(house, (await house.engine.choosing.select("s", 30)).asked)
    (made,) = (await house.engine.choosing.synthesise("s", 1, ask=True)).made
    await house.flow.label("s", made.sample_id, "high")
    parent = made.synthetic.parents[0]

    erased = await house.flow.erase("s", parent)
    await house.settled()

    samples = house.learner().queries.samples
    assert erased.rebuilding
    assert (samples[parent].state, samples[made.sample_id].state) == ("erased", "erased")
    assert all(not event.features and not event.parents for event in house.log.about("s", made.sample_id) if isinstance(event, Asked))
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_a_parent_that_left_the_pool_can_still_be_erased(build):
    """A made sample keeps the names of its parents."""
    house = build(remembered=1)
    await house.administration.put("s", QUIET)
    await fill(house, 300)
    await house.administration.patch("s", {"budget": {"burst": 60}})
    await answered(house, (await house.engine.choosing.select("s", 30)).asked)
    (made,) = (await house.engine.choosing.synthesise("s", 1, ask=True)).made
    await house.administration.patch("s", {"pool": {"size": 0}})
    parent = next(parent for parent in made.synthetic.parents if parent not in house.learner().queries.samples)

    await house.flow.erase("s", parent)

    assert house.learner().queries.samples[made.sample_id].erased
    with pytest.raises(UnknownSample):
        await house.flow.erase("s", "n299000")
