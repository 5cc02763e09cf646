"""Simulation: the same core as in service, prequential accuracy, late and lost labels, and where labelled streams come from."""

import gzip
import random

import pytest

from service.core.catalogue import effective
from service.core.errors import Invalid
from service.core.events import Configured
from service.core.learner import Learner
from service.simulate import full, queried, sampled
from service.simulate.datasets import SHIPPED, read_csv, shipped


def plain(n=300, classes=2, seed=0):
    """Return a stream that a line separates."""
    chance = random.Random(seed)
    rows = ({"a": chance.gauss(0, 1), "b": chance.gauss(0, 1)} for _ in range(n))
    return [(row, min(classes - 1, int((row["a"] + 3) * classes / 6))) for row in rows]


def without_time(run):
    """Return what must repeat."""
    return run.correct, run.bought, run.learned


def test_a_run_says_what_the_service_would_have_said():
    """The estimate comes from the bought labels alone, with the truth in its interval; a run that asked nothing claims nothing."""
    run = queried(plain(4_000), {"budget": {"rate": 0.1}}, seed=2)

    assert run.accuracy_low < run.accuracy < run.accuracy_high
    assert run.accuracy_low < run.accuracy_estimate < run.accuracy_high
    assert run.accuracy_naive < run.accuracy
    assert (run.estimate.n, run.estimate.asked) == (4_000, run.labels)
    assert sampled(plain(), {}, labels=50).accuracy_estimate is None


def test_it_repeats_itself():
    """The same arguments give the same run, another seed gives another one."""
    assert without_time(queried(plain(), {}, seed=3)) == without_time(queried(plain(), {}, seed=3))
    assert queried(plain(), {}, seed=3).bought != queried(plain(), {}, seed=4).bought


def test_nothing_is_known_before_the_first_label():
    """A sample without a prediction counts as wrong, so with full supervision of one class exactly the first is."""
    run = full([({"a": 1.0}, "x")] * 10, {})
    assert run.correct == bytes([0] + [1] * 9)
    assert (run.n, run.labels, run.learned, run.rate, run.accuracy) == (10, 10, 10, 1.0, 0.9)


@pytest.mark.parametrize("delay", [0, 1, 7])
def test_labels_come_late(delay):
    """With a delay of d samples the first prediction is right d places later, and the last d labels never arrive."""
    run = full([({"a": 1.0}, "x")] * 20, {}, delay=delay)
    assert run.correct == bytes([0] * (1 + delay) + [1] * (19 - delay))
    assert (run.labels, run.learned) == (20, 20 - delay)


def test_predictions_come_before_learning():
    """On labels that are coin flips not even full supervision is better than chance: no label is known when it is predicted."""
    chance = random.Random(1)
    stream = [({"a": chance.random()}, chance.random() < 0.5) for _ in range(2_000)]
    assert 0.45 < full(stream, {"model": {"type": "knn"}}).accuracy < 0.55


def test_random_buys_exactly_k():
    """The random arm buys exactly the labels that it is told, drawn anew with every seed."""
    stream = plain()
    runs = [sampled(stream, {}, labels=37, seed=seed) for seed in (1, 2)]
    assert [run.labels for run in runs] == [37, 37]
    assert runs[0].bought != runs[1].bought
    assert sampled(stream, {}, labels=len(stream)).correct == full(stream, {}).correct


def test_questions_are_those_of_the_service():
    """Driven by hand with the same secret, a learner asks at the same samples and predicts the same."""
    stream, config = plain(), {"budget": {"rate": 0.1, "burst": 10}}
    run = queried(stream, config, seed=5)
    desk = Learner(1, Configured(0.0, effective(config), _secret(5)))
    bought, correct, seq = [], [], 1
    for i, (features, label) in enumerate(stream):
        decision = desk.decide(f"{i:08}", features, float(i))
        bought.append(decision.query.ask)
        correct.append(decision.prediction.label == str(label))
        if decision.query.ask:
            asked = desk.question(decision, features)
            desk.apply(seq := seq + 1, asked)
            answer = desk.answer(decision.id, str(label), "", features, float(i), brought=False, labeled_at=None)
            desk.apply(seq := seq + 1, answer)
    assert (list(run.bought), list(run.correct)) == (bought, correct)


def _secret(seed):
    from hashlib import blake2b  # noqa: PLC0415 - here only

    return blake2b(str(seed).encode(), digest_size=16).digest()


def test_lost_labels_are_paid_for():
    """Questions whose answers get lost count as bought and teach nothing; with all of them lost nothing is ever predicted."""
    run = queried(plain(), {}, lost=1.0)
    assert (run.learned, run.accuracy) == (0, 0.0)
    assert run.labels > 0
    half = queried(plain(2_000), {}, lost=0.5)
    assert 0.3 * half.labels < half.learned < 0.7 * half.labels


def test_lost_questions_expire():
    """Where expired questions are given back, lost answers do not use the budget up."""
    stream = plain(1_000)
    labels = {"expire_after": 100.0, "give_back": True}
    kept = queried(stream, {"budget": {"burst": 10}}, lost=1.0)
    back = queried(stream, {"budget": {"burst": 10}, "labels": labels}, lost=1.0)
    assert kept.labels <= 60 < back.labels


def test_time_runs_between_samples():
    """With samples an hour apart a cap of one label a day buys one a day."""
    run = queried(plain(240), {"budget": {"rate": 1.0, "labels": 1, "per": "day"}}, interval=3_600.0)
    assert [sum(run.bought[day * 24 : day * 24 + 24]) for day in range(10)] == [1] * 10


def test_accuracy_of_the_end_and_on_the_way():
    """`accuracy_last` looks at the last samples alone; the curve has a point for every label and ends with the whole."""
    run = full([({"a": 1.0}, "x")] * 4, {}, delay=1)
    assert (run.accuracy, run.accuracy_last(2)) == (0.5, 1.0)
    assert run.curve() == [(1, 0.0), (2, 0.0), (3, 1 / 3), (4, 0.5), (4, 0.5)]


def test_an_empty_stream_has_an_empty_run():
    """Nothing in, nothing out."""
    run = full([], {})
    assert (run.n, run.labels, run.accuracy, run.rate, run.curve()) == (0, 0, 0.0, 0.0, [(0, 0.0)])


def test_asking_well_is_worth_its_labels():
    """On image segments the default beats as many random labels by several points."""
    stream = list(shipped("image-segments"))
    default = queried(stream, {"budget": {"rate": 0.1}}, seed=1)
    assert default.accuracy > sampled(stream, {}, labels=default.labels, seed=1).accuracy + 0.04
    assert default.microseconds_per_decision > 0


@pytest.mark.parametrize(
    ("name", "n", "classes"), [("phishing", 1_250, 2), ("image-segments", 2_310, 7), ("bananas", 5_300, 2), ("shuttle", 49_097, 2)]
)
def test_sets_come_with_river(name, n, classes):
    """Every shipped set is read from the wheel, in full."""
    rows = list(shipped(name))
    assert (len(rows), len({label for _, label in rows})) == (n, classes)
    assert name in SHIPPED


# Files

TABLE = "size,colour,label,note\n1.5,red,yes,\n,blue,no,7\nnan,,yes,x\n"


def test_csv_types(tmp_path):
    """Numeric columns become numbers, others stay texts, empty cells and NaN are missing; the label is the named column."""
    path = tmp_path / "rows.csv"
    path.write_text(TABLE, encoding="utf-8")
    assert list(read_csv(path, "label")) == [
        ({"size": 1.5, "colour": "red", "note": None}, "yes"),
        ({"size": None, "colour": "blue", "note": 7.0}, "no"),
        ({"size": None, "colour": None, "note": "x"}, "yes"),
    ]


def test_gzipped_csv_with_the_label_last(tmp_path):
    """A gzipped file is read alike; without a name the last column is the label; a text that looks like a number stays text."""
    path = tmp_path / "rows.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("text,label\nhello,1\n42,0\n")
    assert list(read_csv(path)) == [({"text": "hello"}, "1"), ({"text": "42"}, "0")]


def test_a_missing_label_column_is_named(tmp_path):
    """The error says which columns there are."""
    path = tmp_path / "rows.csv"
    path.write_text(TABLE, encoding="utf-8")
    with pytest.raises(Invalid, match="no column 'target'; there are size, colour, label, note"):
        list(read_csv(path, "target"))
