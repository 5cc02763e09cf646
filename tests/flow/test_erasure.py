"""A person asks to be forgotten, or time does: what is answered, what goes, and what must not come back."""

import asyncio
import struct

import numpy as np
import pytest

from service.core.auto import AutoModel
from service.core.errors import Conflict, StorageFull, UnknownSample
from service.core.events import Asked, Checkpoint, Erased, Labelled, Swapped
from service.core.rebuild import EVERYTHING
from service.core.tokens import column_of
from service.testing import InlineWorkshop

VALUE = 7391.8264511
PIPELINE = {"pipeline": [{"class": "preprocessing.MinMaxScaler"}, {"class": "linear_model.LogisticRegression"}]}


async def taught(house, *names, x=VALUE):
    """Have questions asked and answered."""
    for number, name in enumerate(names):
        await house.flow.observe("s", name, {"x": x + number, "k": name})
        await house.flow.label("s", name, "ab"[number % 2], "u1")


def events(house, kind):
    """The log's events of a kind."""
    return [event for _, event in house.log.read("s", 0, EVERYTHING) if isinstance(event, kind)]


def holds(house, value):
    """Whether a number stands in any preprocessing of the stream: the serving one, or one that is in the log."""
    states = [house.learner().vectoriser.state(), *(event.preprocessing or b"" for event in events(house, Checkpoint))]
    return any(struct.pack(order, value) in state for state in states for order in (">d", "<d"))


def columns_of(model):
    """Return every column that a logistic model knows something of."""
    linear = model.candidates["logistic"] if isinstance(model, AutoModel) else model
    return {*linear._weights[0].to_dict(), *linear._uncertainty._places, *linear._uncertainty._alone}


async def test_an_erased_sample_is_gone_from_log_and_model(house):
    """Features and labels are blanked, the model is rebuilt without it, and it says so."""
    await taught(house, "a", "b", "c")
    erased = await house.flow.erase("s", "a")
    await house.settled()

    assert (erased.outcome, erased.rebuilding) == ("erased", True)
    assert [event.features for event in house.log.about("s", "a")] == [{}, {}]
    assert house.learner().taught.classes == ["b", "a"]
    assert column_of("k", "a") not in columns_of(house.learner().taught.model)
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_what_never_taught_needs_no_rebuild(house):
    """An open question goes without touching the model; it was paid for all the same."""
    await house.flow.observe("s", "a", {"x": VALUE})
    erased = await house.flow.erase("s", "a")
    budget = house.learner().budget

    assert not erased.rebuilding
    assert house.engine.streams["s"].desk.page("oldest", 10, None) == []
    assert (budget.asked, budget.given_back, budget.open) == (1, 0, 0)


async def test_erasing_again_is_the_same(house):
    """One event and one rebuild, however often it is sent."""
    await taught(house, "a", "b")
    answers = [await house.flow.erase("s", "a"), *(await asyncio.gather(*(house.flow.erase("s", "a") for _ in range(5))))]
    await house.settled()
    last = await house.flow.erase("s", "a")

    assert {answer.outcome for answer in answers} == {"erased"}
    assert not last.rebuilding
    assert len(events(house, Erased)) == len(events(house, Swapped)) == 1
    assert [told for told in house.observer.told if told[0] == "erased"] == [("erased", "s", 1)]


async def test_nothing_of_it_is_taken_in_again(house):
    """A sample, a label and a retraction for an erased id are refused; it is looked up without prediction or labels."""
    await taught(house, "a")
    await house.flow.erase("s", "a")
    for attempt in (
        house.flow.observe("s", "a", {"x": VALUE}),
        house.flow.label("s", "a", "b", "u1"),
        house.flow.label("s", "a", "b", "u2", {"x": VALUE}),
        house.flow.retract("s", "a", "u1"),
    ):
        with pytest.raises(Conflict, match="erased"):
            await attempt
    held = await house.flow.held("s", "a")

    assert (held.sample.state, held.sample.votes) == ("erased", [])
    assert held.decision.prediction.probabilities == {}


async def test_what_is_not_held_cannot_be_erased(house):
    """Nothing is stored for an id that nobody knows."""
    with pytest.raises(UnknownSample):
        await house.flow.erase("s", "nobody")

    assert events(house, Erased) == []


async def test_a_sample_that_was_not_asked_is_erased_while_it_is_remembered(build):
    """Its numbers leave the young scales and every checkpoint, and its answer leaves the memory."""
    house = build()
    await house.administration.put("s", {"budget": {"rate": 0.0, "burst": 0}})
    for name, x in (("a", VALUE), ("b", 2.0)):
        await house.flow.observe("s", name, {"x": x})
    house.engine.checkpoints.write(house.engine.streams["s"])
    await house.settled()
    before = holds(house, VALUE)
    await house.flow.erase("s", "a")
    held = await house.flow.held("s", "a")

    assert (before, holds(house, VALUE)) == (True, False)
    assert house.learner().vectoriser._tabular.scales["x"].first == [2.0]
    assert (held.decision, held.sample.state) == (None, "erased")


@pytest.mark.parametrize("model", [{"type": "auto"}, {"type": "logistic"}, {"type": "text"}, PIPELINE])
async def test_no_preprocessing_holds_it_any_more(build, model):
    """Neither the serving one nor one in the log, also where it is a free pipeline's, which begins anew with what is held."""
    house = build()
    await house.administration.put("s", {"budget": {"rate": 1.0, "burst": 100}, "model": model})
    await taught(house, "b", "c", x=1.0)
    await taught(house, "a")
    house.engine.checkpoints.write(house.engine.streams["s"])
    await house.engine.journal.settled()
    before = holds(house, VALUE)
    await house.flow.erase("s", "a")
    after = holds(house, VALUE)
    await house.settled()
    vector = house.learner().vectoriser.vector({"x": 2.0})

    assert (before, after, holds(house, VALUE)) == (True, False, False)
    assert "x" in vector


async def test_a_full_disk_refuses_to_erase_and_leaves_the_sample(house):
    """Nothing is half gone: it can be sent again."""
    await taught(house, "a")
    house.log.full = True
    with pytest.raises(StorageFull):
        await house.flow.erase("s", "a")
    left = house.learner().queries.samples["a"].state
    house.log.full = False

    assert left == "answered"
    assert (await house.flow.erase("s", "a")).outcome == "erased"


async def test_an_erasure_is_not_done_before_its_bytes_are_gone(house):
    """Where they cannot be cleaned it says so, and sent again it cleans them."""
    await taught(house, "a")
    house.log.fail_scrubs = True
    with pytest.raises(StorageFull):
        await house.flow.erase("s", "a")
    with pytest.raises(StorageFull):
        await house.flow.erase("s", "a")
    house.log.fail_scrubs = False

    assert (await house.flow.erase("s", "a")).outcome == "erased"
    assert len(events(house, Erased)) == 1


async def test_snapshots_from_before_go(house):
    """The workshop is told up to where they may hold the sample."""
    await taught(house, "a")
    await house.flow.erase("s", "a")

    assert house.workshop.forgotten == [("s", house.log.erased("s"))]


async def test_an_erasure_waits_for_who_is_at_work_on_the_sample(house):
    """A question and an answer that are on their way are erased with the rest."""
    await house.flow.label("s", "other", "b", features={"x": 1.0})
    house.log.hold()
    label = asyncio.create_task(house.flow.label("s", "a", "a", "u1", {"x": VALUE}))
    await asyncio.sleep(0)
    erasure = asyncio.create_task(house.flow.erase("s", "a"))
    await asyncio.sleep(0)
    house.log.let_go()
    outcomes = (await label).outcome, (await erasure).outcome
    await house.settled()

    assert outcomes == ("learned", "erased")
    assert [event.features for event in events(house, Labelled) if event.sample_id == "a"] == [{}]
    assert house.learner().taught.classes == ["b"]


async def test_a_question_that_landed_late_is_erased_with_its_sample(house):
    """A sample that was answered as unavailable can be erased; its question goes wherever it is by then."""
    house.log.hold()
    await house.flow.observe("s", "a", {"x": VALUE})
    erasure = asyncio.create_task(house.flow.erase("s", "a"))
    await asyncio.sleep(0)
    house.log.let_go()
    await erasure
    await house.settled()

    assert [event.features for event in events(house, Asked)] == [{}]
    assert house.learner().budget.open == 0
    assert house.replayed().fingerprint() == house.learner().fingerprint()


class Slow(InlineWorkshop):
    """A workshop that reads the log, and sends what it made of it when it is told to."""

    def __init__(self, log):
        """Wait."""
        super().__init__(log)
        self.read, self.send = asyncio.Event(), asyncio.Event()

    async def rebuild(self, stream, superseded, through):
        """Rebuild, then wait."""
        made = await super().rebuild(stream, superseded, through)
        self.read.set()
        await self.send.wait()
        return made


async def test_a_rebuild_that_read_it_before_is_begun_again(house):
    """What was made with the sample never serves, and neither does preprocessing that saw it."""
    await taught(house, "a", "b", "c")
    workshop = house.engine.upkeep._workshop = Slow(house.log)
    await house.administration.patch("s", {"model": {"type": "naive-bayes"}})
    house.engine.upkeep.wake.set()
    await workshop.read.wait()
    await house.flow.erase("s", "a")
    workshop.send.set()
    await house.settled()

    assert len(events(house, Swapped)) == 1
    assert house.learner().taught.classes == ["b", "a"]
    assert not holds(house, VALUE)
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_preprocessing_that_comes_with_another_model_is_cleaned_too(house):
    """A model that takes over while an erasure is on its way to the log brings the sample back for a moment only."""
    await taught(house, "a", "b", "c")
    workshop = house.engine.upkeep._workshop = Slow(house.log)
    await house.administration.patch("s", {"model": {"type": "naive-bayes"}})
    house.engine.upkeep.wake.set()
    await workshop.read.wait()
    house.log.hold()
    erasure = asyncio.create_task(house.flow.erase("s", "a"))
    await house.until(lambda: house.engine.streams["s"].leaving == {"a"} and house.engine.streams["s"].erasing.locked() is False)
    workshop.send.set()
    await house.until(lambda: house.learner().candidate is not None)
    house.log.let_go()
    await erasure
    await house.settled()

    assert not holds(house, VALUE)
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_old_samples_are_erased_by_themselves(build):
    """After `retention` a sample goes, asked, answered or labelled without a question; younger ones stay."""
    house = build()
    await house.administration.put("s", {"budget": {"rate": 1.0, "burst": 100}, "retention": 1_000})
    await taught(house, "a", "b")
    await house.flow.label("s", "brought", "a", features={"x": VALUE})
    await house.flow.observe("s", "open", {"x": VALUE})
    house.clock.advance(600)
    await taught(house, "young")
    house.clock.advance(500)
    samples = house.learner().queries.samples
    await house.until(lambda: samples["a"].erased)
    await house.settled()

    assert {name for name, sample in samples.items() if not sample.erased} == {"young"}
    assert len(events(house, Erased)) == 1
    assert house.learner().queries.answered == 1
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def backlog(house, count, monkeypatch):
    """Have samples that are older than the retention, which takes three at a look."""
    monkeypatch.setattr("service.upkeep._ERASED", 3)
    await house.administration.put("s", {"budget": {"rate": 1.0, "burst": 100}})
    await taught(house, *(f"n{number}" for number in range(count)))
    house.clock.advance(100)
    await house.administration.patch("s", {"retention": 50})
    house.engine.upkeep.wake.set()


@pytest.mark.parametrize(("count", "pieces"), [(8, [3, 3, 2]), (6, [3, 3])])
async def test_retention_erases_so_many_at_a_look_and_cleans_up_once(build, monkeypatch, count, pieces):
    """A large backlog is worked off in pieces; the file is written anew after the last one alone, also where none was left for it."""
    house = build()
    await backlog(house, count, monkeypatch)
    await house.until(lambda: house.workshop.forgotten)
    await house.settled()

    assert [len(event.sample_ids) for event in events(house, Erased)] == pieces
    assert house.workshop.forgotten == [("s", house.log.erased("s"))]
    assert house.learner().taught.classes == []


async def test_retention_cleans_up_later_what_it_could_not(build, monkeypatch):
    """The next look that is due does it, although nothing is left to erase."""
    house = build()
    house.log.fail_scrubs = True
    await backlog(house, 4, monkeypatch)
    await house.until(lambda: house.workshop.forgotten)
    await house.until(house.engine.upkeep._tasks["retention", "s"].done)
    house.log.fail_scrubs = False
    for _ in range(2):
        house.clock.advance(50)
        await house.until(lambda: not house.engine.upkeep._retention_due(house.engine.streams["s"]))
        await house.until(house.engine.upkeep._tasks["retention", "s"].done)

    assert len(events(house, Erased)) == 2
    assert house.workshop.forgotten == [("s", house.log.erased("s"))] * 2


async def test_retention_looks_rarely(build):
    """Not at every look of upkeep, but twenty times a retention."""
    house = build()
    await house.administration.put("s", {"budget": {"rate": 1.0, "burst": 100}, "retention": 1_000})
    await taught(house, "a")
    house.clock.advance(1_001)
    await house.until(lambda: house.learner().queries.samples["a"].erased)
    await taught(house, "b")
    house.engine.upkeep._retained_at["s"] = house.clock()
    house.clock.advance(49)
    early = house.engine.upkeep._retention_due(house.engine.streams["s"])
    house.clock.advance(2)

    assert (early, house.engine.upkeep._retention_due(house.engine.streams["s"])) == (False, True)


async def test_a_deleted_stream_is_cleaned_from_snapshots_and_bytes(house):
    """Its snapshots go, all of them, and where its bytes cannot be cleaned that is said."""
    await taught(house, "a")
    house.log.fail_scrubs = True
    with pytest.raises(StorageFull):
        await house.administration.delete("s")

    assert house.workshop.forgotten == [("s", EVERYTHING)]


async def test_nothing_of_a_deleted_stream_follows_its_drop(build):
    """Whenever a stream is deleted while a sample of it is being erased, the log holds nothing of it afterwards."""
    house = build()
    for turns in range(40):
        name = f"s{turns}"
        await house.administration.put(name, {"budget": {"rate": 1.0, "burst": 100}})
        await house.flow.observe(name, "a", {"x": VALUE})
        erasing = asyncio.create_task(house.flow.erase(name, "a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await house.administration.delete(name)
        await asyncio.gather(erasing, return_exceptions=True)
        await house.engine.journal.settled()

        assert list(house.log.read(name, 0, 2**62)) == []


@pytest.mark.parametrize("measure", ["density", "cognitive", "probabilistic"])
@pytest.mark.parametrize("asked", [True, False])
async def test_an_erased_sample_is_gone_from_what_a_measure_keeps(house, measure, asked):
    """No checkpoint holds the sketch of a sample that was erased, nor its words, whether it was asked or only seen."""
    model = {"pipeline": [{"class": "feature_extraction.BagOfWords", "params": {"on": "t"}}, {"class": "naive_bayes.MultinomialNB"}]}
    budget = {"rate": float(asked), "burst": 0}
    await house.administration.put("s", {"model": model, "query": {"measure": measure}, "budget": budget})
    await house.settled()
    for number in range(5):
        await house.flow.observe("s", f"n{number}", {"t": "plain words"})
    await house.flow.observe("s", "secret", {"t": " ".join(["unheard"] * 77)})
    sketch = np.float32(77.0).tobytes()
    house.engine.checkpoints.write(house.engine.streams["s"], final=True)
    await house.settled()
    assert any(sketch in event.measure for event in events(house, Checkpoint))
    await house.flow.erase("s", "secret")
    await house.settled()

    kept = [event.measure for event in events(house, Checkpoint)] + [house.learner()._informed.state()]
    assert not any(sketch in state or b"unheard" in state for state in kept)
