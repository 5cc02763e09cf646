"""Probabilities of the caller's own model in files: what is exported is imported again, and can be simulated."""

import csv
import io
import json
import math
import random

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from loadtest.server import serving
from service.adapters.sqlite import SqliteLog
from service.cli import app
from service.client import Client, Invalid, Label, Sample
from service.core.errors import Invalid as Refused
from service.export.command import export
from service.simulate.plan import Options, Plan
from service.simulate.source import samples, source, survey
from service.tabular import BadFile


def untold(items, total, words):
    """Tell nobody how far it is."""
    return items


@pytest.fixture
async def exported(build, tmp_path):
    """A folder with a stream that has a label with probabilities and one without, and a function that exports it."""
    house = build(SqliteLog(tmp_path))
    await house.administration.put("s", {"budget": {"rate": 1.0, "burst": 10}})
    await house.flow.observe("s", "a", {"x": 1}, probabilities={"ok": 0.7, "fraud, and more": 0.3})
    await house.flow.label("s", "a", "ok")
    await house.flow.label("s", "b", "ok", features={"x": 2})

    def write(format_):
        path = tmp_path / f"out.{format_}"
        export(tmp_path, "s", format_, path, untold)
        return path

    return write


async def test_an_export_has_what_the_caller_said_in_columns_of_its_own(exported):
    """In every format; a sample that stated nothing has none."""
    lines = [json.loads(line) for line in exported("jsonl").read_bytes().splitlines()]
    table = list(csv.DictReader(io.StringIO(exported("csv").read_text(), newline="")))
    parquet = pq.read_table(exported("parquet")).to_pylist()

    assert [line.get("probabilities") for line in lines] == [{"ok": 0.7, "fraud, and more": 0.3}, None]
    assert [(row["probability:ok"], row["probability:fraud, and more"]) for row in table] == [("0.7", "0.3"), ("", "")]
    assert [(row["probability:ok"], row["probability:fraud, and more"]) for row in parquet] == [(0.7, 0.3), (None, None)]


def rows(count, seed=0, factor=4.0):
    """Rows of a file whose probabilities come from a model that is too sure."""
    rng = random.Random(seed)
    for _ in range(count):
        logit = rng.gauss(0.0, 1.5)
        label = "pos" if rng.random() < 1.0 / (1.0 + math.exp(-logit)) else "neg"
        p = 1.0 / (1.0 + math.exp(-factor * logit))
        yield f"{rng.random():.3f},{p:.6f},{1.0 - p:.6f},{label}"


@pytest.fixture
def file(tmp_path):
    """A CSV file with probabilities."""
    path = tmp_path / "scored.csv"
    path.write_text("\n".join(["x,probability:pos,probability:neg,class", *rows(600)]) + "\n")
    return path


def test_a_file_with_probabilities_is_simulated_as_an_external_model(file, tmp_path):
    """Its accuracy is the caller's, whatever the rule buys; without their columns the model is refused."""
    out = tmp_path / "runs.json"
    command = ["simulate", str(file), "--model", "external", "--budget", "0.1", "--rule", "logit", "--rule", "random", "--seed", "0"]
    done = CliRunner().invoke(app, [*command, "--json", str(out)])
    found = json.loads(out.read_text())
    right = sum(max(said, key=said.get) == label for _, label, said in samples(source(file, None, None)))

    assert done.exit_code == 0, done.output
    assert {record["accuracy"] for record in found} == {right / 600}
    assert all(record["labels"] > 30 for record in found)


def test_an_external_model_needs_every_row_to_have_probabilities(file):
    """Which rows are short is said, and where they belong."""
    file.write_text(file.read_text() + "0.5,,,pos\n")
    seen = survey(source(file, None, None))

    assert seen.unstated == 1
    assert seen.features == ["x"]
    with pytest.raises(Refused, match=r"1 rows have no probabilities.*probability:CLASS"):
        Plan(Options(file, model="external")).follow(seen)


@pytest.mark.parametrize(
    ("row", "said"),
    [("1,0.5,0.4,pos", "sum to 0.9"), ("1,-0.5,1.5,pos", "probability:pos"), ("1,many,0.5,pos", "a probability is a number")],
)
def test_cells_that_are_no_probabilities_are_refused_with_their_line(file, row, said):
    """As the service refuses them."""
    file.write_text(f"x,probability:pos,probability:neg,class\n{row}\n")
    with pytest.raises(BadFile, match=said) as caught:
        list(samples(source(file, None, None)))

    assert "line 2" in str(caught.value)


def test_probabilities_alone_are_enough_and_are_never_taken_for_the_label(tmp_path):
    """A file of scores and labels; the label's column is the last that is none of theirs."""
    path = tmp_path / "scores.csv"
    path.write_text("truth,probability:a,probability:b\na,0.9,0.1\nb,0.2,0.8\n")
    origin = source(path, None, None)

    assert origin.label == "truth"
    assert survey(origin).rows == 2
    assert [said for _, _, said in samples(origin)] == [{"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.8}]


def test_the_client_and_an_import_send_probabilities(file, tmp_path):
    """One by one, many at once, with labels and from a file, to a real server; what it holds is shown again."""
    with serving(tmp_path / "data") as server, Client(server.url) as client:
        client.put("e", {"model": {"type": "external"}, "budget": {"rate": 1.0}})
        one = client.sample("e", {}, sample_id="a", probabilities={"pos": 0.8, "neg": 0.2})
        [two] = client.samples("e", [Sample({}, "b", probabilities={"pos": 0.4, "neg": 0.6})])
        with pytest.raises(Invalid, match="send the probabilities"):
            client.sample("e", {})
        shown = {question.sample_id: question.probabilities for question in client.queries("e")}
        brought = client.label("e", "c", "pos", features={}, probabilities={"pos": 0.8, "neg": 0.2})
        [many] = client.labels("e", [Label("d", "pos", features={}, probabilities={"pos": 0.8, "neg": 0.2})])
        done = CliRunner().invoke(app, ["import", "e", str(file), "--label", "class", "--url", server.url])
        said = client.sample("e", {}, probabilities={"pos": 0.999, "neg": 0.001}).prediction
        held = client.sample_state("e", "a").probabilities
        trust = client.get("e").summary.recalibration

    assert (one.prediction.label, two.prediction.label) == ("pos", "neg")
    assert shown == {"a": {"pos": 0.8, "neg": 0.2}, "b": {"pos": 0.4, "neg": 0.6}}
    assert held == {"pos": 0.8, "neg": 0.2}
    assert (brought.outcome, many.outcome, done.exit_code) == ("learned", "learned", 0), done.output
    assert said.label == "pos"
    assert trust.labels > 500
    assert trust.temperature == pytest.approx(4.0, rel=0.3)
    assert 0.75 < said.confidence < 0.95  # four times too sure: 0.85
