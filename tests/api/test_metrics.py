"""Metrics as a scraper reads them: every line parses, histograms add up, and nothing that a caller makes up becomes a label."""

import math
from collections import defaultdict
from typing import get_args

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from service.core.records import Reason

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
SAMPLES, LABELS = "/v1/streams/s/samples", "/v1/streams/s/labels"


async def some_traffic(client):
    """Questions, answers, replays, refusals, and samples that the budget refuses."""
    for number in range(30):
        await client.post(SAMPLES, json={"id": f"order-{number}", "features": {f"feature-{number}": number}})
    await client.patch("/v1/streams/s", json={"budget": {"rate": 0.0, "burst": 0}})
    for number in range(25, 60):
        await client.post(SAMPLES, json={"id": f"order-{number}", "features": {f"feature-{number}": number}})
    for number in range(5):
        await client.post(LABELS, json={"sample_id": f"order-{number}", "label": f"class-{number}", "labeler": f"person-{number}"})
    for path in (LABELS, "/v1/streams/nowhere/samples", "/v1/nothing-42", "/v1/streams/s/samples/ghost-7"):
        await client.post(path, json={"sample_id": "ghost", "label": 1})
    await client.request("BREW", "/v1/streams/s")


async def families(client, headers, parse):
    """All families of a scrape by name."""
    return {family.name: family for family in parse((await client.get("/metrics", headers=headers)).text)}


def value(family, **labels):
    """The value of the one sample with these labels."""
    (found,) = [
        sample.value for sample in family.samples if labels.items() <= sample.labels.items() and not sample.name.endswith("_created")
    ]
    return found


@pytest.mark.parametrize(("headers", "parse"), [({}, plain), (OPENMETRICS, openmetrics)], ids=["text", "OpenMetrics"])
async def test_histograms_are_well_formed(client, headers, parse):
    """Cumulative buckets that end with all of them, and a sum, for every set of labels."""
    await some_traffic(client)
    found = await families(client, headers, parse)
    histograms = [family for family in found.values() if family.type == "histogram" and family.samples]

    assert {"askwhen_decision_seconds", "askwhen_label_delay_seconds"} <= {family.name for family in histograms}
    for family in histograms:
        buckets, rest = defaultdict(list), {}
        for sample in family.samples:
            key = tuple(sorted(item for item in sample.labels.items() if item[0] != "le"))
            if sample.name.endswith("_bucket"):
                buckets[key].append((float(sample.labels["le"]), sample.value))
            else:
                rest[sample.name.removeprefix(family.name), key] = sample.value
        for key, pairs in buckets.items():
            assert pairs == sorted(pairs)
            assert [count for _, count in pairs] == sorted(count for _, count in pairs)
            assert pairs[-1] == (math.inf, rest["_count", key])
            assert rest["_sum", key] >= 0


async def test_decisions_and_refusals_are_counted_by_their_words(client):
    """Every sample once, by its reason; replays and refusals apart."""
    await some_traffic(client)
    found = await families(client, {}, plain)
    decisions = {sample.labels["reason"]: sample.value for sample in found["askwhen_decisions"].samples}

    assert sum(decisions.values()) == 60
    assert decisions.keys() <= set(get_args(Reason))
    assert value(found["askwhen_decision_seconds"], le="+Inf") == 60
    assert value(found["askwhen_replays"], stream="s") == 5
    assert value(found["askwhen_labels"], outcome="learned") == 5
    assert {sample.labels["status"]: sample.value for sample in found["askwhen_refusals"].samples if sample.name.endswith("_total")} == {
        "404": 2.0,
        "405": 2.0,
        "422": 1.0,
    }


async def test_nothing_that_a_caller_makes_up_becomes_a_label(client):
    """The number of series does not grow with ids, features, classes, labelers or paths; a deleted stream's end."""
    for _ in range(2):
        await some_traffic(client)
    first = (await client.get("/metrics")).text
    await some_traffic(client)
    second = (await client.get("/metrics")).text
    await client.delete("/v1/streams/s")
    third = (await client.get("/metrics")).text

    assert len(first.splitlines()) == len(second.splitlines())
    assert not any(word in second for word in ("order-", "feature-", "class-", "person-", "ghost", "nowhere", "nothing"))
    assert 'stream="s"' not in third


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=9.9.9.x", "application/openmetrics-text;version=", "*/*;q=x", ";;,,", "\x7f"]
)
async def test_a_wild_accept_header_gets_some_format(client, accept):
    """A scrape is never refused for it."""
    answer = await client.get("/metrics", headers={"Accept": accept})

    assert answer.status_code == 200
    assert "askwhen_build_info" in answer.text
