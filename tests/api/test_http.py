"""The contract over HTTP: shapes, statuses, and an error that points at the place."""

import json
import re

import pytest


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

    query = patched.json()["config"]["query"]
    assert (query["rule"], query["measure"], query["params"]) == ("split", "margin", {"step": 0.01, "share": 0.1})


async def test_a_patch_with_another_measure_begins_with_its_own_parameters(client):
    """Parameters of one measure are not carried over to another."""
    await client.patch("/v1/streams/s", json={"query": {"measure": "density", "measure_params": {"beta": 2}}})
    patched = await client.patch("/v1/streams/s", json={"query": {"measure": "committee"}})

    assert patched.json()["config"]["query"]["measure_params"] == {"members": 5}


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
    assert page["queries"][0].keys() == {
        "sample_id",
        "features",
        "prediction",
        "utility",
        "reason",
        "asked_at",
        "expires_at",
        "time",
        "traceparent",
        "lease",
    }


async def test_an_id_with_slashes_and_spaces_is_found(client):
    """Ids are the caller's own."""
    await client.post("/v1/streams/s/samples", json={"id": "a/b c?", "features": {"x": 1}})

    assert (await client.get("/v1/streams/s/samples/a%2Fb%20c%3F")).json()["question"]["state"] == "open"


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


async def test_the_documentation_loads_nothing_from_elsewhere(client):
    """The page works where there is no network: what it names is served here."""
    page = (await client.get("/docs")).text
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)

    assert loaded
    assert [(await client.get(target)).status_code for target in loaded] == [200] * len(loaded)


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


async def test_a_sample_is_erased(client):
    """The same answer however often it is sent; then a lookup says that it was there, and nothing of it comes in again."""
    await client.post("/v1/streams/s/samples", json={"id": "a/b", "features": {"x": 1}})
    labelled = await client.post("/v1/streams/s/labels", json={"sample_id": "a/b", "label": "ok"})
    erased = [await client.delete("/v1/streams/s/samples/a/b") for _ in range(2)]
    await client.house.settled()
    held = (await client.get("/v1/streams/s/samples/a/b")).json()
    refused = await client.post("/v1/streams/s/labels", json={"sample_id": "a/b", "label": "ok"})
    metrics = (await client.get("/metrics")).text

    assert labelled.json()["outcome"] == "learned"
    assert {answer.status_code for answer in erased} == {200}
    assert erased[0].json() == {"sample_id": "a/b", "outcome": "erased", "model_version": 1, "rebuilding": True}
    assert (held["erased"], held["prediction"], held["labels"], held["question"]["state"]) == (True, None, [], "erased")
    assert (refused.status_code, "erased" in refused.json()["detail"]) == (409, True)
    assert 'askwhen_erased_total{stream="s"} 1.0' in metrics


async def test_a_sample_that_was_not_asked_is_erased_without_a_question(client):
    """It is remembered that it was there, and nothing else."""
    await client.put("/v1/streams/quiet", json={"budget": {"rate": 0, "burst": 0}})
    await client.post("/v1/streams/quiet/samples", json={"id": "a", "features": {"x": 1}})
    erased = await client.delete("/v1/streams/quiet/samples/a")
    held = (await client.get("/v1/streams/quiet/samples/a")).json()

    assert erased.json() == {"sample_id": "a", "outcome": "erased", "model_version": 0}
    assert (held["erased"], held["query"], held["question"]) == (True, None, None)


async def test_what_nobody_knows_is_not_erased(client):
    """404 for an unknown sample and an unknown stream, and 507 while there is no room to clean up."""
    await client.post("/v1/streams/s/samples", json={"id": "a", "features": {"x": 1}})
    unknown = [await client.delete(path) for path in ("/v1/streams/s/samples/nobody", "/v1/streams/nowhere/samples/a")]
    client.house.log.fail_scrubs = True
    full = await client.delete("/v1/streams/s/samples/a")
    client.house.log.fail_scrubs = False

    assert [answer.status_code for answer in unknown] == [404, 404]
    assert (full.status_code, "retry-after" in full.headers) == (507, True)


@pytest.mark.parametrize("retention", [0, -1, "long", 1e11])
async def test_retention_is_a_number_of_seconds(client, retention):
    """Anything else is pointed at."""
    refused = await client.patch("/v1/streams/s", json={"retention": retention})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/retention")


async def test_questions_are_claimed_skipped_and_released(client):
    """The shapes of the contract, from hand to hand; ids may hold slashes and look like paths."""
    for name in ("a", "b/skip", "claim"):
        await client.post("/v1/streams/s/samples", json={"id": name, "features": {"x": 1}})
    claimed = (await client.post("/v1/streams/s/queries/claim", json={"labeler": "u17", "limit": 2, "lease": 60})).json()
    listed = (await client.get("/v1/streams/s/queries?order=oldest")).json()["queries"]
    skipped = await client.post("/v1/streams/s/queries/b%2Fskip/skip", json={"labeler": "u17", "reason": "unclear"})
    metrics = (await client.get("/metrics")).text
    released = await client.post("/v1/streams/s/queries/a/release", json={"labeler": "u17"})
    left = (await client.post("/v1/streams/s/queries/claim", json={"labeler": "u18"})).json()["queries"]
    taken = await client.post("/v1/streams/s/queries/claim/skip", json={"labeler": "u17"})

    assert [query["sample_id"] for query in claimed["queries"]] == ["a", "b/skip"]
    assert claimed["cursor"] is None
    assert claimed["queries"][0]["lease"] == {"labeler": "u17", "until": "1970-01-12T13:47:40.000000Z"}
    assert [query["lease"] and query["lease"]["labeler"] for query in listed] == ["u17", "u17", None]
    assert claimed["queries"] == listed[:2]
    assert (skipped.status_code, skipped.json()) == (200, {"sample_id": "b/skip", "outcome": "skipped", "model_version": 0})
    assert (released.status_code, released.json()) == (200, {"sample_id": "a", "outcome": "released", "model_version": 0})
    assert [query["sample_id"] for query in left] == ["a", "b/skip", "claim"]
    assert (taken.status_code, "held by 'u18'" in taken.json()["detail"]) == (409, True)
    assert 'askwhen_claimed_questions{stream="s"} 1.0' in metrics
    assert 'askwhen_labels_total{outcome="skipped",stream="s"} 1.0' in metrics
