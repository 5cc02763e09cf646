"""Probabilities of the caller's own model over HTTP: every way in, what comes back, and what is refused."""

import base64
import json

import pytest

SAMPLES, LABELS = "/v1/streams/e/samples", "/v1/streams/e/labels"
STATED = {"ok": 0.7, "fraud": 0.3}


@pytest.fixture
async def external(client):
    """The client, with a stream `e` whose model is the caller's own and which asks about everything."""
    config = {"model": {"type": "external"}, "classes": ["ok", "fraud"], "budget": {"rate": 1.0, "burst": 200}}
    (await client.put("/v1/streams/e", json=config)).raise_for_status()
    return client


async def test_a_caller_model_is_relayed_before_anything_is_learned(external):
    """The prediction is what was stated, and the decision is made on it."""
    answer = (await external.post(SAMPLES, json={"id": "a", "features": {}, "probabilities": STATED})).json()

    assert answer["prediction"] == {"label": "ok", "confidence": pytest.approx(0.7), "probabilities": pytest.approx(STATED)}
    assert answer["model_version"] == 0


async def test_a_caller_model_is_recalibrated_by_labels(external):
    """Wrong nine times in ten at 99 %: it is not believed any more, and keeps its label."""
    for number in range(10):
        await external.post(SAMPLES, json={"id": f"{number}", "features": {}, "probabilities": {"ok": 0.99, "fraud": 0.01}})
        await external.post(LABELS, json={"sample_id": f"{number}", "label": "fraud" if number else "ok"})
    said = (await external.post(SAMPLES, json={"features": {}, "probabilities": {"ok": 0.99, "fraud": 0.01}})).json()["prediction"]
    told = (await external.get("/v1/streams/e")).json()["summary"]["recalibration"]

    assert said["label"] == "ok"
    assert said["confidence"] < 0.7
    assert told["labels"] == 10
    assert told["temperature"] > 2
    assert 0 < told["lapses"] < 1


async def test_probabilities_are_shown_to_whoever_answers(external):
    """With the question, and with the sample."""
    await external.post(SAMPLES, json={"id": "a", "features": {"x": 1}, "probabilities": STATED})
    await external.house.settled()
    [question] = (await external.get("/v1/streams/e/queries")).json()["queries"]
    held = (await external.get(f"{SAMPLES}/a")).json()

    assert question["probabilities"] == held["probabilities"] == STATED


async def test_the_same_id_with_other_probabilities_is_another_sample(external):
    """As with features: 409; the same again is a replay, in whatever order they come."""
    await external.post(SAMPLES, json={"id": "a", "features": {}, "probabilities": STATED})
    again = await external.post(SAMPLES, json={"id": "a", "features": {}, "probabilities": {"fraud": 0.3, "ok": 0.7}})
    other = await external.post(SAMPLES, json={"id": "a", "features": {}, "probabilities": {"ok": 0.6, "fraud": 0.4}})
    external.house.engine.flow._memory.drop("e", "a")
    forgotten = await external.post(SAMPLES, json={"id": "a", "features": {}, "probabilities": {"ok": 0.6, "fraud": 0.4}})
    from_disk = await external.post(SAMPLES, json={"id": "a", "features": {}, "probabilities": STATED})

    assert again.json()["replayed"]
    assert (other.status_code, forgotten.status_code) == (409, 409)
    assert from_disk.json()["replayed"]


async def test_on_a_stream_with_a_model_probabilities_are_optional(client):
    """And the same id with and without them is not the same sample."""
    url = "/v1/streams/s/samples"
    without = await client.post(url, json={"id": "a", "features": {"x": 1}})
    other = await client.post(url, json={"id": "a", "features": {"x": 1}, "probabilities": STATED})
    beside = await client.post(url, json={"id": "b", "features": {"x": 1}, "probabilities": STATED})

    assert (without.status_code, other.status_code, beside.status_code) == (200, 409, 200)


async def test_a_label_brings_probabilities_with_features(external):
    """Ground truth that arrives by itself recalibrates as well; other probabilities than those held are a conflict."""
    brought = {"sample_id": "new", "label": "fraud", "features": {}, "probabilities": {"ok": 0.9, "fraud": 0.1}}
    first = (await external.post(LABELS, json=brought)).json()
    learner = external.house.learner("e")
    held = await external.post(LABELS, json={**brought, "label": "ok", "labeler": "u2", "probabilities": STATED})
    bare = await external.post(LABELS, json={"sample_id": "bare", "label": "ok", "features": {}})

    assert first["outcome"] == "learned"
    assert learner.taught.model.exponent < 1.0
    assert held.status_code == 409
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "#/probabilities")


async def test_every_way_in_takes_probabilities(external):
    """JSON lines, CloudEvents in each mode and batches of them."""
    sample = {"features": {"x": 1}, "probabilities": STATED}
    bad = {"features": {"x": 1}, "probabilities": {"ok": 0.7, "fraud": 0.4}}
    event = {"specversion": "1.0", "id": "e1", "source": "/t", "type": "sample", "data": sample}
    packed = {**event, "id": "e2", "data_base64": base64.b64encode(json.dumps(sample).encode()).decode()}
    del packed["data"]
    wrong = {**event, "id": "e3", "data": bad}
    lines = b"\n".join(json.dumps(one).encode() for one in ({"id": "l1", **sample}, bad, {"features": {}}, {"id": "l2", **sample}))
    answers = (await external.post(SAMPLES, content=lines, headers={"Content-Type": "application/x-ndjson"})).text.splitlines()
    batch = await external.post(
        SAMPLES, content=json.dumps([event, packed, wrong]).encode(), headers={"Content-Type": "application/cloudevents-batch+json"}
    )
    binary = {"ce-specversion": "1.0", "ce-id": "b1", "ce-source": "/t", "ce-type": "sample"}
    single = await external.post(SAMPLES, json=sample, headers=binary)
    told = [*map(json.loads, answers), *batch.json(), single.json()]

    assert [one.get("id", one.get("status")) for one in told] == ["l1", 422, 422, "l2", "e1", "e2", 422, "b1"]
    assert all(one["prediction"]["label"] == "ok" for one in told if "prediction" in one)
    assert [one["errors"][0]["pointer"] for one in told if "errors" in one] == [
        "#/probabilities",
        "#/probabilities",
        "#/data/probabilities",
    ]


async def test_an_erased_sample_states_nothing_any_more(external):
    """Its probabilities go with its features."""
    await external.post(SAMPLES, json={"id": "a", "features": {}, "probabilities": {"ok": 0.8125, "fraud": 0.1875}})
    await external.post(LABELS, json={"sample_id": "a", "label": "fraud"})
    await external.delete(f"{SAMPLES}/a")
    await external.house.settled()

    assert "probabilities" not in (await external.get(f"{SAMPLES}/a")).json()
    assert [event.probabilities for event in external.house.log.about("e", "a") if hasattr(event, "probabilities")] == [None, None]
    assert external.house.learner("e").taught.model.exponent == 1.0


async def test_saved_labels_are_not_claimed_for_a_model_that_no_label_changes(external):
    """A reason stands in their place."""
    saved = (await external.get("/v1/streams/e/evaluation")).json()["saved"]

    assert saved["labels"] is None
    assert "external" in saved["reason"]


async def test_the_document_shows_probabilities(external):
    """With what a schema can say of them."""
    parts = (await external.get("/openapi.json")).json()["components"]["schemas"]
    for shape in ("SampleIn", "LabelIn"):
        [probabilities, _] = parts[shape]["properties"]["probabilities"]["anyOf"]
        assert probabilities["additionalProperties"]["minimum"] == 0
        assert probabilities["maxProperties"] == 1_000
