"""Every way in: CloudEvents, KServe's payload logger, NDJSON, keys that stand in for ids, traces."""

import asyncio
import base64
import json

import pytest

NDJSON = {"Content-Type": "application/x-ndjson"}
EVENT = {"Content-Type": "application/cloudevents+json"}
EVENTS = {"Content-Type": "application/cloudevents-batch+json"}
SAMPLES, LABELS = "/v1/streams/s/samples", "/v1/streams/s/labels"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(data, **attributes):
    """A CloudEvent in structured mode."""
    return {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order", "data": data, **attributes}


async def features_of(client, sample_id):
    """The features that a question holds."""
    queries = (await client.get("/v1/streams/s/queries", params={"limit": 500})).json()["queries"]
    return next(query["features"] for query in queries if query["sample_id"] == sample_id)


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (event({"features": {"x": 1}}), EVENT),
        (event({"features": {"x": 1}, "id": None}, comexampleextension="kept nowhere"), EVENT),
        (event({"features": {"x": 1}}, datacontenttype="application/vnd.shop+json; charset=utf-8"), EVENT),
        ({**event(None), "data": None} | {"data_base64": base64.b64encode(b'{"features": {"x": 1}}').decode()}, EVENT),
        (
            {"features": {"x": 1}},
            {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "e1", "ce-source": "/", "ce-type": "t"},
        ),
        ({"features": {"x": 1}}, {"Content-Type": "application/json", "Idempotency-Key": "e1"}),
        ({"features": {"x": 1}}, {"Content-Type": "application/json", "Idempotency-Key": '"e1"'}),
        ({"features": {"x": 1}, "id": "e1"}, {"Content-Type": "application/json; charset=UTF-8", "Idempotency-Key": "other"}),
    ],
    ids=["structured", "extension", "vendor type", "base64", "binary", "key", "quoted key", "own id"],
)
async def test_a_sample_comes_in_with_the_id_around_it(client, content, headers):
    """An event's id or the request's key is the sample's, unless it has its own; the same again is a replay."""
    if content.get("data", 1) is None:
        del content["data"]
    body = json.dumps(content).encode()
    first = (await client.post(SAMPLES, content=body, headers=headers)).json()
    second = (await client.post(SAMPLES, content=body, headers=headers)).json()

    assert (first["id"], first["replayed"], second["replayed"]) == ("e1", False, True)
    assert await features_of(client, "e1") == {"x": 1}


async def test_an_events_attributes_are_percent_decoded(client):
    """Binary mode has headers, which carry no other scripts."""
    headers = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "order%20%E2%82%AC", "ce-source": "/", "ce-type": "t"}
    answer = await client.post(SAMPLES, content=b'{"features": {}}', headers=headers)

    assert answer.json()["id"] == "order \u20ac"


async def test_a_batch_of_events_is_answered_in_its_order(client):
    """One array, an answer an event."""
    events = [event({"features": {"x": n}}, id=f"e{n}") for n in range(5)]
    answer = await client.post(SAMPLES, content=json.dumps(events).encode(), headers=EVENTS)

    assert answer.headers["content-type"] == "application/json"
    assert [one["id"] for one in answer.json()] == [f"e{n}" for n in range(5)]
    assert (await client.post(SAMPLES, content=b"[]", headers=EVENTS)).json() == []


async def test_labels_come_as_events_too(client):
    """An event's id stands for the sample's; its time is when the label was given."""
    for number in range(3):
        await client.post(SAMPLES, json={"id": f"e{number}", "features": {"x": number}})
    one = event({"label": "a"}, id="e0", time="2026-11-22T10:00:00+01:00")
    structured = await client.post(LABELS, content=json.dumps(one).encode(), headers=EVENT)
    several = await client.post(LABELS, content=json.dumps([event({"sample_id": "e1", "label": "b"}, id="other")]).encode(), headers=EVENTS)
    attributes = {"ce-specversion": "1.0", "ce-id": "e2", "ce-source": "/", "ce-type": "t", "Content-Type": "application/json"}
    binary = await client.post(LABELS, content=b'{"label": true}', headers=attributes)

    assert structured.json() == {"sample_id": "e0", "outcome": "learned", "model_version": 1}
    assert [told["sample_id"] for told in several.json()] == ["e1"]
    assert binary.json()["sample_id"] == "e2"
    labelled = [event for _, event in client.house.log.read("s", 0, 2**62) if type(event).__name__ == "Labelled"]
    assert [event.labeled_at for event in labelled] == ["2026-11-22T09:00:00Z", None, None]


async def test_an_idempotency_key_is_no_labels_sample(client):
    """A label says whom it is about."""
    answer = await client.post(LABELS, json={"label": "a", "features": {}}, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/sample_id")


LOGGED = "org.kubeflow.serving.inference."


@pytest.mark.parametrize(
    ("data", "features"),
    [
        ({"instances": [{"amount": 1.5, "country": "DE"}]}, [{"amount": 1.5, "country": "DE"}]),
        ({"instances": [[6.8, 2.8], [5.1, 3.5]]}, [{"0": 6.8, "1": 2.8}, {"0": 5.1, "1": 3.5}]),
        ({"instances": ["a text"], "parameters": {}}, [{"0": "a text"}]),
        (
            {"id": "42", "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1.0, 2.0, 3.0, 4.0]}]},
            [{"x.0": 1.0, "x.1": 2.0}, {"x.0": 3.0, "x.1": 4.0}],
        ),
        (
            {"inputs": [{"name": "a", "shape": [2], "data": [[1], [2]]}, {"name": "b", "shape": [2, 1], "data": ["u", "v"]}]},
            [{"a": 1, "b": "u"}, {"a": 2, "b": "v"}],
        ),
    ],
    ids=["V1 named", "V1 lists", "V1 text", "V2 matrix", "V2 columns"],
)
async def test_kserves_payload_logger_sends_its_requests_unchanged(client, data, features):
    """Binary events as the logger makes them; one answer a sample, ids that a second delivery finds again."""
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "call-1",
        "ce-source": "http://localhost:9081/",
        "ce-type": LOGGED + "request",
        "ce-time": "2026-11-22T10:00:00Z",
        "ce-inferenceservicename": "fraud",
        "ce-namespace": "default",
    }
    answer = (await client.post(SAMPLES, content=json.dumps(data).encode(), headers=headers)).json()
    again = (await client.post(SAMPLES, content=json.dumps(data).encode(), headers=headers)).json()
    told, repeated = (answer, again) if len(features) > 1 else ([answer], [again])
    ids = ["call-1"] if len(features) == 1 else [f"call-1-{place}" for place in range(len(features))]

    assert [one["id"] for one in told] == ids
    assert all(one["replayed"] for one in repeated)
    assert [await features_of(client, sample_id) for sample_id in ids] == features


async def test_kserves_responses_are_acknowledged_and_carry_nothing(client):
    """The logger sends both to one address, and would send again what is refused."""
    answer = await client.post(SAMPLES, content=json.dumps(event({"predictions": [1]}, type=LOGGED + "response")).encode(), headers=EVENT)

    assert answer.json() == {"id": "e1", "ignored": "only requests carry samples"}
    assert (await client.get("/v1/streams/s")).json()["summary"]["seen"] == 0


async def test_a_batch_of_inference_requests_keeps_within_the_limit_of_objects(client):
    """Samples count, not events; each event answers in its place."""
    calls = [event({"instances": [[n]] * 20}, id=f"c{n}", type=LOGGED + "request") for n in range(3)]
    answer = (await client.post(SAMPLES, content=json.dumps(calls).encode(), headers=EVENTS)).json()

    assert [len(answer[0]), len(answer[1]), answer[2]["status"]] == [20, 20, 413]
    assert (await client.get("/v1/streams/s")).json()["summary"]["seen"] == 40


async def test_lines_are_answered_in_their_order_and_blank_ones_not_at_all(client):
    """Whether asked or not, decided or replayed."""
    lines = [b'{"id": "a", "features": {"x": 1}}', b"", b'{"features": {"x": 2}}\r', b"  ", b'{"id": "a", "features": {"x": 1}}', b""]
    answer = await client.post(SAMPLES, content=b"\n".join(lines), headers={**NDJSON, "Idempotency-Key": "key"})
    told = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [one["id"] for one in told] == ["a", "key-1", "a"]
    assert [one["replayed"] for one in told] == [False, False, True]
    assert (await client.post(SAMPLES, content=b"\n\n", headers=NDJSON)).content == b""


@pytest.mark.parametrize("way", ["header", "structured", "binary"])
async def test_time_and_trace_are_kept_with_the_question(client, way):
    """Whoever looks at a question finds the request that brought it."""
    if way == "header":
        body, headers = {"id": "e1", "features": {}, "time": "2026-11-22T11:00:00+01:00"}, {"traceparent": TRACE}
    elif way == "structured":
        body, headers = event({"features": {}}, time="2026-11-22T10:00:00Z", traceparent=TRACE), EVENT
    else:
        body = {"features": {}}
        headers = {"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "/", "ce-type": "t", "ce-time": "2026-11-22T10:00:00Z"}
        headers["ce-traceparent"] = TRACE
    content = {"Content-Type": "application/json", **headers}
    (await client.post(SAMPLES, content=json.dumps(body).encode(), headers=content)).raise_for_status()
    shown = (await client.get(f"{SAMPLES}/e1")).json()
    listed = (await client.get("/v1/streams/s/queries")).json()["queries"][0]

    for found in (shown["question"], listed):
        assert (found["time"], found["traceparent"]) == ("2026-11-22T10:00:00Z", TRACE)


async def test_a_question_without_time_and_trace_says_so(client):
    """Null, not missing."""
    await client.post(SAMPLES, json={"id": "a", "features": {}})
    shown = (await client.get(f"{SAMPLES}/a")).json()["question"]

    assert (shown["time"], shown["traceparent"]) == (None, None)


async def test_a_long_batch_lets_others_through(client):
    """A request that comes second is answered long before the batch is done."""
    await client.patch("/v1/streams/s", json={"budget": {"rate": 0.0, "burst": 0}})
    client.app._samples._limits = client.app._samples._limits._replace(objects=3_000)
    finished = []

    async def post(name, content, headers):
        (await client.post(SAMPLES, content=content, headers=headers)).raise_for_status()
        finished.append(name)

    lines = b"\n".join(b'{"features": {"x": %d, "k": "v%d"}}' % (n, n) for n in range(3_000))
    batch = asyncio.create_task(post("batch", lines, NDJSON))
    await asyncio.sleep(0)
    for name in range(5):
        await post(name, b'{"features": {"x": 1}}', {"Content-Type": "application/json"})
    await batch

    assert finished == [0, 1, 2, 3, 4, "batch"]
