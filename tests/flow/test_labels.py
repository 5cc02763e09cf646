"""What an answer amounts to: learned once, however often, late, wrong, taken back."""

import asyncio
import itertools
import random

import pytest

from service.core.errors import Conflict, Invalid, StorageFull, UnknownSample
from service.core.events import Configured, Expired, Labelled, Retracted, Swapped
from service.core.learner import Learner
from service.core.rebuild import fold, swift
from service.core.tokens import column_of


async def ask(house, *names):
    """Have questions asked."""
    for name in names:
        await house.flow.observe("s", name, {"x": float(len(name)), "kind": name[0]})


async def test_a_label_is_learned_at_once(house):
    """The model's version rises and the question closes."""
    await ask(house, "a")
    learned = await house.flow.label("s", "a", "ok", "u1")

    assert (learned.outcome, learned.model_version, learned.rebuilding) == ("learned", 1, False)
    assert house.learner().budget.open == 0
    assert house.learner().taught.classes == ["ok"]


async def test_a_duplicate_teaches_nothing(house):
    """The same label from the same labeler again is no error and no event."""
    await ask(house, "a")
    outcomes = [(await house.flow.label("s", "a", "ok", "u1")).outcome for _ in range(3)]

    assert outcomes == ["learned", "duplicate", "duplicate"]
    assert sum(isinstance(event, Labelled) for _, event in house.log.read("s", 0, 99)) == 1


async def test_concurrent_deliveries_teach_once(house):
    """A label that is delivered many times at once is learned once."""
    await ask(house, "a")
    learned = await asyncio.gather(*(house.flow.label("s", "a", "ok", "u1") for _ in range(25)))

    assert sorted(item.outcome for item in learned) == ["duplicate"] * 24 + ["learned"]
    assert house.learner().labels == 1


async def test_a_second_labeler_agrees_or_differs(house):
    """With one vote a sample the first labeler teaches; others are recorded, or in conflict."""
    await ask(house, "a")
    outcomes = [(await house.flow.label("s", "a", label, labeler)).outcome for labeler, label in (("u1", "ok"), ("u2", "ok"), ("u3", "no"))]

    assert outcomes == ["learned", "recorded", "conflict"]
    assert house.learner().labels == 1


async def test_votes_are_gathered_until_there_are_enough(build):
    """With three votes a sample the majority of the first three teaches, once."""
    house = build()
    await house.administration.put("s", {"labels": {"per_sample": 3}})
    await ask(house, "a")
    outcomes = [
        (await house.flow.label("s", "a", label, labeler)).outcome
        for labeler, label in (("u1", "no"), ("u2", "ok"), ("u3", "ok"), ("u4", "no"))
    ]

    assert outcomes == ["recorded", "recorded", "learned", "conflict"]
    assert house.learner().taught.classes == ["ok"]


async def test_a_sample_that_is_not_held_needs_its_features(house):
    """A label for an unknown sample is refused without features and learned with them."""
    with pytest.raises(UnknownSample, match="features"):
        await house.flow.label("s", "new", "ok")
    learned = await house.flow.label("s", "new", "ok", features={"x": 1})

    assert learned.outcome == "learned"
    assert (await house.flow.observe("s", "new", {"x": 1})).decision.query.reason == "answered"


async def test_features_that_contradict_the_question_are_a_conflict(house):
    """A label cannot change what was asked."""
    await ask(house, "a")
    with pytest.raises(Conflict):
        await house.flow.label("s", "a", "ok", features={"x": 99})


async def test_a_label_outside_the_declared_classes_is_refused(build):
    """Declared classes are a promise."""
    house = build()
    await house.administration.put("s", {"classes": ["ok", 1, True]})
    await ask(house, "a")

    with pytest.raises(Invalid, match="none of the stream's classes"):
        await house.flow.label("s", "a", "spam")
    assert (await house.flow.label("s", "a", "true")).outcome == "learned"


async def test_nobody_answers_in_time(house):
    """A question expires with an event; a label that comes after it is learned and called late."""
    await ask(house, "a")
    house.clock.advance(8 * 86_400)
    await house.until(lambda: not house.learner().budget.open)
    learned = await house.flow.label("s", "a", "ok")

    assert any(isinstance(event, Expired) for _, event in house.log.read("s", 0, 99))
    assert learned.outcome == "late"
    assert house.learner().budget.given_back == 0


async def test_an_expired_question_is_given_back_where_the_stream_says_so(build):
    """With `give_back` the place of an unanswered question in the budget is free again."""
    house = build()
    await house.administration.put("s", {"labels": {"give_back": True, "expire_after": 60}})
    await ask(house, "a")
    house.clock.advance(61)
    await house.until(lambda: not house.learner().budget.open)

    assert house.learner().budget.given_back == 1


async def test_a_full_disk_refuses_a_label_and_learns_nothing(house):
    """A label is acknowledged when it is on disk, not before."""
    await ask(house, "a")
    house.log.full = True
    with pytest.raises(StorageFull):
        await house.flow.label("s", "a", "ok")
    unlearned = house.learner().labels
    house.log.full = False

    assert unlearned == 0
    assert (await house.flow.label("s", "a", "ok")).outcome == "learned"


async def test_a_label_at_which_the_model_raises_is_unlearnable(build):
    """The label is kept, the fold goes on, and so does the next start."""
    house = build()
    await house.administration.put("s", {"model": {"pipeline": [{"class": "naive_bayes.MultinomialNB"}]}})
    await house.flow.observe("s", "a", {"x": 1.0})
    house.learner().taught.model = Stubborn()
    outcome = (await house.flow.label("s", "a", "ok")).outcome
    await house.flow.observe("s", "b", {"x": 1.0})

    assert outcome == "unlearnable"
    assert house.replayed().queries.samples["a"].taught == "ok"


class Stubborn:
    """A model that cannot learn."""

    def predict_proba_one(self, x):
        """Know nothing, loudly."""
        raise ArithmeticError

    def learn_one(self, x, y):
        """Refuse."""
        raise ArithmeticError


def without(house, *superseded):
    """The state that the log gives without the superseded events and the traces of the rebuild."""
    kept = [(seq, event) for seq, event in house.log.read("s", 0, 2**62) if seq not in superseded and not isinstance(event, Swapped)]
    return fold(lambda after, upto: [item for item in kept if after < item[0] <= upto])


def same_knowledge(one: Learner, other: Learner) -> bool:
    """Whether two states predict the same bits and hold the same samples and open questions."""
    probes = [{"x": float(x), column_of("kind", kind): 1.0} for x, kind in itertools.product(range(-2, 5), "abq")]
    return (
        [one.taught.predict(probe) for probe in probes] == [other.taught.predict(probe) for probe in probes]
        and one.queries.samples == other.queries.samples
        and set(one.queries.open) == set(other.queries.open)
    )


async def busy(house, rng, count, prefix):
    """Samples and labels as they come."""
    for number in range(count):
        name = f"{prefix}{number}"
        features = {"x": rng.gauss(0, 1), "kind": rng.choice("abq")}
        await house.flow.observe("s", name, features)
        await house.flow.label("s", name, rng.choice(["ok", "no", "else"]), "u1", features)


async def test_a_correction_leaves_no_trace_of_the_first_label(house):
    """After the rebuild the state equals the fold of the log without the first label, while new labels went on arriving."""
    rng = random.Random(3)
    await busy(house, rng, 30, "a")
    wrong = house.learner().queries.samples["a7"].votes[0]
    other = "no" if wrong.label == "ok" else "ok"
    corrected, _ = await asyncio.gather(house.flow.label("s", "a7", other, "u1"), busy(house, rng, 30, "b"))
    await house.settled()

    assert (corrected.outcome, corrected.rebuilding) == ("corrected", True)
    assert same_knowledge(house.learner(), without(house, wrong.seq))
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_corrections_of_corrections_coalesce(house):
    """Several corrections while a rebuild runs leave the state of the last word only."""
    rng = random.Random(4)
    await busy(house, rng, 20, "a")
    for label in ("no", "ok", "else", "third"):
        await house.flow.label("s", "a3", label, "u1")
    await busy(house, rng, 10, "b")
    await house.settled()
    gone = list(house.learner().superseded)

    assert len(gone) >= 3
    assert same_knowledge(house.learner(), without(house, *gone))
    assert sum(isinstance(event, Swapped) for _, event in house.log.read("s", 0, 2**62)) <= 3


async def test_a_retraction_undoes_the_label_and_opens_the_question(house):
    """A label that is taken back was never there."""
    rng = random.Random(5)
    await busy(house, rng, 20, "a")
    gone = house.learner().queries.samples["a5"].votes[0].seq
    learned = await house.flow.retract("s", "a5", "u1")
    await house.settled()

    assert (learned.outcome, learned.rebuilding) == ("retracted", True)
    assert "a5" in house.learner().queries.open
    retraction = max(seq for seq, event in house.log.read("s", 0, 2**62) if isinstance(event, Retracted))
    assert same_knowledge(house.learner(), without(house, gone, retraction))


async def test_a_sample_counts_as_answered_once(house):
    """Corrections and retractions are no further answers."""
    await ask(house, "a", "b")
    counts = []
    for label in ("ok", "no", "ok"):
        await house.flow.label("s", "a", label, "u1")
        counts.append(house.learner().queries.answered)
    await house.flow.retract("s", "a", "u1")
    await house.settled()

    assert counts == [1, 1, 1]
    assert house.learner().queries.answered == house.replayed().queries.answered == 0


async def test_a_retraction_of_nothing_is_refused(house):
    """There must be a label to take back."""
    await ask(house, "a")
    with pytest.raises(UnknownSample):
        await house.flow.retract("s", "a", "u1")


async def test_versions_rise_and_never_repeat(house):
    """Every change of the model has a version of its own, the swap after a correction included."""
    rng = random.Random(6)
    versions = []
    for number in range(10):
        await busy(house, rng, 1, f"v{number}-")
        versions.append(house.learner().version)
    await house.flow.label("s", "v3-0", "another", "u1")
    versions.append(house.learner().version)
    await house.settled()
    versions.append(house.learner().version)

    assert versions == sorted(set(versions))


async def test_another_model_begins_with_the_labels_there_are(house):
    """Changing the model rebuilds from the log's labels; the queries, the account and the version go on."""
    rng = random.Random(7)
    await busy(house, rng, 60, "a")
    before = house.learner().version
    await house.administration.patch("s", {"model": {"type": "naive-bayes"}})
    await busy(house, rng, 5, "b")
    await house.settled()

    assert type(house.learner().taught.model).__name__ == "GaussianNB"
    assert house.learner().taught.classes == house.replayed().taught.classes
    assert house.learner().version > before
    assert house.replayed().fingerprint() == house.learner().fingerprint()


async def test_a_start_without_a_snapshot_skips_the_models_that_no_longer_serve(house):
    """The swift fold gives the state of the faithful one, transcript included, before and after the last checkpoint."""
    rng = random.Random(8)
    for number in range(6):
        await busy(house, rng, 12, f"a{number}-")
        await house.flow.label("s", f"a{number}-3", f"corrected-{number}", "u1")
        if number == 2:
            await house.administration.patch("s", {"model": {"type": "naive-bayes"}})
        await house.settled()
        if number == 4:
            house.engine.checkpoints.write(house.engine.streams["s"])
            await house.settled()
    quick, faithful = swift(lambda after, upto: house.log.read("s", after, upto)), house.replayed()
    for learner in (quick, faithful):
        learner.resume()

    assert sum(isinstance(event, Swapped) for _, event in house.log.read("s", 0, 2**62)) >= 6
    assert quick.fingerprint() == faithful.fingerprint() == house.learner().fingerprint()
    assert quick.transcript == house.learner().transcript
    assert quick.vectoriser.state() == faithful.vectoriser.state()


async def test_the_first_event_creates_the_stream(house):
    """A stream's log begins with its configuration and a secret that no answer shows."""
    _, first = next(iter(house.log.read("s", 0, 99)))

    assert isinstance(first, Configured)
    assert first.secret is not None
