"""The laws, where labels are numbers: what was corrected, retracted or erased leaves no trace, and the log rebuilds all of it."""

import random

import pytest

from service.core.errors import Conflict, Invalid
from service.core.events import Labelled
from service.core.freezer import freeze, thaw
from service.core.learner import Learner
from service.core.measures import NUMERIC
from service.core.rebuild import swift
from service.core.regressors import REGRESSORS


async def teach(house, rng, count, prefix="s"):
    """Have questions asked and answered; gives what was answered, by sample."""
    given = {}
    for number in range(count):
        x = {"x": rng.gauss(0, 1), "kind": rng.choice("ab")}
        name, label = f"{prefix}{number}", house.flow.label_text("s", 3.0 * x["x"] + rng.gauss(0, 0.3))
        if (await house.flow.observe("s", name, x)).decision.query.ask:
            await house.flow.label("s", name, label, "u")
            given[name] = label
    return given


async def stream(build, model="linear", measure="gsx"):
    """A house with a regression stream that asks about everything."""
    house = build()
    query = {"rule": "random", "measure": measure}
    await house.administration.put(
        "s", {"task": "regression", "model": {"type": model}, "query": query, "budget": {"rate": 1.0, "burst": 200}}
    )
    return house


@pytest.mark.parametrize("model", REGRESSORS)
async def test_the_log_rebuilds_a_regressor_to_the_bit(build, model):
    """With a correction, a retraction and an erasure on the way, the fold of the log and the state that served are one."""
    house = await stream(build, model)
    rng = random.Random(1)
    given = await teach(house, rng, 60)
    names = list(given)
    assert (await house.flow.label("s", names[3], house.flow.label_text("s", 1e6), "u")).outcome == "corrected"
    await house.settled()
    await teach(house, rng, 30, "later")
    assert (await house.flow.retract("s", names[5], "u")).outcome == "retracted"
    await house.settled()
    assert (await house.flow.erase("s", names[7])).outcome == "erased"
    await house.settled()
    await teach(house, rng, 10, "last")

    learner = house.learner()
    assert house.replayed().fingerprint() == learner.fingerprint()
    assert house.replayed().transcript == learner.transcript
    short_cut = swift(lambda after, upto: house.log.read("s", after, upto))
    assert short_cut.fingerprint() == learner.fingerprint()
    assert Learner.of(thaw(freeze(learner.learned()))).fingerprint() == learner.fingerprint()


@pytest.mark.parametrize("measure", NUMERIC)
async def test_a_corrected_label_leaves_no_trace(build, measure):
    """A wrong label that was corrected is as if it had never been: forecasts, intervals and what learns beside are a twin's."""
    house, twin = await stream(build, measure=measure), await stream(build, measure=measure)
    for one, wrong in ((house, True), (twin, False)):
        rng = random.Random(2)
        for number in range(40):
            x = {"x": rng.gauss(0, 1)}
            label = 2.0 * x["x"] + rng.gauss(0, 0.1)
            await one.flow.observe("s", f"s{number}", x)
            if number != 20:
                await one.flow.label("s", f"s{number}", one.flow.label_text("s", label))
            elif wrong:
                await one.flow.label("s", "s20", one.flow.label_text("s", -1e5))
    assert house.learner().taught.predict({"0": 1.0}) != twin.learner().taught.predict({"0": 1.0})
    for one in (house, twin):
        await one.flow.label("s", "s20", one.flow.label_text("s", 0.5))
    await house.settled()

    vector = next(iter(event.vector for _, event in twin.log.read("s", 0, 999) if isinstance(event, Labelled)))
    assert house.learner().taught.witnessed(vector) == twin.learner().taught.witnessed(vector)


async def test_one_number_is_one_answer(house, build):
    """1 and 1.0 are the same label, so the second is a duplicate; another number corrects it."""
    house = await stream(build)
    await house.flow.observe("s", "a", {"x": 1.0})
    outcomes = [(await house.flow.label("s", "a", house.flow.label_text("s", value), "u")).outcome for value in (1, 1.0, "1", 2)]
    assert outcomes == ["learned", "duplicate", "duplicate", "corrected"]


async def test_a_streams_task_stays(build):
    """Its labels would mean something else; the refusal names it, and the stream goes on."""
    house = await stream(build)
    with pytest.raises(Conflict, match="task"):
        await house.administration.put("s", {})
    with pytest.raises(Conflict, match="task"):
        await house.administration.patch("s", {"task": None, "model": None, "query": None})
    with pytest.raises(Conflict, match="task"):
        await house.administration.patch("s", {"task": "classification"})
    with pytest.raises(Invalid, match="task"):
        await house.administration.patch("s", {"task": ["regression"]})
    assert house.learner().config.task == "regression"


async def test_another_regressor_starts_from_the_labels_there_are(build):
    """As another classifier does; parameters that are left out are the new model's."""
    house = await stream(build)
    await teach(house, random.Random(3), 30)
    await house.administration.patch("s", {"model": {"type": "knn-regressor"}})
    await house.settled()

    assert house.learner().taught.labels == 30
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_a_measure_that_is_reset_is_the_tasks(build):
    """A merge patch's null gives the default of regression, not of classification."""
    house = await stream(build, measure="variance")
    await house.administration.patch("s", {"query": {"measure": None}, "model": None})
    assert house.learner().config.query.measure == "gsx"
    assert house.learner().config.model.type == "linear"
