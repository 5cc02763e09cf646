"""Batches over HTTP: an answer a line, in order, whatever stands in the others."""

import asyncio
import json

import httpx
import pytest

from service.api.app import create_app
from service.api.intake import Limits
from service.guard import Guard

NDJSON = {"Content-Type": "application/x-ndjson"}


def ndjson(objects):
    """Objects as lines."""
    return "".join(json.dumps(item) + "\n" for item in objects)


@pytest.fixture
async def client(build):
    """A client of an app over fakes, with a stream `s`; `client.house` is what stands behind it."""
    house = build()
    app = create_app(house.engine, Guard(), lambda _: None, limits=Limits(body=10_000))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made:
        made.house = house
        (await made.put("/v1/streams/s", json={"budget": {"rate": 0.2, "burst": 5}})).raise_for_status()
        yield made


def line(number, **more):
    """A sample as a line."""
    return json.dumps({"id": f"{number}", "features": {"x": number}} | more)


async def test_every_line_gets_its_own_answer_in_its_place(client):
    """Bad lines, repeated ids and other content under a known id stand where they stood, and harm no other line."""
    lines = [line(number) for number in range(400)]
    lines[3], lines[100], lines[399] = "{", line(7), line(8, features={"x": 0.5})
    answer = await client.post("/v1/streams/s/samples", headers=NDJSON, content="\n".join(lines))
    answers = [json.loads(text) for text in answer.text.splitlines()]

    assert [(place, found["status"]) for place, found in enumerate(answers) if "status" in found] == [(3, 422), (399, 409)]
    assert [found["id"] for place, found in enumerate(answers) if place not in {3, 100, 399}] == [
        f"{number}" for number in range(400) if number not in {3, 100, 399}
    ]
    assert (answers[100]["id"], answers[100]["replayed"]) == ("7", True)
    assert answers[100] | {"replayed": False} == answers[7]
    assert client.house.learner().budget.seen == 397
    asked = [found["id"] for found in answers if found.get("query", {}).get("ask") and not found["replayed"]]
    assert list(client.house.learner().queries.samples) == asked


async def test_a_batch_of_labels_is_learned_in_its_order(client):
    """A label that cannot be taken in gets its problem, and the others are learned."""
    lines = [
        json.dumps({"sample_id": f"{number}", "label": "ab"[number % 2], "features": {"x": number}} if number != 5 else {"label": 1.5})
        for number in range(20)
    ]
    answer = await client.post("/v1/streams/s/labels", headers=NDJSON, content="\n".join(lines))
    answers = [json.loads(text) for text in answer.text.splitlines()]

    assert [found.get("status") for found in answers] == [None] * 5 + [422] + [None] * 14
    assert [found["model_version"] for found in answers if "status" not in found] == list(range(1, 20))


async def test_an_idempotency_key_numbers_the_lines_of_a_batch(client):
    """Lines without an id are told by the key and their place, so that the batch can be sent again."""
    lines = "\n".join(json.dumps({"features": {"x": number}}) for number in range(100))
    first, again = [await client.post("/v1/streams/s/samples", headers=NDJSON | {"Idempotency-Key": "k"}, content=lines) for _ in range(2)]

    assert [json.loads(text)["id"] for text in first.text.splitlines()] == [f"k-{place}" for place in range(100)]
    assert again.text == first.text.replace('"replayed":false', '"replayed":true')


async def test_events_that_carry_nothing_stand_between_those_that_do(client):
    """In a batch of CloudEvents a response of an inference is acknowledged in its place, and a bad event gets its problem."""
    event = {"specversion": "1.0", "source": "test", "type": "sample"}
    events = [event | {"id": f"{number}", "data": {"features": {"x": number}}} for number in range(40)]
    events[10] |= {"type": "org.kubeflow.serving.inference.response"}
    events[20] = {"specversion": "1.0"}
    answer = await client.post("/v1/streams/s/samples", headers={"Content-Type": "application/cloudevents-batch+json"}, json=events)
    answers = answer.json()

    assert len(answers) == 40
    assert "ignored" in answers[10]
    assert answers[20]["status"] == 422
    assert [found["id"] for place, found in enumerate(answers) if place != 20] == [f"{number}" for number in range(40) if number != 20]


async def test_a_batch_that_waits_for_the_disk_holds_no_other_up(client):
    """Labels that cannot be stored yet keep the samples of no stream from their answers."""
    await client.put("/v1/streams/quiet", json={"budget": {"rate": 0, "burst": 0}})
    client.house.log.hold()
    labels = [{"sample_id": f"l{place}", "label": "x", "features": {"x": place}} for place in range(200)]
    waiting = asyncio.create_task(client.post("/v1/streams/s/labels", content=ndjson(labels), headers=NDJSON))
    for _ in range(50):  # turns of the loop, in which the labels come as far as the log
        await asyncio.sleep(0)
    answer = await client.post("/v1/streams/quiet/samples", content=ndjson([{"features": {"x": 1}}] * 100), headers=NDJSON)
    stored = waiting.done()
    client.house.log.let_go()

    assert (stored, [json.loads(line)["query"]["ask"] for line in answer.text.splitlines()]) == (False, [False] * 100)
    assert {json.loads(line)["outcome"] for line in (await waiting).text.splitlines()} == {"learned"}


async def test_a_full_disk_is_not_tried_line_by_line(client):
    """After the first lines that could not be stored the others are told the same."""
    client.house.log.full = True
    labels = [{"sample_id": f"l{place}", "label": "x", "features": {"x": place}} for place in range(1_000)]
    answer = await client.post("/v1/streams/s/labels", content=ndjson(labels), headers=NDJSON)
    tried = sum(told[1] for told in client.house.observer.told if told[0] == "failed")

    assert [json.loads(line)["status"] for line in answer.text.splitlines()] == [507] * 1_000
    assert tried < 200


async def test_an_object_of_a_batch_is_no_larger_than_a_body(client):
    """It gets its problem in its place; the others are taken."""
    lines = [{"features": {"x": 1}}, {"features": {"x": "y" * 20_000}}, {"features": {"x": 2}}]
    answer = await client.post("/v1/streams/s/samples", content=ndjson(lines), headers=NDJSON)

    assert [json.loads(line).get("status", 200) for line in answer.text.splitlines()] == [200, 413, 200]
