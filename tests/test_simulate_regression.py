"""Simulation over labels that are numbers: what is noticed, what is measured, and what is told of it."""

import csv
import json
import math
import random

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.simulate import chosen, full, queried, sampled
from service.simulate.figure import FIGURES, number
from service.simulate.numbers import ErrorsRun
from service.simulate.plan import Options, Plan
from service.simulate.source import samples, source, survey

CONFIG = {"task": "regression", "budget": {"rate": 0.1, "burst": 10}}


def rows(count, seed=1):
    """Samples of y = 10 + 3 a, with noise."""
    rng = random.Random(seed)
    for _ in range(count):
        a, b = rng.gauss(0, 1), rng.gauss(0, 1)
        yield {"a": a, "b": b}, 10.0 + 3.0 * a + rng.gauss(0, 0.5)


@pytest.fixture
def file(tmp_path):
    """Such samples as a file."""
    path = tmp_path / "rents.csv"
    with path.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["a", "b", "rent"])
        writer.writerows([x["a"], x["b"], f"{y:.2f}"] for x, y in rows(400))
    return path


def simulated(*arguments):
    """What the command prints; it must end well."""
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_a_run_counts_every_sample():
    """Errors are of forecasts before learning; the first sample has none, and does not count. The same seed gives the same run."""
    stream = list(rows(400))
    one, again = queried(stream, CONFIG, seed=3), queried(stream, CONFIG, seed=3)

    assert isinstance(one, ErrorsRun)
    assert (list(one.known), one.bought) == (list(again.known), again.bought)
    assert (one.n, len(one.known)) == (400, 399)
    assert math.isnan(one.errors[0])
    assert one.mae < one.rmse < 1.5
    assert one.inside == pytest.approx(0.95, abs=0.05)
    assert one.estimate.low <= one.mae <= one.estimate.high


def test_more_labels_are_worth_something():
    """Every label beats forty at random, and both arms buy what they say."""
    stream = list(rows(400))
    every, few = full(stream, CONFIG), sampled(stream, CONFIG, labels=40, seed=1)
    assert (every.labels, few.labels) == (400, 40)
    assert every.mae < few.mae
    assert chosen(stream, CONFIG, lambda decision: decision.id < "00000010").labels == 10


def test_numbers_are_noticed(file, tmp_path):
    """A fraction makes numbers of a column, and so do many different ones; few whole ones are classes, and it can be said."""
    few = tmp_path / "few.csv"
    few.write_text("a,y\n1,1\n2,2\n3,1\n")
    many = tmp_path / "many.jsonl"
    many.write_text("".join(json.dumps({"a": place, "y": place}) + "\n" for place in range(60)))

    assert [source(path, None, None, None).task for path in (file, few, many)] == ["regression", "classification", "regression"]
    assert source(few, None, None, "regression").task == "regression"
    assert [label for _, label, _ in samples(source(few, None, None, "regression"))] == [1.0, 2.0, 1.0]


def test_the_best_constant_is_the_median(file):
    """What any model should beat: its error is what always saying the median gives."""
    seen = survey(source(file, "rent", None, None))
    said, score = seen.constant
    assert float(said) == pytest.approx(10.0, abs=0.5)
    assert score == pytest.approx(-3.0 * math.sqrt(2 / math.pi), rel=0.1)
    assert "numbers from" in seen.about


def test_the_command_tells_errors(file, tmp_path):
    """Tables, a recommendation that can be configured, a record a run, and a page."""
    records, page = tmp_path / "runs.json", tmp_path / "page.html"
    said = simulated(file, "--rule", "logit", "--rule", "random", "--budget", "0.1", "--seed", "0", "--json", records, "--report", page)
    found = json.loads(records.read_text())

    assert "reaches a mean absolute error of" in said
    assert '{"task":"regression","model":{"type":"linear"}' in said
    assert [one["rule"] for one in found] == ["logit", "random"]
    first = found[0]
    assert first["task"] == "regression"
    assert (first["model"], first["measure"]) == ("linear", "gsx")
    assert first["mae_low"] <= first["mae_estimate"] <= first["mae_high"]
    assert first["rmse_low"] <= first["rmse_estimate"] <= first["rmse_high"]
    assert 0.0 < first["mae_every_label"] < first["mae"] < first["rmse"]
    assert "accuracy" not in first
    assert "Mean absolute error by budget" in page.read_text()
    assert "Whether confidence" not in page.read_text()


def test_what_the_command_says_does_the_same_again(file):
    """Its own command names what was noticed."""
    options = Options(file).of("regression")
    assert "--model linear --measure gsx --task regression" in options.command()
    assert Plan(Options(file)).config("random", 0.1)["model"] == {"type": "auto"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,y\n1,0.5\n2,x\n", "line 3: the label 'x' is no finite number"),
        ("a,y\n1,0.5\n2,\n", "line 3: the label None is no finite number"),
        ("a,y\n1,1e999\n2,3\n", "line 2: the label '1e999' is no finite number"),
    ],
)
def test_what_is_no_number_is_refused_by_its_line(tmp_path, content, said):
    """With what may be done about it."""
    path = tmp_path / "bad.csv"
    path.write_text(content)
    result = CliRunner().invoke(app, ["simulate", str(path), "--task", "regression"])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_a_model_of_classes_is_refused_for_numbers(file):
    """By the option that brought it."""
    result = CliRunner().invoke(app, ["simulate", str(file), "--model", "logistic"])
    assert result.exit_code == 2
    assert "--model: the model 'logistic' is not for regression" in " ".join(result.output.split())


def test_scores_of_errors_are_negative():
    """So that more is better, and what is shown is the error again."""
    figure = FIGURES["regression"]
    assert figure.text(-12.34) == "12.3"
    assert (figure.gain(0.5), figure.gain(-0.5)) == ("-0.500", "+0.500")
    assert [number(value) for value in (0.0, 1e-9, 1e20, math.nan)] == ["0.00", "1.00e-09", "1e+20", "–"]
