"""The contract over HTTP: shapes, statuses, and an error that points at the place."""

import json

import httpx
import pytest

from service.adapters.prometheus import metrics
from service.api.app import create_app
from service.api.intake import Limits
from service.guard import Guard

JSON = {"Content-Type": "application/json"}
MAX_BODY = 10_000


@pytest.fixture
async def client(build):
    """A client of an app over fakes, with a stream `s` that asks about everything; `client.house` is what stands behind it."""
    house = build()
    observer, render = metrics(house.engine.learners)
    house.engine.flow._observers = [house.observer, observer]
    app = create_app(house.engine, Guard(), render, limits=Limits(body=MAX_BODY))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as made:
        made.house = house
        (await made.put("/v1/streams/s", json={"budget": {"rate": 1.0, "burst": 100}})).raise_for_status()
        yield made


async def test_a_stream_is_created_shown_changed_listed_and_deleted(client):
    """The life of a stream."""
    created = await client.put("/v1/streams/t", json={})
    replaced = await client.put("/v1/streams/t", json={"exploration": 0.5})
    patched = await client.patch("/v1/streams/t", json={"budget": {"rate": 0.2}})
    shown = await client.get("/v1/streams/t")
    listed = await client.get("/v1/streams")
    deleted = await client.delete("/v1/streams/t")
    gone = await client.get("/v1/streams/t")

    assert [answer.status_code for answer in (created, replaced, patched, shown, listed, deleted, gone)] == [
        201,
        200,
        200,
        200,
        200,
        204,
        404,
    ]
    assert patched.json()["config"]["budget"]["rate"] == 0.2
    assert patched.json()["config"]["exploration"] == 0.5
    assert [stream["stream"] for stream in listed.json()["streams"]] == ["s", "t"]
    assert "secret" not in created.text
    assert (await client.put("/v1/streams/t", json=shown.json()["config"])).json()["config"] == shown.json()["config"]


async def test_a_patch_with_another_rule_begins_with_its_own_parameters(client):
    """Parameters of one rule are not carried over to another."""
    patched = await client.patch("/v1/streams/s", json={"query": {"rule": "split"}})

    assert patched.json()["config"]["query"] == {"rule": "split", "measure": "margin", "params": {"step": 0.01, "share": 0.1}}


async def test_a_sample_gets_the_shape_of_the_contract(client):
    """The answer to a sample has the fields that upstream services build on."""
    answer = await client.post(
        "/v1/streams/s/samples", json={"id": "evt_001", "features": {"amount": 12.5, "country": "DE"}, "time": "2026-11-22T10:00:00Z"}
    )
    body = answer.json()

    assert answer.status_code == 200
    assert body.keys() >= {"id", "stream", "model_version", "prediction", "query", "replayed"}
    assert body["prediction"] == {"label": None, "confidence": None, "probabilities": {}}
    assert body["query"].keys() >= {"ask", "probability", "reason", "utility", "threshold", "rule", "budget"}
    assert body["query"]["budget"] == {"seen": 1, "asked": 1, "allowed": 101, "open": 1}


async def test_an_id_is_made_where_none_comes(client):
    """A sample without an id gets one that a label can name."""
    made = (await client.post("/v1/streams/s/samples", json={"features": {}})).json()["id"]
    labelled = await client.post("/v1/streams/s/labels", json={"sample_id": made, "label": "x"})

    assert labelled.json() == {"sample_id": made, "outcome": "learned", "model_version": 1}


@pytest.mark.parametrize(("label", "text"), [("spam", "spam"), (3, "3"), (True, "true"), ("", ""), (0, "0"), (False, "false")])
async def test_labels_of_every_kind_are_told_as_text(client, label, text):
    """A label's identity is its text, also where it looks like nothing."""
    await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1}})
    outcome = (await client.post("/v1/streams/s/labels", json={"sample_id": "a", "label": label})).json()["outcome"]
    again = (await client.post("/v1/streams/s/labels", json={"sample_id": "a", "label": text})).json()["outcome"]

    assert (outcome, again) == ("learned", "duplicate")
    assert (await client.get("/v1/streams/s/samples/a")).json()["labels"] == [{"labeler": "", "label": text}]


async def test_a_correction_says_that_the_model_is_being_rebuilt(client):
    """Only a correction or a retraction speaks of rebuilding."""
    await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1}})
    first = await client.post("/v1/streams/s/labels", json={"sample_id": "a", "label": "x", "labeler": "u"})
    second = await client.post("/v1/streams/s/labels", json={"sample_id": "a", "label": "y", "labeler": "u"})
    third = await client.delete("/v1/streams/s/labels/a", params={"labeler": "u"})

    assert "rebuilding" not in first.json()
    assert second.json() == {"sample_id": "a", "outcome": "corrected", "model_version": 2, "rebuilding": True}
    assert third.json()["outcome"] == "retracted"


async def test_questions_are_listed_page_by_page(client):
    """A cursor walks through all open questions, each once, in both orders."""
    for number in range(7):
        await client.post("/v1/streams/s/samples", json={"id": f"q{number}", "features": {"x": number}})
    for order in ("oldest", "utility"):
        seen, cursor = [], None
        while True:
            parameters = {"order": order, "limit": 3} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/v1/streams/s/queries", params=parameters)).json()
            seen += [query["sample_id"] for query in page["queries"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert sorted(seen) == [f"q{number}" for number in range(7)]
    assert page["queries"][0].keys() == {"sample_id", "features", "prediction", "utility", "reason", "asked_at", "expires_at", "lease"}


async def test_an_id_with_slashes_and_spaces_is_found(client):
    """Ids are the caller's own."""
    await client.post("/v1/streams/s/samples", json={"id": "a/b c?", "features": {"x": 1}})

    assert (await client.get("/v1/streams/s/samples/a%2Fb%20c%3F")).json()["question"]["state"] == "open"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "pointer"),
    [
        ("POST", "/v1/streams/s/samples", b"", 422, "#"),
        ("POST", "/v1/streams/s/samples", b"{", 422, "#"),
        ("POST", "/v1/streams/s/samples", b"[]", 422, "#"),
        ("POST", "/v1/streams/s/samples", b"null", 422, "#"),
        ("POST", "/v1/streams/s/samples", b"{}", 422, "#"),
        ("POST", "/v1/streams/s/samples", b"\xff\xfe", 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": NaN}}', 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": Infinity}}', 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": 1e999}}', 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": 1e101}}', 422, "#/features/x"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": [1]}}', 422, "#/features/x"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": {"y": 1}}}', 422, "#/features/x"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": 1, "x": 2}}', 422, "#/features/x"),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": "\\ud800"}}', 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features": 1}', 422, "#/features"),
        ("POST", "/v1/streams/s/samples", b'{"features": {}, "id": 7}', 422, "#/id"),
        ("POST", "/v1/streams/s/samples", b'{"features": {}, "id": ""}', 422, "#/id"),
        ("POST", "/v1/streams/s/samples", b'{"features": {}, "id": "a\\u0007"}', 422, "#/id"),
        ("POST", "/v1/streams/s/samples", b'{"features": {}, "time": "yesterday"}', 422, "#/time"),
        ("POST", "/v1/streams/s/samples", b'{"features": {}, "fields": 1}', 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features": {}, "probabilities": {"a": 1}}', 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features":' + b"[" * 3_000 + b"]" * 3_000 + b"}", 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features":{"x":' + b"[" * 600 + b"]" * 600 + b"}}", 422, "#"),
        ("POST", "/v1/streams/s/samples", b'{"features": {}, "time": "0001-01-01T00:00:00+01:00"}', 422, "#/time"),
        ("PUT", "/v1/streams/t", b'{"model": {"params": {"l2": 1' + b"0" * 400 + b"}}}", 422, "#/model/params/l2"),
        (
            "PUT",
            "/v1/streams/t",
            b'{"model": {"pipeline": [{"class": "linear_model.LogisticRegression", "params": {"l2": 1' + b"0" * 400 + b"}}]}}",
            422,
            "#/model/pipeline/0/params/l2",
        ),
        ("POST", "/v1/streams/s/samples", b'{"features": {"x": "' + b"y" * MAX_BODY + b'"}}', 413, None),
        ("POST", "/v1/streams/none/samples", b'{"features": {}}', 404, None),
        ("POST", "/v1/streams/s/labels", b'{"sample_id": "a"}', 422, "#"),
        ("POST", "/v1/streams/s/labels", b'{"sample_id": "a", "label": null}', 422, "#/label"),
        ("POST", "/v1/streams/s/labels", b'{"sample_id": "a", "label": 0.5}', 422, "#/label"),
        ("POST", "/v1/streams/s/labels", b'{"sample_id": "", "label": 1}', 422, "#/sample_id"),
        ("POST", "/v1/streams/s/labels", b'{"sample_id": "ghost", "label": 1}', 404, None),
        ("POST", "/v1/streams/none/labels", b'{"sample_id": "a", "label": 1}', 404, None),
        ("DELETE", "/v1/streams/s/labels/ghost", b"", 404, None),
        ("GET", "/v1/streams/s/samples/ghost", b"", 404, None),
        ("GET", "/v1/streams/s/queries?limit=0", b"", 422, "#/query/limit"),
        ("GET", "/v1/streams/s/queries?order=best", b"", 422, "#/query/order"),
        ("GET", "/v1/streams/s/queries?cursor=%25", b"", 422, "#/cursor"),
        ("GET", "/v1/streams/none", b"", 404, None),
        ("PUT", "/v1/streams/Upper", b"{}", 422, "#/stream"),
        ("PUT", "/v1/streams/" + "x" * 64, b"{}", 422, "#/stream"),
        ("PUT", "/v1/streams/t", b'{"budget": {"rate": 7}}', 422, "#/budget/rate"),
        ("PUT", "/v1/streams/t", b'{"model": {"type": "gpt"}}', 422, "#/model/type"),
        ("PATCH", "/v1/streams/s", b'{"budget": {"rate": -1}}', 422, "#/budget/rate"),
        ("PATCH", "/v1/streams/none", b"{}", 404, None),
        ("DELETE", "/v1/streams/none", b"", 404, None),
        ("GET", "/v1/nothing", b"", 404, None),
        ("POST", "/v1/streams", b"{}", 405, None),
    ],
)
async def test_bad_requests_get_a_problem_that_points_at_the_place(client, method, path, body, status, pointer):
    """Every error is RFC 9457 problem details; nothing is stored and the service goes on."""
    before = len(list(client.house.log.read("s", 0, 2**62)))
    answer = await client.request(method, path, content=body, headers=JSON)
    problem = answer.json()

    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() >= {"type", "title", "status", "detail", "instance"}
    assert pointer is None or problem["errors"][0]["pointer"].startswith(pointer)
    assert len(list(client.house.log.read("s", 0, 2**62))) == before
    assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
async def test_other_media_types_are_refused(client, media_type):
    """The body must say that it is JSON."""
    answer = await client.post("/v1/streams/s/samples", content=b'{"features": {}}', headers={"Content-Type": media_type})

    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["detail"]


async def test_the_same_id_with_other_features_is_409(client):
    """An id stands for one sample."""
    await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1}})

    assert (await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 2}})).status_code == 409


async def test_a_full_disk_is_507_for_labels_with_retry_after(client):
    """A label that cannot be stored is refused, with a hint when to come back."""
    await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1}})
    client.house.log.full = True
    refused = await client.post("/v1/streams/s/labels", json={"sample_id": "a", "label": 1})
    sample = await client.post("/v1/streams/s/samples", json={"id": "b", "features": {"x": 1}})
    client.house.log.full = False

    assert (refused.status_code, refused.headers["retry-after"]) == (507, "1")
    assert (sample.status_code, sample.json()["query"]["reason"]) == (200, "unavailable")


async def test_a_defect_is_a_problem_too(client):
    """What nobody foresaw is a 500 in the same shape, without its insides."""
    client.house.flow._memory = None
    answer = await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1}})

    assert answer.status_code == 500
    assert "NoneType" not in answer.text


async def test_every_path_is_documented_with_its_shapes(client):
    """OpenAPI names the types of requests, answers and errors, and every reference leads somewhere."""
    document = (await client.get("/openapi.json")).json()
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    sample = document["paths"]["/v1/streams/{stream}/samples"]["post"]

    assert names <= document["components"]["schemas"].keys()
    assert sample["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/SampleIn"}
    assert sample["responses"]["409"]["content"].keys() == {"application/problem+json"}
    assert (await client.get("/docs")).status_code == 200


async def test_metrics_come_in_both_formats_and_count(client):
    """Prometheus' text by default, OpenMetrics by negotiation; the figures are those of the stream."""
    await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1}})
    await client.post("/v1/streams/s/labels", json={"sample_id": "a", "label": 1})
    plain = await client.get("/metrics")
    opened = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.headers["content-type"].startswith("text/plain")
    assert 'askwhen_labels_total{outcome="learned",stream="s"} 1.0' in plain.text
    assert 'askwhen_samples_total{stream="s"} 1.0' in plain.text
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert opened.text.endswith("# EOF\n")


async def test_the_catalogue_and_health_answer(client):
    """What may be chosen, and that the server lives."""
    catalogue = (await client.get("/v1/catalogue")).json()

    assert {"logistic", "text", "knn"} <= catalogue["models"].keys()
    assert {"logit", "random"} <= catalogue["rules"].keys()
    assert (await client.get("/livez")).json() == {"status": "ok"}
