"""The labelled data as files: what stands and nothing else, to the last bit, beside a server that goes on."""

import asyncio
import csv
import io
import itertools
import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from loadtest.server import serving
from service.adapters.sqlite import SqliteLog, SqliteReader, database_of
from service.cli import app
from service.core.embeddings import single
from service.core.errors import CannotExport, UnknownStream
from service.core.events import Withdrawn
from service.export.command import export
from service.export.data import LabelledData, standing

WILD = {
    "text": 'a,b;"c"\r\nü\t\n日本 🦊',
    "lone\rreturn": "\r",
    'name, with "quotes" and ü': " spaces ",
    "formula": "=1+1",
    "zeros": "007",
    "empty": "",
    "null": None,
    "yes": True,
    "no": False,
    "int": -(2**63),
    "float": 0.1 + 0.2,
    "whole": 3.0,
    "tiny": 5e-324,
}
FORMATS = ("jsonl", "csv", "parquet")


def untold(items, total, words):
    """Tell nobody how far it is."""
    return items


@pytest.fixture
async def house(build, tmp_path):
    """An engine over a real log below `tmp_path`, with a stream that asks about everything."""
    made = build(SqliteLog(tmp_path))
    await made.administration.put("s", {"budget": {"rate": 1.0, "burst": 500}})
    return made


async def labelled(house, features, label="ok"):
    """Have samples asked about and labelled."""
    for number, each in enumerate(features):
        await house.flow.observe("s", f"q{number}", dict(each))
        await house.flow.label("s", f"q{number}", label, "u1")


def rows(folder, format_="jsonl", stream="s"):
    """What an export gives, read with the usual tools."""
    path = folder / f"out-{len(list(folder.iterdir()))}.{format_}"
    export(folder, stream, format_, path, untold)
    if format_ == "jsonl":
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    if format_ == "csv":
        return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
    return pq.read_table(path).to_pylist()


async def test_a_row_has_all_that_was_paid_for(house, tmp_path):
    """The label, who gave it and when, how it was asked for, what the model thought, and the features."""
    await labelled(house, [{"x": 1.0}, {"x": -1.0}])
    asked = await house.flow.observe("s", "a", {"x": 2, "kind": "b"})
    house.clock.advance(60)
    await house.flow.label("s", "a", "no", "u2", labeled_at="2026-11-22T10:00:00Z")
    row = rows(tmp_path)[-1]
    query, prediction = asked.decision.query, asked.decision.prediction

    assert row == {
        "sample_id": "a",
        "label": "no",
        "labeler": "u2",
        "votes": [{"labeler": "u2", "label": "no"}],
        "labeled_at": "2026-11-22T10:00:00Z",
        "learned_at": "1970-01-12T13:47:40.000000Z",
        "asked": True,
        "synthetic": False,
        "probability": query.probability,
        "reason": query.reason,
        "utility": query.utility,
        "predicted": prediction.label,
        "confidence": prediction.confidence,
        "asked_at": "1970-01-12T13:46:40.000000Z",
        "features": {"x": 2, "kind": "b"},
    }
    assert prediction.label == "ok"


async def test_only_what_stands_is_there_in_log_order(house, tmp_path):
    """A correction stands at its own place, what was retracted or is still open is gone, second opinions are votes."""
    await labelled(house, [{"x": float(number)} for number in range(4)])
    await house.flow.observe("s", "open", {"x": 9})
    await house.flow.label("s", "q0", "no", "u1")
    await house.flow.retract("s", "q1", "u1")
    await house.flow.label("s", "q2", "no", "u2")
    found = rows(tmp_path)

    assert [(row["sample_id"], row["label"]) for row in found] == [("q2", "ok"), ("q3", "ok"), ("q0", "no")]
    assert found[0]["votes"] == [{"labeler": "u1", "label": "ok"}, {"labeler": "u2", "label": "no"}]


async def test_a_label_that_was_not_asked_for_has_no_probability(house, tmp_path):
    """Neither has one whose question nobody was shown: both must not pass for a random sample."""
    await house.flow.label("s", "brought", "ok", features={"x": 1})
    await house.flow.observe("s", "unseen", {"x": 1})
    await house.engine.journal.append("s", Withdrawn(0.0, "unseen"))
    await house.flow.label("s", "unseen", "ok")

    assert [(row["asked"], row["probability"], row["asked_at"]) for row in rows(tmp_path)] == [(False, None, None)] * 2


async def test_what_no_coin_decided_has_no_probability_and_made_samples_are_marked(build, tmp_path):
    """A batch of the pool, and a sample between two others."""
    house = build(SqliteLog(tmp_path))
    await house.administration.put("s", {"budget": {"rate": 0.0, "burst": 0}})
    for number in range(40):
        await house.flow.observe("s", f"n{number}", {"x": number - 20.0})
    await house.administration.patch("s", {"budget": {"burst": 50}})
    for item in (await house.engine.choosing.select("s", 20)).asked:
        await house.flow.label("s", item.event.sample_id, "high" if item.event.features["x"] > 0 else "low")
    (made,) = (await house.engine.choosing.synthesise("s", 1, ask=True)).made
    await house.flow.label("s", made.sample_id, "low")

    for format_ in FORMATS:
        *picked, last = rows(tmp_path, format_)
        assert {(row["reason"], row["probability"] or None, str(row["synthetic"]).lower()) for row in picked} == {("pool", None, "false")}
        assert (last["sample_id"], last["reason"], str(last["synthetic"]).lower()) == (made.sample_id, "synthetic", "true")


async def test_the_majority_settles_the_label(build, tmp_path):
    """The labeler is one who gave the label that stands, not whoever spoke last; one vote of three is no row yet."""
    house = build(SqliteLog(tmp_path))
    await house.administration.put("s", {"budget": {"rate": 1.0}, "labels": {"per_sample": 3}})
    for name in "ab":
        await house.flow.observe("s", name, {"x": 1})
    for labeler, label in (("u1", "no"), ("u2", "ok"), ("u3", "ok"), ("u4", "no")):
        await house.flow.label("s", "a", label, labeler)
    await house.flow.label("s", "b", "ok", "u1")
    (row,) = rows(tmp_path)

    assert (row["label"], row["labeler"], len(row["votes"])) == ("ok", "u2", 4)


async def test_what_stands_is_what_the_serving_state_says(house, tmp_path):
    """After many labels, corrections and retractions the votes, and what they settle, are those of the server."""
    rng = random.Random(1)
    for number in range(300):
        name, labeler = f"q{rng.randrange(40)}", rng.choice(["u1", "u2"])
        sample = house.learner().queries.samples.get(name)
        if number < 40:
            await house.flow.observe("s", f"q{number}", {"x": number})
        elif sample.vote_of(labeler) and rng.random() < 0.3:
            await house.flow.retract("s", name, labeler)
        else:
            await house.flow.label("s", name, rng.choice("abc"), labeler)
    await house.settled()
    serving = house.learner().queries
    found = standing(house.log.read("s", 0, 2**62))

    assert found.answered == serving.answered == len(rows(tmp_path)) > 20
    assert {name: (one.votes, one.taught, one.taught_seq) for name, one in found.samples.items()} == {
        name: (one.votes, one.taught, one.taught_seq) for name, one in serving.samples.items()
    }


async def test_json_lines_keep_every_value(house, tmp_path):
    """Kinds, bits, line breaks, nulls and absence; one line a row."""
    features = [WILD, {}, {"other": 1}, {"text": 1}]
    await labelled(house, features, 'ü, "q"')
    found = rows(tmp_path)

    assert [row["features"] for row in found] == features
    assert [(type(a), type(b)) for a, b in zip(found[0]["features"].values(), WILD.values(), strict=True)] == [
        (type(value), type(value)) for value in WILD.values()
    ]
    assert found[0]["label"] == 'ü, "q"'


async def test_csv_keeps_every_value_as_text(house, tmp_path):
    """Every feature in a column of its own, in order of appearance; null, absent and empty are empty."""
    await labelled(house, [WILD, {"other": 1}])
    first, second = rows(tmp_path, "csv")
    told = {"null": "", "yes": "true", "no": "false"}

    assert [name for name in first if name.startswith("feature.")] == [f"feature.{name}" for name in (*WILD, "other")]
    for name, value in WILD.items():
        text = first[f"feature.{name}"]
        assert text == (value if isinstance(value, str) else told.get(name, text))
        assert isinstance(value, str | bool | None) or (float if isinstance(value, float) else int)(text) == value
        assert second[f"feature.{name}"] == ""
    assert json.loads(first["votes"]) == [{"labeler": "u1", "label": "ok"}]


async def test_csv_is_rfc_4180(house, tmp_path):
    """Lines end with CR LF, also the last; there is no byte order mark."""
    await labelled(house, [{"x": 1}])
    export(tmp_path, "s", "csv", tmp_path / "x.csv", untold)
    content = (tmp_path / "x.csv").read_bytes()

    assert content.startswith(b"sample_id,label,")
    assert content.count(b"\r\n") == content.count(b"\n") == 2
    assert content.endswith(b",1\r\n")


async def test_parquet_keeps_every_value(house, tmp_path):
    """Text, bits, 64-bit integers and booleans come back as what they were."""
    await labelled(house, [WILD, {}])
    first, second = rows(tmp_path, "parquet")

    assert {name: first[f"feature.{name}"] for name in WILD} == WILD
    assert {second[f"feature.{name}"] for name in WILD} == {None}
    assert first["votes"] == [{"labeler": "u1", "label": "ok"}]
    assert first["asked_at"] == datetime.fromtimestamp(1_000_000, UTC)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([True, None, False], pa.bool_(), [True, None, False]),
        ([1, 2**62, None], pa.int64(), [1, 2**62, None]),
        ([1, 0.5], pa.float64(), [1.0, 0.5]),
        ([2**62 + 1, 0.5], pa.string(), ["4611686018427387905", "0.5"]),
        ([1, "1", None], pa.string(), ["1", "1", None]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([None], pa.string(), [None]),
    ],
)
async def test_a_parquet_column_has_one_type(house, tmp_path, values, kind, expected):
    """The narrowest that loses nothing; what is mixed is text."""
    await labelled(house, [{"x": value} for value in values])
    export(tmp_path, "s", "parquet", tmp_path / "x.parquet", untold)
    table = pq.read_table(tmp_path / "x.parquet")

    assert table.schema.field("feature.x").type == kind
    assert table["feature.x"].to_pylist() == expected


@pytest.mark.parametrize(("format_", "expected"), [("jsonl", [0.5, -1.0]), ("csv", "[0.5,-1.0]"), ("parquet", [0.5, -1.0])])
async def test_embeddings_are_arrays(house, tmp_path, format_, expected):
    """In CSV as a JSON text; a missing one is empty."""
    await labelled(house, [{"vec": single([0.5, -1.0])}, {"vec": None}])
    first, second = (row["features"] if format_ == "jsonl" else {"vec": row["feature.vec"]} for row in rows(tmp_path, format_))

    assert first["vec"] == expected
    assert not second["vec"]


async def test_columns_are_those_of_what_stands(house, tmp_path):
    """A feature that only a retracted sample had leaves no column."""
    await labelled(house, [{"kept": 1}, {"gone": 1}])
    await house.flow.retract("s", "q1", "u1")

    assert "feature.gone" not in rows(tmp_path, "csv")[0]
    assert "feature.gone" not in rows(tmp_path, "parquet")[0]


@pytest.mark.parametrize("format_", FORMATS)
async def test_no_labels_are_a_file_without_rows(house, tmp_path, format_):
    """A stream in which nobody has answered yet is no mistake."""
    await house.flow.observe("s", "open", {"x": 1})

    assert rows(tmp_path, format_) == []


@pytest.mark.parametrize("format_", FORMATS)
async def test_many_rows_come_whole_and_in_order(house, tmp_path, format_):
    """More than are read or written at once."""
    await asyncio.gather(*(house.flow.label("s", f"q{number}", "ok", features={f"x{number % 3}": number}) for number in range(1_100)))
    found = rows(tmp_path, format_)

    assert [row["sample_id"] for row in found] == [f"q{number}" for number in range(1_100)]


async def test_what_comes_later_is_for_the_next_export(house, tmp_path):
    """The rows are those of one moment, whatever happens while they are written."""
    await labelled(house, [{"x": 1}, {"x": 2}])
    reader = SqliteReader(database_of(tmp_path))
    data = LabelledData(reader, "s", untold)
    await house.flow.label("s", "q0", "no", "u1")
    await house.flow.label("s", "late", "ok", features={"x": 3})
    found = list(data.rows())
    reader.close()

    assert [(row.sample_id, row.label) for row in found] == [("q0", "ok"), ("q1", "ok")]
    assert len(data) == 2


async def test_an_existing_file_is_left_alone(house, tmp_path):
    """No export overwrites another, and it says so before it reads; nor does it where the other one came meanwhile."""
    await labelled(house, [{"x": 1}])

    def slow(items, total, words):
        (tmp_path / "x.csv").write_text("mine")
        return items

    for track in (slow, lambda *_: 1 / 0):
        with pytest.raises(CannotExport, match="exists already"):
            export(tmp_path, "s", "csv", tmp_path / "x.csv", track)

    assert (tmp_path / "x.csv").read_text() == "mine"


async def test_a_file_has_its_name_only_when_it_is_complete(house, tmp_path):
    """An export that breaks off leaves nothing."""
    await labelled(house, [{"x": 1}] * 3)
    before = set(tmp_path.iterdir())

    def broken(items, total, words):
        if words != "writing":
            return items
        assert [path.name for path in set(tmp_path.iterdir()) - before if path.suffix != ".part"] == []
        return itertools.chain(itertools.islice(items, 1), (1 / 0 for _ in "x"))

    for format_ in FORMATS:
        with pytest.raises(ZeroDivisionError):
            export(tmp_path, "s", format_, tmp_path / "x", broken)

    assert set(tmp_path.iterdir()) == before


async def test_what_cannot_be_written_says_why(house, tmp_path):
    """A sentence instead of a traceback."""
    for stream, format_, output, error, words in (
        ("none", "jsonl", None, UnknownStream, "there are: s"),
        ("s", "parquet", None, CannotExport, "name it with -o"),
        ("s", "csv", tmp_path / "no" / "x.csv", CannotExport, "No such file"),
    ):
        with pytest.raises(error, match=words):
            export(tmp_path, stream, format_, output, untold)


def run(*arguments, python=("-m", "service")):
    """Run `askwhen export` to its end, in a process of its own."""
    command = [sys.executable, *python, "export", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, env={**os.environ, "PYTHONHASHSEED": "0"})


def test_the_command_line_exports_beside_a_running_server(tmp_path):
    """Standard output has the rows alone, a file gets a word; the server does not mind."""
    with serving(tmp_path / "data") as server, httpx.Client(base_url=server.url) as http:
        http.put("/v1/streams/s", json={"budget": {"rate": 1.0}}).raise_for_status()
        for number in range(5):
            http.post("/v1/streams/s/samples", json={"id": f"a/{number}", "features": {"x": number, "t": "ü"}}).raise_for_status()
            http.post("/v1/streams/s/labels", json={"sample_id": f"a/{number}", "label": number % 2 == 0}).raise_for_status()
        lines = run("s", "--data", tmp_path / "data")
        table = run("s", "--data", tmp_path / "data", "--format", "parquet", "-o", tmp_path / "x.parquet")
        still = http.post("/v1/streams/s/labels", json={"sample_id": "a/0", "label": False})

    assert (lines.returncode, lines.stderr) == (0, b"")
    assert [json.loads(line)["label"] for line in lines.stdout.splitlines()] == ["true", "false", "true", "false", "true"]
    assert (table.returncode, table.stderr) == (0, b"")
    assert table.stdout.decode() == f"{tmp_path / 'x.parquet'} (5 labelled samples)\n"
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 5
    assert still.json()["outcome"] == "corrected"


async def test_mistakes_on_the_command_line_end_with_2_and_a_sentence(house, tmp_path):
    """Nothing is written, and standard output stays empty."""
    await labelled(house, [{"x": 1}])
    (tmp_path / "taken").touch()
    for arguments, words in (
        (["none"], "there is no stream 'none' in this folder; there are: s"),
        (["s", "--format", "parquet"], "Parquet is written to a file; name it with -o"),
        (["s", "-o", tmp_path / "taken"], "exists already"),
    ):
        done = CliRunner().invoke(app, ["export", *map(str, arguments), "--data", str(tmp_path)])
        assert (done.exit_code, done.stdout, words in done.stderr) == (2, "", True)


def test_without_pyarrow_parquet_says_what_to_install(tmp_path):
    """The other formats need nothing."""
    SqliteLog(tmp_path).close()
    bare = ("-c", "import sys; sys.modules['pyarrow'] = None; from service.cli import app; app()")
    refused = run("s", "--data", tmp_path, "--format", "parquet", "-o", tmp_path / "x", python=bare)

    assert refused.returncode == 2
    assert b"pip install 'askwhen[parquet]'" in refused.stderr
