"""The rule `auto` over the real app: what each candidate wanted stands with the decision, and how they stand with the stream."""

import random

import msgspec
import pytest

from service.client import Stream
from service.core.rules.auto import CANDIDATES


async def test_the_choice_and_its_reasons_are_visible(client):
    """Weights make one, and say why; the client reads them."""
    await client.put("/v1/streams/s", json={"query": {"rule": "auto"}, "budget": {"rate": 0.5}})
    chance = random.Random(1)
    for number in range(200):
        x = chance.gauss(0, 1)
        query = (await client.post("/v1/streams/s/samples", json={"id": f"{number}", "features": {"x": x}})).json()["query"]
        if query["ask"]:
            await client.post("/v1/streams/s/labels", json={"sample_id": f"{number}", "label": "pos" if x > 0 else "neg"})
    answer = await client.get("/v1/streams/s")
    rules = answer.json()["summary"]["rules"]

    assert query["wished"].keys() == rules["candidates"].keys() == set(CANDIDATES)
    assert sum(one["weight"] for one in rules["candidates"].values()) == pytest.approx(1.0)
    assert rules["answers"] >= 30
    assert "over drawing" in rules["reason"]
    metrics = (await client.get("/metrics")).text
    assert all(f'askwhen_rule_share{{rule="{name}",stream="s"}}' in metrics for name in CANDIDATES)
    assert client_of(answer.content).summary.rules.candidates["random"].weight >= 0.05


async def test_other_rules_have_no_candidates(client):
    """Neither a decision nor the summary speaks of any."""
    query = (await client.post("/v1/streams/s/samples", json={"features": {"x": 1.0}})).json()["query"]

    assert "wished" not in query
    assert "rules" not in (await client.get("/v1/streams/s")).json()["summary"]


def client_of(body):
    """A stream as the Python client reads it."""
    return msgspec.json.decode(body, type=Stream)
