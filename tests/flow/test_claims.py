"""Questions in people's hands: nobody gets what another one holds, and a skip is remembered."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import Conflict, StorageFull, UnknownSample, UnknownStream
from service.core.events import Erased, Expired, Labelled, Retracted, Skipped, Withdrawn
from service.core.open_queries import OpenQueries, Sample, Vote
from service.core.rebuild import swift
from service.desk import ORDERS, Desk, place


async def ask(house, *names):
    """Have questions asked, the first one the most useful."""
    for name in names:
        await house.flow.observe("s", name, {"x": float(len(name))})


async def claim(house, labeler, limit=10, seconds=300.0):
    """The ids of what a labeler is handed."""
    return [item.event.sample_id for item in await house.engine.questions.claim("s", labeler, limit, seconds)]


async def leases(house):
    """Who holds which question, as the list shows it."""
    found = await house.engine.questions.waiting("s", "oldest", 500, None)
    return {item.event.sample_id: item.lease.labeler for item in found if item.lease is not None}


@pytest.fixture
def questions(house):
    """What is tested."""
    return house.engine.questions


async def test_a_claim_hands_out_what_nobody_else_holds(house):
    """The first labeler gets the most useful ones, the second one the rest, the third one nothing."""
    await ask(house, "a", "b", "c")

    assert await claim(house, "u1", 2) == ["a", "b"]
    assert await claim(house, "u2") == ["c"]
    assert await claim(house, "u3") == []
    assert await leases(house) == {"a": "u1", "b": "u1", "c": "u2"}


async def test_a_claim_goes_by_utility(house):
    """However old a question is."""
    rng = random.Random(1)
    for number in range(40):
        await house.flow.observe("s", f"q{number}", {"x": rng.gauss(0, 1)})
        if number < 20:
            await house.flow.label("s", f"q{number}", "ok" if number % 2 else "no")
    utility = {name: house.learner().queries.samples[name].utility for name in house.learner().queries.open}
    handed = await claim(house, "u1", 7) + await claim(house, "u2", 6)

    assert len(set(utility.values())) > 10
    assert handed == sorted(utility, key=utility.get, reverse=True)[:13]


async def test_a_repeated_claim_hands_out_the_same_and_renews(house):
    """After a network fault nothing is lost: the same questions come first, for the whole time again."""
    await ask(house, "a", "b", "c", "d")
    first = await house.engine.questions.claim("s", "u1", 2, 100.0)
    house.clock.advance(60)
    again = await house.engine.questions.claim("s", "u1", 3, 100.0)

    assert [item.event.sample_id for item in again] == ["a", "b", "c"]
    assert again[0].lease.until == first[0].lease.until + 60


async def test_a_lease_ends_with_its_time(house):
    """Whoever claims after that gets the question, and the first one no longer holds it."""
    await ask(house, "a")
    await claim(house, "u1", seconds=100.0)
    house.clock.advance(99.5)
    early = await claim(house, "u2")
    house.clock.advance(0.5)

    assert early == []
    assert await leases(house) == {}
    assert await claim(house, "u2") == ["a"]
    assert await claim(house, "u1") == []


async def test_two_labelers_at_once_never_get_the_same_question(house):
    """Fifty claims at the same moment share forty questions out without one twice."""
    await ask(house, *(f"q{number}" for number in range(40)))
    handed = await asyncio.gather(*(claim(house, f"u{number}", 3) for number in range(50)))
    names = [name for part in handed for name in part]

    assert len(names) == len(set(names)) == 40


@pytest.mark.parametrize("how", ["answered", "skipped", "released", "expired", "withdrawn"])
async def test_a_lease_ends_with_what_it_is_for(house, questions, how):
    """An answer, a skip, a release, and the end of the question all free its place."""
    await ask(house, "a", "b")
    await claim(house, "u1", seconds=86_400.0)
    live = house.engine.streams["s"]
    if how == "answered":
        await house.flow.label("s", "a", "ok", "u1")
    elif how == "skipped":
        await questions.skip("s", "a", "u1", "unclear")
    elif how == "released":
        questions.release("s", "a", "u1")
    elif how == "expired":
        await house.engine.journal.append("s", Expired(house.clock(), "a"))
    else:
        await house.engine.journal.append("s", Withdrawn(house.clock(), "a"))

    assert live.desk.claimed(house.clock()) == 1
    assert await leases(house) == {"b": "u1"}


async def test_a_released_question_goes_to_the_next(house, questions):
    """Handing back is for others, and does no harm twice."""
    await ask(house, "a")
    await claim(house, "u1")
    questions.release("s", "a", "u1")
    questions.release("s", "a", "u1")

    assert await claim(house, "u2") == ["a"]


async def test_a_skipped_question_is_for_others(house, questions):
    """Whoever skipped it is never handed it again; it stays open."""
    await ask(house, "a", "b")
    await claim(house, "u1")
    await questions.skip("s", "a", "u1", None)

    assert await claim(house, "u1") == ["b"]
    assert await claim(house, "u2") == ["a"]
    assert house.learner().budget.open == 2


async def test_a_question_that_the_labeler_answered_is_for_others(build):
    """Where several votes are needed, the question stays open, free at once, and is not handed to whoever gave one."""
    house = build()
    await house.administration.put("s", {"budget": {"rate": 1.0}, "labels": {"per_sample": 2}})
    await ask(house, "a")
    await claim(house, "u1")
    await house.flow.label("s", "a", "ok", "u1")

    assert await claim(house, "u1") == []
    assert await claim(house, "u2") == ["a"]


async def test_a_retracted_answer_opens_the_question_for_claims(house):
    """An open question is handed out, also the second time it is open."""
    await ask(house, "a")
    await house.flow.label("s", "a", "ok", "u1")
    before = await claim(house, "u2")
    await house.flow.retract("s", "a", "u1")
    await house.settled()

    assert before == []
    assert await claim(house, "u2") == ["a"]


async def test_skipping_twice_is_one_event(house, questions):
    """A repeated request changes nothing, also when the question has been answered or is in other hands by then."""
    await ask(house, "a")
    versions = [await questions.skip("s", "a", "u1", "unclear") for _ in range(2)]
    await asyncio.gather(*(questions.skip("s", "a", "u2", None) for _ in range(10)))
    await claim(house, "u3")
    await questions.skip("s", "a", "u1", "unclear")
    await house.flow.label("s", "a", "ok", "u3")
    await questions.skip("s", "a", "u1", "unclear")
    skips = [event for _, event in house.log.read("s", 0, 99) if isinstance(event, Skipped)]

    assert versions == [0, 0]
    assert [(event.labeler, event.reason) for event in skips] == [("u1", "unclear"), ("u2", None)]


async def test_what_cannot_be_skipped_or_released_says_why(house, questions):
    """Unknown, closed, or held by somebody else."""
    await ask(house, "open", "closed")
    await house.flow.label("s", "closed", "ok", "u1")
    await house.flow.label("s", "brought", "ok", "u1", features={"x": 1.0})
    await claim(house, "u1")
    for name, error, words in (
        ("ghost", UnknownSample, "not held here"),
        ("closed", Conflict, "it is answered"),
        ("brought", Conflict, "not open"),
        ("open", Conflict, "held by 'u1'"),
    ):
        with pytest.raises(error, match=words):
            await questions.skip("s", name, "u2", None)
        with pytest.raises(error, match=words):
            questions.release("s", name, "u2")
    with pytest.raises(UnknownStream):
        await questions.skip("none", "open", "u1", None)

    assert not any(isinstance(event, Skipped) for _, event in house.log.read("s", 0, 99))


async def test_a_skip_is_on_disk_before_it_is_acknowledged(house, questions):
    """A full disk refuses it, and then it is not so."""
    await ask(house, "a")
    house.log.full = True
    with pytest.raises(StorageFull):
        await questions.skip("s", "a", "u1", None)
    house.log.full = False

    assert await claim(house, "u1") == ["a"]


async def test_a_restart_keeps_skips_and_forgets_leases(house, build, questions):
    """The log gives the state that served, skips included; from it another server hands out the same."""
    await ask(house, "a", "b", "c")
    await questions.skip("s", "a", "u1", None)
    await claim(house, "u2")
    await house.stop()
    learner = house.replayed()
    again = build(house.log, [("s", learner)])

    assert learner.fingerprint() == house.learner().fingerprint()
    assert learner.transcript == house.learner().transcript
    assert await claim(again, "u1") == ["b", "c"]
    assert await claim(again, "u3") == ["a"]


async def test_skips_stay_while_models_are_rebuilt(house, questions):
    """A correction leaves them where they are, in the serving state, in the faithful fold and in the swift one."""
    await ask(house, "a", "b", "c")
    await questions.skip("s", "c", "u1", None)
    for name, label in (("a", "ok"), ("b", "no"), ("a", "no")):
        await house.flow.label("s", name, label, "u1")
    await questions.skip("s", "c", "u2", None)
    await house.settled()
    quick = swift(lambda after, upto: house.log.read("s", after, upto))

    assert house.learner().queries.samples["c"].skipped == ("u1", "u2")
    assert house.replayed().fingerprint() == quick.fingerprint() == house.learner().fingerprint()


async def test_observers_hear_of_a_skip(house, questions):
    """It counts as an outcome, without a delay: nobody answered."""
    await ask(house, "a")
    await questions.skip("s", "a", "u1", None)

    assert ("labelled", "s", "skipped", None) in house.observer.told


STEPS = {  # what happens to the questions, and an event that tells the desk of it
    "ask": lambda queries, name, _, seq: queries.ask(name, Sample(seq, utility=seq % 3)) and Withdrawn(0.0, name),
    "label": lambda queries, name, who, seq: queries.label(name, Vote(who, "ok", seq), 0.0) and Labelled(0.0, name, "ok", who, 1, {}, {}),
    "retract": lambda queries, name, who, _: queries.retract(name, who) and Retracted(0.0, name, who),
    "skip": lambda queries, name, who, _: queries.skip(name, who) and Skipped(0.0, name, who),
    "expire": lambda queries, name, *_: queries.expire(name) and Expired(0.0, name),
    "erase": lambda queries, name, *_: name in queries.samples and (queries.erase(name) or True) and Erased(0.0, [name]),
}


NEXT = st.tuples(st.sampled_from([*STEPS, "claim", "release", "wait"]), st.sampled_from("abcd"), st.sampled_from("xyz"))


@given(st.lists(NEXT, max_size=60))
def test_a_desk_is_what_its_questions_say(steps):
    """Whatever happens, the lists are the open questions in order, and every lease is on an open one that its holder may answer."""
    queries, now = OpenQueries(per_sample=2), 0.0
    desk = Desk(queries)
    for seq, (step, name, who) in enumerate(steps, 1):
        if step == "claim":
            assert all(desk.lease(item, now).labeler == who for item in desk.claim(who, 3, now, 2.0))
        elif step == "release":
            desk.release(name, who)
        elif step == "wait":
            now += 1.0
        elif event := STEPS[step](queries, name, who, seq):
            desk.follow(event)
        held = {item: lease for item in "abcd" if (lease := desk.lease(item, now)) is not None}

        assert [desk.page(order, 99, None) for order in ORDERS] == [
            sorted(queries.open, key=lambda item, order=order: place(queries.samples[item], order)) for order in ORDERS
        ]
        assert held.keys() <= queries.open.keys()
        assert not any(lease.labeler in queries.samples[item].skipped for item, lease in held.items())
        assert not any(queries.samples[item].vote_of(lease.labeler) for item, lease in held.items())
        assert desk.claimed(now) == len(held)
