"""What an erasure leaves: whatever happened before and after, the state that a log without the sample gives."""

import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core import events
from service.core.catalogue import effective
from service.core.digest import digest
from service.core.erasure import blanked, superfluous
from service.core.events import Asked, Checkpoint, Configured, Erased, Labelled, Retracted, Skipped, Swapped, sample_of
from service.core.learner import Learner
from service.core.rebuild import EVERYTHING, fold, rebuild_of, swift
from service.core.transcript import START, SUSPENDED

LABELS = ("no", "ok", "maybe")
MODELS = ("logistic", "naive-bayes", "knn")
QUERIES = ({}, {"weighted": True}, {"measure": "committee", "measure_params": {"members": 2}, "weighted": True})


class Story:
    """A stream and its log in memory, which is blanked as the real ones are; rebuilds begin and end when they are told to."""

    def __init__(self, per_sample=1):
        """Create the stream."""
        self.raw = {"budget": {"rate": 1.0, "burst": 1_000}, "labels": {"per_sample": per_sample}}
        self.log = {}
        self.last = 0
        self.learner = None
        self.rebuild = None
        self.append(Configured(0.0, effective(self.raw), b"k" * 16))

    def read(self, after, upto):
        """The log between two positions."""
        return [(seq, event) for seq, event in sorted(self.log.items()) if after < seq <= upto]

    def append(self, event):
        """Commit an event, blanking what it erases, and fold it."""
        self.last += 1
        if isinstance(event, Erased):
            self.blank(event)
        self.log[self.last] = event = events.decode(events.encode(event))
        if self.learner is None:
            self.learner = Learner(self.last, event)
            return
        applied = self.learner.apply(self.last, event)
        if self.rebuild is not None and applied.taught is not None:
            self.rebuild[2].append((event, applied.taught))

    def blank(self, erased):
        """Do to the log what a log does."""
        for sample_id in erased.sample_ids:
            own = {seq: event for seq, event in sorted(self.log.items()) if sample_of(event) == sample_id}
            self.log |= dict(zip(own, blanked(own.values()), strict=True))
        for seq in superfluous([item for item in self.read(0, EVERYTHING) if isinstance(item[1], Checkpoint)]):
            del self.log[seq]

    def tell(self, what, which, how):
        """One step of a history."""
        getattr(self, what)(f"sample-{which}", which, how)

    def ask(self, sample_id, which, how):
        """A question, where there is none."""
        known = self.learner.queries.samples
        if sample_id not in known:
            features = features_of(which)
            decision = self.learner.decide(sample_id, features, 0.0)
            query = msgspec.structs.replace(decision.query, probability=1.0 / (1 + how), reason=("exploration", "uncertain")[which % 2])
            self.append(self.learner.question(msgspec.structs.replace(decision, query=query), features))

    def label(self, sample_id, which, how):
        """An answer, unless the sample is gone."""
        sample = self.learner.queries.samples.get(sample_id)
        if sample is None or not sample.erased:
            features, labeler = features_of(which), f"u{how % 2}"
            self.append(self.learner.answer(sample_id, LABELS[how], labeler, features, 0.0, brought=sample is None, labeled_at=None))

    def retract(self, sample_id, which, how):
        """An answer is taken back."""
        self.append(Retracted(0.0, sample_id, f"u{how % 2}"))

    def skip(self, sample_id, which, how):
        """Somebody will not answer, and says why."""
        self.append(Skipped(0.0, sample_id, f"u{how % 2}", f"word{which} is unclear"))

    def erase(self, sample_id, which, how):
        """The sample goes."""
        self.checkpoint(sample_id, which, how)
        self.append(Erased(0.0, [sample_id]))

    def checkpoint(self, sample_id, which, how):
        """The decision state is written."""
        for seq in [seq for seq, event in self.log.items() if isinstance(event, Checkpoint)]:
            del self.log[seq]
        self.append(self.learner.checkpointed(1, 0.0, b"preprocessing"))

    def model(self, sample_id, which, how):
        """Another model."""
        self.configure({"model": {"type": MODELS[how]}})

    def query(self, sample_id, which, how):
        """Another weight of labels, another companion."""
        self.configure({"query": QUERIES[how]})

    def configure(self, change):
        """Another configuration."""
        self.raw |= change
        self.append(Configured(0.0, effective(self.raw)))

    def begin(self, sample_id, which, how):
        """A rebuild begins: it reads the log as it is now."""
        if self.rebuild is None and self.learner.rebuild_from:
            through = self.learner.anchor
            self.rebuild = (through, rebuild_of(dict(self.learner.superseded), self.read, through, through), [])

    def end(self, sample_id, which, how):
        """The rebuild ends, and its model takes over where nothing was erased meanwhile."""
        if self.rebuild is not None:
            through, candidate, tail = self.rebuild
            for answer, taught in tail:
                candidate.follow(answer, taught)
            self.rebuild, self.learner.candidate = None, candidate
            self.append(Swapped(0.0, through))

    def settle(self):
        """Let every rebuild come to its end."""
        while self.learner.rebuild_from or self.rebuild:
            self.begin("", 0, 0)
            self.end("", 0, 0)

    def without(self, gone):
        """What is learned from the log without these samples' events."""
        kept = [(seq, event) for seq, event in self.read(0, EVERYTHING) if sample_of(event) not in gone]
        kept = [(seq, event) for seq, event in kept if not isinstance(event, Swapped | Erased | Checkpoint)]

        def read(after, upto):
            return [item for item in kept if after < item[0] <= upto]

        return rebuild_of(fold(read).superseded, read, EVERYTHING)


def features_of(which):
    """Values that no other sample has."""
    return {"x": 1.0 / (which + 3.7), "y": which % 2, "kind": f"word{which}"}


def knowledge(taught):
    """A hash of all that was learned."""
    return digest([taught.model, taught.classes, taught.base, taught.companion, [(arm.model, arm.classes) for arm in taught.arms]])


STEPS = st.tuples(
    st.sampled_from(["ask", "label", "label", "label", "retract", "skip", "erase", "model", "query", "begin", "end", "checkpoint"]),
    st.integers(0, 5),
    st.integers(0, 2),
)


@given(st.lists(STEPS, max_size=60), st.integers(1, 2))
@settings(deadline=None, max_examples=150)
def test_an_erased_sample_was_never_there(steps, per_sample):
    """After the swap serving state, fold and swift fold are one, and learned what the log without the sample teaches."""
    story = Story(per_sample)
    for step in steps:
        story.tell(*step)
    story.settle()
    served, again, quick = story.learner, fold(story.read), swift(story.read)
    gone = {sample_id for sample_id, sample in served.queries.samples.items() if sample.erased}

    assert again.fingerprint() == quick.fingerprint() == served.fingerprint()
    assert again.transcript == quick.transcript == served.transcript
    assert knowledge(served.taught) == knowledge(story.without(gone))


@given(st.lists(STEPS, max_size=60), st.integers(1, 2))
@settings(deadline=None, max_examples=100)
def test_until_the_swap_only_the_model_differs(steps, per_sample):
    """At every moment a start from the log has the same books as the state that serves: versions, samples, money, transcript."""
    story = Story(per_sample)
    for step in steps:
        story.tell(*step)
    served, again = story.learner.learned(), fold(story.read).learned()
    books = served.keys() - {"taught", "seq", "mark", "checkpoint"}

    assert {name: again[name] for name in books} == {name: served[name] for name in books}
    assert swift(story.read).fingerprint() == fold(story.read).fingerprint()


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 0), (0, 2), (2, 0), (2, 1)])
def test_a_query_that_changes_while_a_rebuild_runs(before, after):
    """Labels that come after the change weigh in the rebuilt model what they weighed in the one that served."""
    story = Story()
    steps = [("query", 0, before), ("label", 1, 0), ("label", 2, 1), ("ask", 3, 2), ("ask", 4, 1), ("retract", 1, 0), ("begin", 0, 0)]
    for step in [*steps, ("query", 0, after), ("label", 3, 0), ("end", 0, 0)]:
        story.tell(*step)
    again = fold(story.read)
    assert knowledge(again.taught) == knowledge(story.learner.taught)
    story.tell("label", 4, 1)
    assert fold(story.read).transcript == story.learner.transcript

    story.settle()
    assert knowledge(fold(story.read).taught) == knowledge(swift(story.read).taught) == knowledge(story.learner.taught)


def test_a_rebuild_brings_no_companion_that_is_wanted_no_more():
    """A measure of the probabilities alone, chosen while the rebuild ran, calls for no other rebuild that would drop it."""
    story = Story()
    for step in [("query", 0, 2), ("label", 1, 0), ("label", 2, 1), ("retract", 1, 0), ("begin", 0, 0), ("query", 0, 1), ("end", 0, 0)]:
        story.tell(*step)

    assert story.learner.rebuild_from == 0
    assert story.learner.taught.companion is None
    assert fold(story.read).fingerprint() == swift(story.read).fingerprint() == story.learner.fingerprint()


@given(st.lists(STEPS, max_size=40), st.integers(0, 5))
@settings(deadline=None)
def test_nothing_of_it_is_left_in_the_log(steps, which):
    """No event holds a value, a vector, a word or a label of the erased sample."""
    story = Story()
    for step in [*steps, ("ask", which, 0), ("skip", which, 1), ("label", which, 0), ("erase", which, 0)]:
        story.tell(*step)
    content = b"".join(events.encode(event) for _, event in story.read(0, EVERYTHING))
    own = [event for _, event in story.read(0, EVERYTHING) if sample_of(event) == f"sample-{which}"]

    assert struct.pack(">d", features_of(which)["x"]) not in content
    assert f"word{which}".encode() not in content
    assert {event.label for event in own if isinstance(event, Labelled)} <= {"1", "2", "3"}
    assert all(event.decision.prediction.probabilities == {} for event in own if isinstance(event, Asked))


def test_what_was_asked_is_still_paid_for():
    """The account keeps the question, its probability and its mark; the question no longer waits."""
    story = Story()
    story.tell("ask", 1, 0)
    before = next(event for _, event in story.read(0, EVERYTHING) if isinstance(event, Asked))
    story.tell("erase", 1, 0)
    after = next(event for _, event in story.read(0, EVERYTHING) if isinstance(event, Asked))

    assert (after.decision.query, after.mark, after.at) == (before.decision.query, before.mark, before.at)
    assert (story.learner.budget.asked, story.learner.budget.open, story.learner.budget.given_back) == (1, 0, 0)
    assert story.learner.queries.samples["sample-1"].state == "erased"


@pytest.mark.parametrize(("taught", "transcript"), [(True, SUSPENDED), (False, None)])
def test_the_transcript_is_suspended_where_the_sample_had_taught(taught, transcript):
    """What was served cannot be recomputed then; it begins anew when a model without the sample serves."""
    story = Story(per_sample=1 if taught else 2)
    for step in [("label", 1, 0), ("label", 2, 1), ("erase", 1, 0)]:
        story.tell(*step)
    suspended = story.learner.transcript
    story.settle()

    assert (suspended == SUSPENDED) == taught
    assert len(story.learner.transcript) == len(START)
    assert transcript in {None, suspended}


def test_an_answer_that_was_taken_back_taught_once_as_well():
    """Also what was served between a label and its retraction cannot be told any more, although the swap is long past."""
    story = Story()
    for step in [("label", 1, 0), ("label", 2, 1), ("retract", 1, 0)]:
        story.tell(*step)
    story.settle()
    story.tell("label", 3, 1)
    story.tell("erase", 1, 0)

    assert story.learner.transcript == SUSPENDED
    assert story.learner.rebuild_from


def overtaken():
    """A stream in which a sample was erased while a rebuild ran that had read it; the rebuild has ended."""
    story = Story()
    steps = [("label", 1, 0), ("label", 2, 1), ("label", 3, 0), ("label", 4, 1), ("retract", 4, 1), ("begin", 0, 0), ("end", 0, 0)]
    for step in [*steps, ("retract", 3, 0), ("begin", 0, 0), ("erase", 1, 0), ("end", 0, 0)]:
        story.tell(*step)
    return story


def test_a_model_that_was_made_before_the_erasure_never_serves():
    """Its swap is void, for the serving state as for every fold; the next one ends the suspension."""
    story = overtaken()
    void = story.learner.version, story.learner.transcript, bool(story.learner.rebuild_from)
    story.tell("label", 5, 2)
    story.settle()

    assert void[1:] == (SUSPENDED, True)
    assert story.learner.version == void[0] + 2
    assert story.learner.transcript == fold(story.read).transcript != SUSPENDED


def test_a_start_takes_no_void_swap_for_the_serving_model():
    """A start from a checkpoint behind a void swap has the model of the last swap that was none."""
    story = overtaken()
    story.tell("checkpoint", 0, 0)

    assert swift(story.read).fingerprint() == fold(story.read).fingerprint()


def test_answers_relate_to_one_another_as_they_did():
    """Blanked labels agree and differ as the original ones, in order of first appearance."""
    labels = ("spam", "ham", "spam", "eggs")
    answers = [Labelled(0.0, "a", label, str(number), 1, {"x": 1}, {"x": 0.5}) for number, label in enumerate(labels)]

    assert [event.label for event in blanked(answers)] == ["1", "2", "1", "3"]
    assert blanked(blanked(answers)) == blanked(answers)


def test_the_newest_checkpoint_that_holds_preprocessing_stays():
    """It is the one that was written without the sample."""
    story = Story()
    whole, small = (story.learner.checkpointed(1, 0.0, state) for state in (b"state", None))

    assert superfluous([(1, whole), (2, small), (3, whole), (4, small)]) == [1, 2, 4]
    assert superfluous([(1, small)]) == [1]
