"""Both clients against a real server: every request of the contract, its answer, and its refusal."""

import datetime as dt
import subprocess
import sys

import pytest

from service.client import Conflict, Decision, Invalid, Label, Lease, NotFound, Outcome, Problem, Sample, Vote, batches, calls


async def test_a_stream_is_put_patched_got_listed_and_deleted(client, stream):
    """The life of a stream, with what its configuration became."""
    patched = await client.patch(stream, {"exploration": 0.5})
    got = await client.get(stream)
    listed = await client.list()
    await client.delete(stream)

    assert got == patched
    assert (got.stream, got.config["exploration"], got.config["budget"]["rate"], got.summary.seen) == (stream, 0.5, 1.0, 0)
    assert got in listed
    with pytest.raises(NotFound):
        await client.get(stream)


async def test_without_a_configuration_every_default_holds(client, stream):
    """`put` alone makes a working stream."""
    made = await client.put(f"{stream}-plain")
    assert made.config["model"]["type"] == "auto"


async def test_a_sample_is_decided_labelled_corrected_and_looked_up(client, stream):
    """What the server says arrives in fields of their types."""
    at = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
    decision = await client.sample(stream, {"x": 1, "k": "a", "b": True, "n": None}, sample_id="a", time=at)
    again = await client.sample(stream, {"x": 1, "k": "a", "b": True, "n": None}, sample_id="a", time=at)
    learned = await client.label(stream, "a", "yes", labeler="u", labeled_at=at)
    corrected = await client.label(stream, "a", "no", labeler="u")
    state = await client.sample_state(stream, "a")
    retracted = await client.retract(stream, "a", labeler="u")

    assert (decision.id, decision.stream, decision.query.ask, decision.query.rule) == ("a", stream, True, "random")
    assert (decision.query.budget.seen, decision.replayed, again.replayed) == (1, False, True)
    assert learned == Outcome("a", "learned", 1)
    assert (corrected.outcome, corrected.rebuilding) == ("corrected", True)
    assert (state.question.state, state.labels, state.query) == ("answered", [Vote("u", "no")], decision.query)
    assert retracted.outcome == "retracted"


async def test_a_sample_without_an_id_gets_one(client, stream):
    """It can be labelled under it."""
    decision = await client.sample(stream, {"x": 1})
    assert (await client.label(stream, decision.id, 3)).outcome == "learned"


async def test_a_sample_without_an_id_counts_once_however_often_it_is_sent(client, stream):
    """The server knows the repetition by the key that the client made, alone and in a batch."""
    alone = calls.sample(stream, {"x": 1})
    (batch,) = [*(made := batches.samples(stream, 2)).add(batches.sample_line(Sample({"x": 2}))), *made.rest()]
    first = [await client.send(alone), *await client.send(batch)]
    again = [await client.send(alone), *await client.send(batch)]

    assert [answer.id for answer in again] == [answer.id for answer in first]
    assert [answer.replayed for answer in first + again] == [False, False, True, True]
    assert (await client.get(stream)).summary.seen == 2


@pytest.mark.parametrize("sample_id", ["a/b c?d=e&f#g", "..", ".", "ü ✓", "100%", "a%2Fb"])
async def test_an_id_of_any_kind_is_found_again(client, stream, sample_id):
    """Ids are the caller's own."""
    await client.sample(stream, {"x": 1}, sample_id=sample_id)
    await client.label(stream, sample_id, "yes", labeler="a&b")

    assert (await client.sample_state(stream, sample_id)).labels == [Vote("a&b", "yes")]
    assert (await client.retract(stream, sample_id, labeler="a&b")).outcome == "retracted"


async def test_questions_are_gone_through_page_by_page(client, stream):
    """Each once, in either order, however many fit a page."""
    for number in range(7):
        await client.sample(stream, {"x": number}, sample_id=f"q{number}")
    everything = [f"q{number}" for number in range(7)]

    assert [question.sample_id for question in await client.queries(stream, order="oldest", limit=3)] == everything
    assert sorted(question.sample_id for question in await client.queries(stream, limit=7)) == everything
    pages = await client.pages(stream, limit=3)
    assert [len(page.queries) for page in pages] == [3, 3, 1]
    assert pages[0].queries[0].features.keys() == {"x"}


async def test_a_claimed_question_is_skipped_or_released(client, stream):
    """A claim gives questions with their leases."""
    await client.sample(stream, {"x": 1}, sample_id="a")
    await client.sample(stream, {"x": 2}, sample_id="b")
    claimed = await client.claim(stream, "u17", limit=2, lease=60)

    assert {question.sample_id for question in claimed} == {"a", "b"}
    assert claimed[0].lease == Lease("u17", claimed[0].lease.until)
    assert (await client.skip(stream, "a", "u17", reason="unclear")).outcome == "skipped"
    assert (await client.release(stream, "b", "u17")).outcome == "released"


async def test_a_batch_is_picked_and_samples_are_made(client, stream):
    """What the pool has becomes questions, and so does what never was."""
    await client.patch(stream, {"budget": {"rate": 0.0, "burst": 0}})
    for number in range(40):
        await client.sample(stream, {"x": number - 20.0}, sample_id=f"n{number}")
    await client.patch(stream, {"budget": {"burst": 21}})
    before = await client.pool(stream)
    found = await client.select(stream, 20, at_once=20)
    for question in found.queries:
        await client.label(stream, question.sample_id, question.features["x"] > 0)
    made = await client.synthesise(stream, 2)
    (waiting,) = await client.queries(stream)

    assert (before.samples, len(found.queries), found.refused, found.pending) == (40, 20, {}, 0)
    assert (made.refused, [one.sample_id for one in made.samples]) == ({"budget": 1}, [waiting.sample_id])
    assert (waiting.synthetic, (await client.sample_state(stream, waiting.sample_id)).synthetic) == (True, True)


async def test_an_erased_sample_is_gone(client, stream):
    """Erasing gives the same answer however often it is sent; what was never there is not found."""
    await client.sample(stream, {"x": 1}, sample_id="a")
    erased = [await client.erase(stream, "a") for _ in range(2)]

    assert {outcome.outcome for outcome in erased} == {"erased"}
    with pytest.raises(NotFound):
        await client.erase(stream, "nobody")


async def test_the_server_says_what_may_be_chosen_and_that_it_is_ready(client):
    """The catalogue and the health."""
    assert "logistic" in (await client.catalogue())["models"]
    assert await client.ready() is True


async def test_a_refusal_says_what_is_wrong_and_where(client, stream):
    """An exception of the problem's family, with its status, sentence and places."""
    with pytest.raises(Invalid, match=r"a number.* \(#/features/x\)") as invalid:
        await client.sample(stream, {"x": [1]}, sample_id="a")
    assert (invalid.value.status, invalid.value.pointers, "#" in invalid.value.detail) == (422, ("#/features/x",), False)

    await client.sample(stream, {"x": 1}, sample_id="a")
    with pytest.raises(Conflict):
        await client.sample(stream, {"x": 2}, sample_id="a")
    with pytest.raises(NotFound, match="ghost"):
        await client.label(stream, "ghost", "yes")


async def test_a_batch_keeps_its_order_with_a_problem_in_a_bad_lines_place(client, front, stream):
    """25 samples in three requests, structs and plain mappings alike; the one that is wrong stops no other."""
    wanted = [Sample({"x": n}, f"b{n}") if n % 2 else {"id": f"b{n}", "features": {"x": n}} for n in range(25)]
    wanted[12] = {"id": "b12", "features": {"x": [12]}}
    front.batches.clear()
    answers = await client.samples(stream, iter(wanted), chunk=10)

    assert [answer.id for answer in answers if isinstance(answer, Decision)] == [f"b{n}" for n in range(25) if n != 12]
    assert isinstance(answers[12], Problem)
    assert (answers[12].status, answers[12].pointers) == (422, ("#/features/x",))
    assert [len(batch) for batch in front.batches] == [10, 10, 5]


async def test_labels_bring_their_features_along_in_a_batch(client, stream):
    """Initial training: learned, known the second time, a problem for what is not there."""
    labels = [Label("a", "yes", features={"x": 1}), {"sample_id": "b", "label": True, "features": {"x": 2}}, Label("ghost", 1)]
    first = await client.labels(stream, labels)
    second = await client.labels(stream, labels)

    assert [getattr(answer, "outcome", None) for answer in first] == ["learned", "learned", None]
    assert [getattr(answer, "outcome", None) for answer in second] == ["duplicate", "duplicate", None]
    assert first[2].status == 404


async def test_an_empty_batch_sends_nothing(client, front, stream):
    """No lines, no request."""
    front.batches.clear()
    assert await client.samples(stream, []) == []
    assert front.batches == []


@pytest.mark.parametrize("chunk", [0, 10_001])
async def test_a_chunk_that_no_request_can_have_is_refused_at_once(client, stream, chunk):
    """1 to 10,000 lines."""
    with pytest.raises(ValueError, match="10,000"):
        await client.labels(stream, [], chunk=chunk)


def test_the_client_needs_nothing_else_of_the_service():
    """It can be used where neither River nor a web framework is installed."""
    program = "import sys, service.client; print(*{name.partition('.')[0] for name in sys.modules}, *sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())

    assert not loaded & {"river", "fastapi", "starlette", "pydantic", "typer", "uvicorn", "numpy"}
    assert {name for name in loaded if name.startswith("service.") and not name.startswith("service.client")} == set()


async def test_an_evaluation_says_what_is_known_and_why_nothing_more(client, stream):
    """Figures arrive in fields of their types; before five labels nothing is claimed."""
    empty = await client.evaluation(stream)
    for number in range(12):
        await client.sample(stream, {"x": number % 2}, sample_id=f"s{number}")
        await client.label(stream, f"s{number}", number % 2)
    told = await client.evaluation(stream)

    assert (empty.window.reason, empty.window.accuracy, empty.spent.labels) == ("no samples", None, 0)
    assert (told.window.n, told.window.answered, told.window.reason, told.covers) == (12, 12, None, 1.0)
    assert told.window.low <= told.window.accuracy <= told.window.high
    assert set(told.classes) == {"0", "1"}
    assert (told.saved.labels, told.saved.reason) == (None, "too few labels")
