"""Who leads, told from bought labels alone."""

import random

import pytest

from service.core.contest import Contest
from service.core.digest import digest
from service.core.freezer import freeze, thaw


def judged(contest, labels):
    """Tell a contest of labels: whether each candidate erred, and for how many samples the label stands."""
    for wrong, stakes in labels:
        contest.judge(wrong, stakes)
    return contest


def mixed(*kinds, count=400):
    """Labels of several kinds in random order: what came of each, for how many samples it stands, and its share of the labels."""
    rng = random.Random(1)
    outcomes, stakes, shares = zip(*kinds, strict=True)
    return rng.choices(list(zip(outcomes, stakes, strict=True)), shares, k=count)


def test_the_first_leads_while_nothing_is_known():
    """Candidates come in the order in which they are trusted."""
    contest = Contest(["a", "b"])

    assert contest.leading == "a"
    assert [(one.accuracy, one.labels) for one in contest.standings()] == [(None, 0.0)] * 2
    assert "first" in contest.why()


def test_one_that_errs_less_takes_over():
    """It says from whom, and by how much."""
    contest = judged(Contest(["a", "b"]), mixed(((True, False), 1.0, 0.3), ((False, False), 1.0, 0.7)))

    assert contest.leading == "b"
    assert contest.takeover.before == "a"
    assert contest.takeover.ahead > 1.6 * contest.takeover.error
    assert "took over from a" in contest.why()


@pytest.mark.parametrize(("rare", "leading"), [(50.0, "a"), (1.0, "b")])
def test_a_label_counts_for_the_samples_that_it_stands_for(rare, leading):
    """Nine in ten labels are where the first is unsure and wrong; they are a small part of the traffic if the others stand for 50 each."""
    contest = judged(Contest(["a", "b"]), mixed(((True, False), 1.0, 0.9), ((False, True), rare, 0.1)))

    assert contest.leading == leading


def test_nobody_takes_over_by_the_first_labels():
    """Of 19 labels nothing is concluded, however clear they are."""
    contest = judged(Contest(["a", "b"]), [((True, False), 1.0)] * 19)

    assert contest.leading == "a"
    assert judged(contest, [((True, False), 1.0)]).leading == "b"


def test_a_single_costly_label_decides_nothing():
    """A label that stands for 500 samples is one label all the same."""
    contest = judged(Contest(["a", "b"]), [((False, False), 1.0)] * 100 + [((True, False), 500.0)])

    assert contest.leading == "a"


def test_equals_do_not_take_turns():
    """Between two that are as good the lead changes at most once or twice in a thousand labels."""
    contest, changes = Contest(["a", "b"]), 0
    for label in mixed(((True, False), 1.0, 0.1), ((False, True), 1.0, 0.1), ((False, False), 1.0, 0.8), count=1_000):
        before = contest.leading
        changes += judged(contest, [label]).leading != before

    assert changes <= 2


def test_what_is_long_ago_is_forgotten():
    """One that was better for a thousand labels leads no more soon after it is worse."""
    contest = judged(Contest(["a", "b"]), mixed(((True, False), 1.0, 0.3), ((False, False), 1.0, 0.7), count=1_000))
    judged(contest, mixed(((False, True), 1.0, 0.3), ((False, False), 1.0, 0.7), count=300))

    assert contest.leading == "a"


def test_accuracies_are_those_over_all_traffic():
    """The estimate weighs labels; what it rests on is told in random labels."""
    contest = judged(Contest(["a", "b"]), mixed(((True, False), 1.0, 0.5), ((False, True), 19.0, 0.5), count=2_000))
    first, second = contest.standings()

    assert first.accuracy == pytest.approx(0.95, abs=0.03)
    assert second.accuracy == pytest.approx(0.05, abs=0.03)
    assert 100 < first.labels < 300


def test_a_contest_is_frozen_thawed_and_told_apart_to_the_bit():
    """One label more is another state."""
    labels = mixed(((True, False), 3.0, 0.3), ((False, False), 1.0, 0.7))
    contest = judged(Contest(["a", "b"]), labels[:200])
    again = thaw(freeze(contest))

    assert digest(judged(again, labels[200:])) == digest(judged(contest, labels[200:])) != digest(judged(again, labels[:1]))
