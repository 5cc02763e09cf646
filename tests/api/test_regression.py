"""Regression streams over HTTP: what comes back of numbers, and what is refused."""

import json
import random

import pytest
from prometheus_client.parser import text_string_to_metric_families

STREAM = {"task": "regression", "query": {"rule": "random"}, "budget": {"rate": 1.0, "burst": 100}, "slices": ["kind"]}
HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
async def numbers(client):
    """A client with a regression stream `n` that asks about everything."""
    created = await client.put("/v1/streams/n", json=STREAM)
    created.raise_for_status()
    return client


async def taught(client, count):
    """Have samples asked and answered; the last answers to samples."""
    rng, answer = random.Random(1), None
    for number in range(count):
        x = rng.gauss(0, 1)
        answer = await client.post("/v1/streams/n/samples", json={"id": f"s{number}", "features": {"x": x, "kind": "a"}})
        given = {"sample_id": f"s{number}", "label": 2.0 * x + rng.gauss(0, 0.1), "labeler": "u"}
        assert (await client.post("/v1/streams/n/labels", json=given)).json()["outcome"] == "learned"
    return answer.json()


async def test_a_forecast_is_all_that_a_prediction_has(numbers):
    """First nothing, then a value, then how far it may be off; no class, no confidence. Asked again it is the same."""
    first = await numbers.post("/v1/streams/n/samples", json={"id": "a", "features": {"x": 1.0}})
    assert first.json()["prediction"] == {"value": None, "deviation": None, "low": None, "high": None}
    assert first.json()["query"]["reason"] in {"cold-start", "exploration"}
    last = await taught(numbers, 40)
    again = await numbers.post("/v1/streams/n/samples", json={"id": "a", "features": {"x": 1.0}})
    held = (await numbers.get("/v1/streams/n/samples/s39")).json()

    assert last["prediction"].keys() == {"value", "deviation", "low", "high"}
    assert last["prediction"]["low"] < last["prediction"]["value"] < last["prediction"]["high"]
    assert again.json() == {**first.json(), "replayed": True}
    assert held["prediction"] == last["prediction"]
    assert (await numbers.get("/v1/streams/n/queries")).json()["queries"][0]["prediction"] == first.json()["prediction"]


async def test_a_classifications_answer_has_nothing_new(client):
    """To the byte what it was."""
    answer = await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1.0}})
    assert answer.text.startswith(
        '{"id":"a","stream":"s","model_version":0,"prediction":{"label":null,"confidence":null,"probabilities":{}},"query":{"ask":true,'
    )


async def test_evaluation_tells_errors(numbers):
    """MAE and RMSE with intervals, the naive figure, slices; nothing of accuracy."""
    await taught(numbers, 60)
    told = (await numbers.get("/v1/streams/n/evaluation")).json()
    window = told["window"]

    assert window["low"] <= window["mae"] <= window["high"]
    assert window["rmse_low"] <= window["rmse"] <= window["rmse_high"]
    assert window["naive"] == pytest.approx(window["mae"])  # everything was asked
    assert told["slices"]["kind"]["a"]["mae"] == pytest.approx(window["mae"])
    assert "accuracy" not in window
    assert told["saved"]["reason"] == "not told of regression streams"


async def test_labels_are_numbers_in_every_answer(numbers):
    """As texts, as classes are; the label stands as it was understood."""
    await taught(numbers, 1)
    await numbers.post("/v1/streams/n/labels", json={"sample_id": "s0", "label": 7, "labeler": "v"})
    held = (await numbers.get("/v1/streams/n/samples/s0")).json()
    assert held["labels"][1] == {"labeler": "v", "label": "7.0"}
    assert (await numbers.get("/v1/streams/n")).json()["summary"]["classes"] == []


@pytest.mark.parametrize("label", ["true", "null", '"spam"', '""', '"NaN"', '"1e999"', "1e101", "[]", "{}"])
async def test_what_is_no_number_is_refused(numbers, label):
    """With the place; the question stays open and nothing is stored."""
    await numbers.post("/v1/streams/n/samples", json={"id": "a", "features": {"x": 1.0}})
    answer = await numbers.post("/v1/streams/n/labels", content=b'{"sample_id": "a", "label": %s}' % label.encode(), headers=HEADERS)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/label"
    assert (await numbers.get("/v1/streams/n")).json()["summary"]["open"] == 1


@pytest.mark.parametrize("label", ["NaN", "Infinity", "1e999"])
async def test_what_is_no_json_number_is_no_json(numbers, label):
    """Refused with the whole body."""
    answer = await numbers.post("/v1/streams/n/labels", content=b'{"sample_id": "a", "label": %s}' % label.encode(), headers=HEADERS)
    assert answer.status_code == 422


async def test_a_task_that_does_not_fit_or_would_change_is_refused(numbers):
    """422 for a model or measure of another task, 409 for another task."""
    for config, pointer in (
        ({"task": "regression", "model": {"type": "logistic"}}, "#/model/type"),
        ({"task": "regression", "query": {"measure": "entropy"}}, "#/query/measure"),
        ({"model": {"type": "linear"}}, "#/model/type"),
    ):
        answer = await numbers.put("/v1/streams/new", json=config)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await numbers.put("/v1/streams/n", json={})).status_code == 409


async def test_batches_of_labels_are_numbers_too(numbers):
    """A line an answer; a bad one gets its problem."""
    lines = [{"sample_id": f"b{number}", "label": label, "features": {"x": number}} for number, label in enumerate((1, 2.5, "x", "4"))]
    answer = await numbers.post(
        "/v1/streams/n/labels", content="\n".join(map(json.dumps, lines)), headers={"Content-Type": "application/x-ndjson"}
    )
    assert [line.get("outcome", line.get("status")) for line in map(json.loads, answer.text.splitlines())] == [
        "learned",
        "learned",
        422,
        "learned",
    ]


async def test_openapi_knows_both_kinds_of_predictions(numbers):
    """A prediction is one of two shapes, and so is an evaluation."""
    schemas = (await numbers.get("/openapi.json")).json()["components"]["schemas"]
    assert {"Forecast", "Prediction", "Errors", "ErrorsEvaluation", "Evaluation"} <= schemas.keys()
    assert len(schemas["SampleOut"]["properties"]["prediction"]["anyOf"]) == 2


async def test_the_gauges_of_errors_follow(numbers):
    """They say what the window says; accuracy has no series of this stream."""
    await taught(numbers, 60)
    appraisal, live = numbers.house.engine.appraisal, numbers.house.engine.streams["n"]
    appraisal.forget("n")  # so that it is looked at now and not in ten seconds
    appraisal.look(live)
    window = (await numbers.get("/v1/streams/n/evaluation")).json()["window"]
    families = {family.name: family for family in text_string_to_metric_families((await numbers.get("/metrics")).text)}
    shown = [families[f"askwhen_absolute_error_{end}"].samples[0].value for end in ("low", "estimate", "high")]

    assert shown == [window["low"], window["mae"], window["high"]]
    assert families["askwhen_accuracy_estimate"].samples == []
