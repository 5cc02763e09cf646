"""GET …/evaluation over the real app: the contract's shape, nulls with a reason, and the gauges that follow it."""

import asyncio
import random

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from service.core.evaluation import view

PATH = "/v1/streams/s/evaluation"
FIGURES = {"n", "covers", "asked", "answered", "accuracy", "low", "high", "naive", "effective", "macro_f1", "kappa", "log_loss", "reason"}


async def traffic(client, count, *, answered=True):
    """Samples of two countries; what is asked is answered."""
    chance = random.Random(1)
    for number in range(count):
        x = chance.gauss(0, 1)
        sample = {"id": f"{number}", "features": {"x": x, "country": chance.choice(["DE", "FR"])}}
        asked = (await client.post("/v1/streams/s/samples", json=sample)).json()["query"]["ask"]
        if asked and answered:
            await client.post("/v1/streams/s/labels", json={"sample_id": f"{number}", "label": "pos" if x > 0 else "neg"})


async def evaluation(client):
    """What is said."""
    answer = await client.get(PATH)
    assert answer.status_code == 200
    return answer.json()


async def test_it_has_the_shape_of_the_contract(client):
    """All fields of API.md, for windows and the whole, by class and slice, with money and savings."""
    await client.put("/v1/streams/s", json={"budget": {"rate": 0.5, "price": 0.4, "currency": "EUR"}, "slices": ["country"]})
    await traffic(client, 300)
    told = await evaluation(client)

    assert told.keys() == {"covers", "window", "recent", "total", "classes", "slices", "spent", "saved"}
    assert told["window"].keys() == told["recent"].keys() == told["total"].keys() == FIGURES
    assert told["window"]["reason"] is None
    assert told["window"]["low"] <= told["window"]["accuracy"] <= told["window"]["high"]
    assert told["total"]["low"] <= told["total"]["accuracy"] <= told["total"]["high"]
    assert (told["covers"], told["window"]["n"]) == (1.0, 300)
    assert told["slices"]["country"].keys() == {"DE", "FR"}
    assert told["classes"].keys() == {"pos", "neg"}
    assert told["spent"] == {
        "labels": told["total"]["answered"],
        "money": pytest.approx(0.4 * told["total"]["answered"]),
        "currency": "EUR",
    }
    assert told["saved"].keys() == {"random", "labels", "low", "high", "money", "reason"}


async def test_before_anything_came_it_claims_nothing(client):
    """Every figure is null, and the reason is said."""
    told = await evaluation(client)

    assert {told[stretch]["reason"] for stretch in ("window", "recent", "total")} == {"no samples"}
    assert told["window"]["accuracy"] is told["window"]["low"] is told["window"]["naive"] is told["spent"]["money"] is None


async def test_what_is_not_covered_is_not_claimed(client):
    """With a cap that is reached after 20 questions most of the traffic had no chance."""
    await client.put("/v1/streams/s", json={"budget": {"rate": 1.0, "labels": 20, "per": "total"}})
    await traffic(client, 100)
    told = await evaluation(client)

    assert told["covers"] == 0.2
    assert (told["window"]["reason"], told["window"]["accuracy"]) == ("not covered", None)
    assert (told["window"]["asked"], told["window"]["answered"]) == (20, 20)


async def test_answers_that_are_missing_are_reported(client):
    """Asked and not answered is not counted as right or wrong."""
    await traffic(client, 50, answered=False)
    told = await evaluation(client)

    assert (told["window"]["asked"], told["window"]["answered"], told["window"]["reason"]) == (50, 0, "too few labels")


async def test_an_erased_sample_leaves_the_figures(client):
    """It was asked, and no longer answered."""
    await traffic(client, 60)
    before = await evaluation(client)
    await client.delete("/v1/streams/s/samples/7")
    after = await evaluation(client)

    assert (before["total"]["answered"], after["total"]["answered"]) == (60, 59)
    assert after["total"]["asked"] == 60


async def test_an_unknown_stream_is_404(client):
    """A problem, as everywhere."""
    answer = await client.get("/v1/streams/nowhere/evaluation")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_gauges_follow_and_end_with_the_stream(client):
    """None before anything can be claimed, then what the window says, none after the stream is deleted."""

    async def gauges():
        families = {family.name: family for family in parse((await client.get("/metrics")).text)}
        ends = [families[f"askwhen_accuracy_{end}"].samples for end in ("low", "estimate", "high")]
        return [sample.value for samples in ends for sample in samples]

    appraisal, live = client.house.engine.appraisal, client.house.engine.streams["s"]
    before = await gauges()
    await traffic(client, 60)
    appraisal.forget("s")  # so that it is looked at now and not in ten seconds
    appraisal.look(live)
    told, shown = await evaluation(client), await gauges()
    await client.delete("/v1/streams/s")

    assert before == await gauges() == []
    assert shown == [told["window"]["low"], told["window"]["accuracy"], told["window"]["high"]]


async def test_slices_that_change_while_a_history_is_copied_are_those_told(client, monkeypatch):
    """What was copied under the old ones is copied again, and the loop had its turns meanwhile."""
    monkeypatch.setattr(view, "HISTORY", 20)
    monkeypatch.setattr(view, "_PIECE", 10)
    await client.put("/v1/streams/s", json={"budget": {"rate": 1.0}, "slices": ["country"]})
    await traffic(client, 100)
    looking = asyncio.create_task(client.house.engine.appraisal.evaluation("s"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    client.house.learner().evidence.divide(["x"])
    told = await looking

    assert told.slices.keys() == {"x"}
    assert told.total.answered == len(client.house.learner().evidence)
