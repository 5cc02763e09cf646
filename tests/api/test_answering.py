"""Which model of several answers, as a reader of the stream and a scraper are told."""

import random

from prometheus_client.parser import text_string_to_metric_families as families


async def rings(client, count):
    """A stream that no plane divides, every sample of which is asked and answered."""
    rng = random.Random(1)
    for number in range(count):
        x, y = rng.uniform(-1, 1), rng.uniform(-1, 1)
        await client.post("/v1/streams/s/samples", json={"id": str(number), "features": {"x": x, "y": y}})
        await client.post("/v1/streams/s/labels", json={"sample_id": str(number), "label": x * x + y * y < 0.6})


async def test_the_summary_tells_who_answers_since_when_and_why(client):
    """First the one that is trusted most, then the one that was found to be better."""
    first = (await client.get("/v1/streams/s")).json()["summary"]["answering"]
    await rings(client, 150)
    later = (await client.get("/v1/streams/s")).json()["summary"]["answering"]
    standings = {one["model"]: one for one in later["candidates"]}

    assert (first["model"], first["since"], [one["accuracy"] for one in first["candidates"]]) == ("logistic", 0, [None] * 4)
    assert later["model"] in {"knn", "naive-bayes", "hoeffding-tree"}
    assert later["since"] >= 20
    assert "took over" in later["why"]
    assert standings[later["model"]]["accuracy"] > standings["logistic"]["accuracy"] + 0.1
    assert standings["logistic"]["labels"] > 50


async def test_a_stream_of_one_model_has_nothing_to_tell(client):
    """It is left out there."""
    made = await client.put("/v1/streams/one", json={"model": {"type": "logistic"}})

    assert "answering" not in made.json()["summary"]


async def test_a_metric_says_who_answers(client):
    """One series a candidate, 1 for the one that answers."""
    await rings(client, 150)
    found = {family.name: family for family in families((await client.get("/metrics")).text)}["askwhen_answering_model"]

    answering = (await client.get("/v1/streams/s")).json()["summary"]["answering"]["model"]

    assert answering != "logistic"
    assert {sample.labels["model"]: sample.value for sample in found.samples} == {
        name: float(name == answering) for name in ("logistic", "knn", "naive-bayes", "hoeffding-tree")
    }


async def test_the_catalogue_names_it(client):
    """With what it is."""
    assert "best of them answers" in (await client.get("/v1/catalogue")).json()["models"]["auto"]["about"]
