"""The pool over HTTP: how full it is, batches, made samples, and where they are marked."""

import random

import pytest

STREAM = "/v1/streams/s"


@pytest.fixture
async def filled(client):
    """A client whose stream let 60 samples pass and may ask 30 questions now."""
    await client.patch(STREAM, json={"budget": {"rate": 0.0, "burst": 0}})
    for number in range(60):
        await client.post(f"{STREAM}/samples", json={"id": f"n{number}", "features": {"x": random.Random(number).gauss(0, 1)}})
    await client.patch(STREAM, json={"budget": {"burst": 30}})
    return client


async def answered(client, queries):
    """Answer questions."""
    for query in queries:
        label = "high" if query["features"]["x"] > 0 else "low"
        (await client.post(f"{STREAM}/labels", json={"sample_id": query["sample_id"], "label": label})).raise_for_status()


async def test_a_batch_is_asked_and_the_pool_says_how_full_it_is(filled):
    """The questions wait beside all others, in the order in which they were picked."""
    before = (await filled.get(f"{STREAM}/pool")).json()
    answer = (await filled.post(f"{STREAM}/pool/select", json={"n": 5})).json()
    after = (await filled.get(f"{STREAM}/pool")).json()
    waiting = (await filled.get(f"{STREAM}/queries")).json()["queries"]

    assert {name: before[name] for name in ("samples", "size", "keep")} == {"samples": 60, "size": 2_000, "keep": "reservoir"}
    assert (after["samples"], after["oldest"][:4], after["bytes"] < before["bytes"]) == (55, "1970", True)
    assert answer["refused"] == {}
    assert waiting == answer["queries"]
    assert {query["reason"] for query in waiting} == {"pool"}
    assert not any("synthetic" in query for query in waiting)


async def test_a_batch_goes_in_portions(filled):
    """The answer and the pool say how many are to come; they come when the first have their answers."""
    first = (await filled.post(f"{STREAM}/pool/select", json={"n": 5, "at_once": 3})).json()
    before = (await filled.get(f"{STREAM}/pool")).json()
    await answered(filled, first["queries"])
    await filled.house.until(lambda: not filled.house.engine.portions.pending("s"))
    waiting = (await filled.get(f"{STREAM}/queries")).json()["queries"]

    assert (len(first["queries"]), first["refused"], first["pending"], before["pending"]) == (3, {}, 2, 2)
    assert (len(waiting), (await filled.get(f"{STREAM}/pool")).json()["pending"]) == (2, 0)


async def test_made_samples_are_marked_everywhere(filled):
    """In the answer, in the list of questions, and in what is held of them."""
    await answered(filled, (await filled.post(f"{STREAM}/pool/select", json={"n": 20})).json()["queries"])
    (made,) = (await filled.post(f"{STREAM}/pool/synthesise", json={"n": 1})).json()["samples"]
    (query,) = (await filled.get(f"{STREAM}/queries")).json()["queries"]
    held = (await filled.get(f"{STREAM}/samples/{made['sample_id']}")).json()

    assert made["sample_id"].startswith("synthetic-")
    assert (made["synthetic"], query["synthetic"], held["synthetic"]) == (True, True, True)
    assert (query["sample_id"], query["reason"], query["features"]) == (made["sample_id"], "synthetic", made["features"])
    assert len(made["parents"]) == 2
    assert made["margin"] <= 0.1


async def test_proposals_have_no_id(filled):
    """They are not asked about, and nothing is spent."""
    await answered(filled, (await filled.post(f"{STREAM}/pool/select", json={"n": 20})).json()["queries"])
    proposed = (await filled.post(f"{STREAM}/pool/synthesise", json={"n": 3, "ask": False})).json()

    assert [one["sample_id"] for one in proposed["samples"]] == [None] * 3
    assert (await filled.get(STREAM)).json()["summary"]["asked"] == 20


async def test_too_much_is_refused_in_part(filled):
    """Of what is wanted the answer says what was not allowed."""
    answer = (await filled.post(f"{STREAM}/pool/select", json={})).json()

    assert (len(answer["queries"]), answer["refused"]) == (30, {"budget": 20})


async def test_metrics_tell_chosen_questions_and_the_pool(filled):
    """By reason; what was decided about traffic is counted apart."""
    await filled.post(f"{STREAM}/pool/select", json={"n": 4})
    text = (await filled.get("/metrics")).text

    assert 'askwhen_chosen_total{reason="pool",stream="s"} 4.0' in text
    assert 'askwhen_pool_samples{stream="s"} 56.0' in text
    assert 'askwhen_decisions_total{stream="s",reason="pool"}' not in text


async def test_embeddings_are_picked_and_made_of_as_arrays(client):
    """A batch of samples with an array differs by it, and a made one shows it as its question does."""
    stream = "/v1/streams/v"
    await client.put(stream, json={"embeddings": {"vec": 3}, "budget": {"rate": 0.0, "burst": 0}})
    for number in range(60):
        draw = random.Random(number)
        features = {"x": draw.gauss(0, 1), "vec": [draw.gauss(0, 1) for _ in range(3)]}
        await client.post(f"{stream}/samples", json={"id": f"n{number}", "features": features})
    await client.patch(stream, json={"budget": {"burst": 40}})
    for query in (await client.post(f"{stream}/pool/select", json={"n": 30})).json()["queries"]:
        label = "high" if query["features"]["x"] > 0 else "low"
        await client.post(f"{stream}/labels", json={"sample_id": query["sample_id"], "label": label})
    (made,) = (await client.post(f"{stream}/pool/synthesise", json={"n": 1})).json()["samples"]
    (query,) = (await client.get(f"{stream}/queries")).json()["queries"]

    assert [type(number) for number in made["features"]["vec"]] == [float] * 3
    assert made["features"] == query["features"]


async def test_numbers_that_were_picked_cost(client):
    """Their answers are paid for as those of classes are, and enter no estimate."""
    stream = "/v1/streams/n"
    await client.put(stream, json={"task": "regression", "budget": {"rate": 0.0, "burst": 0, "price": 0.5}})
    for number in range(20):
        await client.post(f"{stream}/samples", json={"id": f"n{number}", "features": {"x": number}})
    await client.patch(stream, json={"budget": {"burst": 4}})
    for query in (await client.post(f"{stream}/pool/select", json={"n": 4})).json()["queries"]:
        await client.post(f"{stream}/labels", json={"sample_id": query["sample_id"], "label": query["features"]["x"]})
    told = (await client.get(f"{stream}/evaluation")).json()

    assert (told["spent"]["labels"], told["spent"]["money"], told["total"]["answered"]) == (4, 2.0, 0)
