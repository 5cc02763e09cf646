"""Embeddings over HTTP: arrays where a stream declares them, with their places where they are wrong, and nowhere else."""

import base64
import json
import struct

import pytest

from service.core import embedder
from service.testing import letters

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
async def embedded(client):
    """A client with a stream `e` that takes an embedding of three numbers and asks about everything."""
    config = {"budget": {"rate": 1.0, "burst": 100}, "embeddings": {"vec": 3}}
    (await client.put("/v1/streams/e", json=config)).raise_for_status()
    return client


async def test_a_sample_brings_an_array_and_gets_it_back(embedded):
    """With its question, as an array of the numbers that are held."""
    sent = {"id": "a", "features": {"vec": [0.5, -1, 2.25], "x": 1}}
    answers = [await embedded.post("/v1/streams/e/samples", json=sent) for _ in range(2)]
    waiting = (await embedded.get("/v1/streams/e/queries")).json()["queries"]

    assert [answer.json()["replayed"] for answer in answers] == [False, True]
    assert waiting[0]["features"] == {"vec": [0.5, -1.0, 2.25], "x": 1}


async def test_other_numbers_under_the_same_id_are_a_conflict(embedded):
    """And the same numbers as base64 are none."""
    text = base64.b64encode(struct.pack("<3f", 0.5, -1, 2.25)).decode()
    bodies = [{"id": "a", "features": {"vec": vec}} for vec in ([0.5, -1, 2.25], text, [0.5, -1, 2.5])]
    answers = [await embedded.post("/v1/streams/e/samples", json=body) for body in bodies]

    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert answers[1].json()["replayed"]


async def test_labels_bring_arrays_too_and_teach(embedded):
    """A batch of history, then predictions by it."""
    history = [{"sample_id": f"h{i}", "label": "ab"[i % 2], "features": {"vec": [i % 2, 1 - i % 2, 0.1 * i]}} for i in range(40)]
    body = "\n".join(map(json.dumps, history))
    outcomes = (await embedded.post("/v1/streams/e/labels", content=body, headers=NDJSON)).text.splitlines()
    answers = [await embedded.post("/v1/streams/e/samples", json={"features": {"vec": vec}}) for vec in ([0, 1, 2], [1, 0, 2])]

    assert {json.loads(line)["outcome"] for line in outcomes} == {"learned"}
    assert [answer.json()["prediction"]["label"] for answer in answers] == ["a", "b"]


@pytest.mark.parametrize(
    ("features", "pointer"),
    [
        ('{"vec": [1, 2]}', "#/features/vec"),
        ('{"vec": [1, 2, 3, 4]}', "#/features/vec"),
        ('{"vec": [1, 2, 1e101]}', "#/features/vec/2"),
        ('{"vec": [1, 2, 1e999]}', "#"),
        ('{"vec": [1, 2, NaN]}', "#"),
        ('{"vec": [1, null, 3]}', "#/features/vec/1"),
        ('{"vec": [1, [2], 3]}', "#/features/vec/1"),
        ('{"vec": ["1", 2, 3]}', "#/features/vec/0"),
        ('{"vec": 5}', "#/features/vec"),
        ('{"vec": "words"}', "#/features/vec"),
        ('{"vec": {"a": 1}}', "#/features/vec"),
        ('{"other": [1, 2, 3]}', "#/features/other"),
        ('{"vec": [1, 2, 3], "vec": [1, 2, 3]}', "#/features/vec"),
    ],
)
async def test_what_is_no_such_array_is_refused_at_its_place(embedded, features, pointer):
    """Alone, in a batch and with a label alike; nothing of it counts."""
    alone = await embedded.post(
        "/v1/streams/e/samples", content=f'{{"features": {features}}}', headers={"Content-Type": "application/json"}
    )
    batch = await embedded.post("/v1/streams/e/samples", content=f'{{"features": {features}}}\n', headers=NDJSON)
    label = await embedded.post(
        "/v1/streams/e/labels", content=f'{{"sample_id": "l", "label": "a", "features": {features}}}', headers=NDJSON
    )
    problems = [alone.json(), json.loads(batch.text), json.loads(label.text)]

    assert alone.status_code == 422
    assert [problem["errors"][0]["pointer"] for problem in problems] == [pointer] * 3
    assert (await embedded.get("/v1/streams/e")).json()["summary"]["seen"] == 0


async def test_a_stream_that_declares_none_refuses_arrays_as_ever(client):
    """In the words that it had before."""
    answer = await client.post("/v1/streams/s/samples", json={"features": {"vec": [1, 2, 3]}})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "a feature is a number, a boolean, a string or null, not an array"


async def test_an_embedding_is_declared_later_and_taken_back(client):
    """The model goes on with what it knows, and samples from before stay what they were."""
    for number in range(6):
        await client.post("/v1/streams/s/samples", json={"id": f"n{number}", "features": {"x": number}})
        await client.post("/v1/streams/s/labels", json={"sample_id": f"n{number}", "label": "ab"[number % 2]})
    await client.patch("/v1/streams/s", json={"embeddings": {"vec": 2}})
    taken = await client.post("/v1/streams/s/samples", json={"id": "v", "features": {"x": 1, "vec": [1, 2]}})
    learned = await client.post("/v1/streams/s/labels", json={"sample_id": "v", "label": "a"})
    await client.patch("/v1/streams/s", json={"embeddings": None})
    refused = await client.post("/v1/streams/s/samples", json={"features": {"vec": [1, 2]}})

    assert (taken.status_code, learned.json()["outcome"], learned.json()["model_version"]) == (200, "learned", 7)
    assert refused.status_code == 422
    assert client.house.replayed().fingerprint() == client.house.learner().fingerprint()


async def test_an_erased_embedding_is_nowhere(embedded):
    """Not in the log's events, and not among the first that preprocessing keeps."""
    numbers = struct.pack("<3f", 0.5, -1.0, 2.25)
    for name, vec in (("a", [0.5, -1, 2.25]), ("b", [1, 2, 3]), ("c", [3, 2, 1])):
        await embedded.post("/v1/streams/e/samples", json={"id": name, "features": {"vec": vec}})
        await embedded.post("/v1/streams/e/labels", json={"sample_id": name, "label": name})
    house = embedded.house
    assert numbers in house.learner("e").vectoriser.state()
    await embedded.delete("/v1/streams/e/samples/a")
    await house.settled()

    assert numbers not in house.learner("e").vectoriser.state()
    assert all(event.features == {} for event in house.log.about("e", "a"))
    assert house.replayed("e").fingerprint() == house.learner("e").fingerprint()


async def test_a_text_is_embedded_where_the_server_can(client):
    """Else the configuration is refused, and the answer says what to install."""
    config = {"model": {"type": "text", "params": {"embed": True}}}
    refused = await client.put("/v1/streams/t", json=config)
    embedder.offer(letters)
    made = await client.put("/v1/streams/t", json=config)
    answer = await client.post("/v1/streams/t/samples", json={"features": {"text": "some words"}})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/model/params/embed")
    assert "pip install 'askwhen[embed]'" in refused.json()["detail"]
    assert (made.status_code, answer.status_code) == (201, 200)
