"""The benchmark of callers' models: what it trains, what it runs, and when a bar is missed."""

from statistics import fmean

import pytest

from benchmarks.external import __main__ as external
from benchmarks.external.cache import complete
from benchmarks.external.callers import SHARPENED, stated
from benchmarks.external.jobs import Calibrated, Job, Stacked, Window, accuracy, run
from service.core.evaluation import Estimate
from service.core.features import label_text

STREAM = "image-segments"


def estimate(accuracy, low, high):
    """An estimate as it is told."""
    return Estimate(500, 1.0, 30, 30, accuracy, low, high, 0.5, 20.0, None)


def test_a_sharpened_model_is_as_good_and_surer():
    """The same classes are named; confidence is far above the accuracy."""
    sharp = stated("overconfident-forest", STREAM, None, 1_000)
    plain = stated("forest", STREAM, None, 1_000)

    assert SHARPENED > 1.0
    assert accuracy(sharp) == pytest.approx(accuracy(plain), abs=0.01)
    assert fmean(max(said.values()) for *_, said in sharp) > fmean(max(said.values()) for *_, said in plain)


def test_a_caller_knows_nothing_of_what_it_is_asked_about():
    """It is trained on the first part, and the rest comes in its order."""
    from benchmarks.label_efficiency.streams import load  # noqa: PLC0415 - the same rows

    rows = load(STREAM, None, 1_000)
    later = stated("weak", STREAM, None, 1_000)

    assert [(features, label) for features, label, _ in later] == rows[300:]
    assert all(sum(said.values()) == pytest.approx(1.0) for *_, said in later)


def test_figures_are_kept_and_not_made_again(tmp_path):
    """A benchmark that is run in pieces goes on from its file."""
    job = Job("stacking", STREAM, "noise", 0, 400, None)
    first = complete([job], tmp_path / "found.jsonl", 1)
    (tmp_path / "found.jsonl").write_text((tmp_path / "found.jsonl").read_text().replace('"noise"', '"weak"'))
    again = complete([job._replace(caller="weak")], tmp_path / "found.jsonl", 1)

    assert list(again.values()) == list(first.values())
    assert run(job) == first[job]


def test_a_run_of_windows_tells_the_callers_accuracy():
    """The truth of a window is the share that the caller's model named, whatever was learned."""
    job = Job("windows", STREAM, "overconfident", 0, 1_800, None)
    [first, *_] = run(job)
    rows = stated("overconfident", STREAM, None, 1_800)[:500]

    assert first.size == 500
    assert first.truth == fmean(max(said, key=said.get) == label_text(label) for _, label, said in rows)


def test_bars_that_are_missed_are_said():
    """A calibration error, questions about what is sure, intervals that miss, evidence that costs."""
    jobs = [Job(part, "a", "overconfident", 0, None, None) for part in ("calibration", "windows", "stacking")]
    good = dict(
        zip(
            jobs,
            (
                Calibrated(0.2, 0.02, 300, 0.6, 0.9),
                [Window(500, estimate(0.9, 0.8, 0.95), 0.88 if n else 0.7) for n in range(20)],
                Stacked(0.8, 0.8, 0.7),
            ),
            strict=True,
        )
    )
    bad = {
        jobs[0]: Calibrated(0.2, 0.05, 300, 0.95, 0.9),
        jobs[1]: [Window(500, estimate(0.9, 0.8, 0.95), 0.7)] * 20,
        jobs[2]: Stacked(0.8, 0.79, 0.7),
    }

    assert [wrong for _, some in external.told(good, short=False) for wrong in some] == []
    assert [" ".join(wrong.split()[:3]) for _, some in external.told(bad, short=False) for wrong in some] == [
        "overconfident on a:",
        "overconfident: the calibration",
        "intervals hold the",
        "overconfident costs 1.00",
    ]
