"""The comparison with the peers: what it reads off, what it remembers, and that a peer only decides."""

import json

import pytest

from benchmarks.label_efficiency import cache, compare, peers
from benchmarks.label_efficiency.compare import Point
from benchmarks.label_efficiency.jobs import DEFAULT, FULL, RANDOM, Found, Job, run
from benchmarks.label_efficiency.verdict import leads

SMALL = Job("phishing", "logistic", DEFAULT, 0.1, seed=1, rows=300)


def found(accuracy, labels, control=None):
    """What came of a run over a thousand samples."""
    return Found(accuracy, labels, 1_000, control, 10.0)


def runs():
    """Two streams: the default's budgets, a peer that buys more than it is told, every label at two learning rates."""
    done = {}
    for stream, lead in (("a", 0.1), ("b", 0.02)):
        for budget, labels in ((0.01, 10), (0.1, 100)):
            for seed in (0, 1):
                done[Job(stream, "logistic", DEFAULT, budget, seed)] = found(0.7 + budget, labels, 0.7 + budget - lead)
            done[Job(stream, "logistic", "BIQF", budget, 0)] = found(0.7 + budget, 2 * labels)
        done[Job(stream, "logistic", FULL, 1.0, 0)] = found(0.9, 1_000)
        done[Job(stream, "logistic", FULL, 5.0, 0)] = found(0.95, 1_000)
    return done


def test_accuracies_are_read_off_between_and_held_beyond():
    """In the middle of the logarithms lies the mean; below the first share and above the last one nothing changes."""
    points = [Point(0.01, 0.7), Point(0.09, 0.9)]
    assert [compare.at(points, share) for share in (0.001, 0.01, 0.03, 0.09, 0.5)] == pytest.approx([0.7, 0.7, 0.8, 0.9, 0.9])


def test_a_rule_that_bought_nothing_counts_with_what_it_has():
    """A share of 0 has no logarithm."""
    assert compare.at([Point(0.0, 0.1)], 0.05) == 0.1


def test_rules_are_compared_at_the_labels_they_really_bought():
    """The peer that buys twice what it is told is behind where it is not left out, and random asking is the default's control."""
    drawn = compare.curves(runs(), "logistic")
    rows = {row.rule: row for row in compare.matched(drawn, 0.1)}

    assert rows[DEFAULT].rank == 1.0
    assert rows["BIQF"].lead > 0
    assert rows["BIQF"].wins == 2
    assert rows[RANDOM].lead == pytest.approx(0.06)
    assert "BIQF" not in {row.rule for row in compare.matched(drawn, 0.01)}


def test_full_supervision_takes_its_best_learning_rate():
    """It is the ceiling that the bar is measured from."""
    ceiling = compare.supervised(runs(), "logistic")
    bars = {bar.name: bar for bar in leads(compare.matched(compare.curves(runs(), "logistic"), 0.1), 0.1, ceiling["a"])}

    assert ceiling == {"a": 0.95, "b": 0.95}
    assert not bars["below full supervision at 10% of the labels"].reached
    assert bars["over random at 10% of the labels"].reached


def test_gains_are_paired_by_seed():
    """Seeds that agree leave no doubt; their mean over streams has an interval of its own."""
    gains = compare.gains(runs(), "logistic")
    assert gains[0, 0.1, "a"] == pytest.approx((0.1, 0.1, 0.1, 100))
    assert gains[0, 0.1, "mean"] == pytest.approx((0.06, 0.06, 0.06, 100))


def test_a_run_is_paired_with_random_asking_of_as_many_labels(tmp_path):
    """Runs that are in the file are not run again; those of other code are."""
    file = tmp_path / "runs.jsonl"
    first = cache.complete([SMALL], file, 1)
    kept = file.read_text(encoding="utf-8")
    again = cache.complete([SMALL], file, 1)

    assert first[SMALL].control is not None
    assert again == first
    assert file.read_text(encoding="utf-8") == kept
    file.write_text(json.dumps({**json.loads(kept), "code": "other"}) + "\n", encoding="utf-8")
    cache.complete([SMALL], file, 1)
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2


def test_entropy_sampling_asks_nothing_of_a_cold_model_of_many_classes():
    """As River ships it: with two classes its model says 0.5 before the first label, with more it says nothing."""
    assert peers.PEERS["EntropySampler"].make(0.1, 0, ["a", "b"]).wants({})
    assert not peers.PEERS["EntropySampler"].make(0.1, 0, ["a", "b", "c"]).wants({})


@pytest.mark.parametrize("peer", [name for name in peers.PEERS if name != "EntropySampler"])
def test_peers_of_scikit_activeml_decide_about_our_predictions(peer):
    """Their own code buys some of the labels, and no more than twice what it was told."""
    pytest.importorskip("skactiveml")
    done = run(SMALL._replace(rule=peer))

    assert 0 < done.labels < 0.2 * done.n
