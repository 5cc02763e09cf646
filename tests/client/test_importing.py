"""`askwhen import` against a real server, and the files that it reads."""

import gzip
import json
import re
import signal
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from loadtest.server import serving
from service.cli import app
from service.client import ONCE, Busy, Client, Vote
from service.importing.lesson import Columns, Lesson
from service.tabular import BadFile, stem, table
from tests.client.servers import DROP, Reply, listening

ROWS = [
    {"amount": n / 2, "country": "DE" if n % 3 else None, "new": n % 2 == 0, "label": "fraud" if n % 4 == 0 else "ok"} for n in range(25)
]


@pytest.fixture
def ready(front, stream):
    """A client of the server, where the stream knows its classes."""
    with Client(front.url) as client:
        client.put(stream, {"classes": ["ok", "fraud"]})
        yield client


@pytest.fixture
def learn(front, stream, ready):
    """Run `askwhen import` on the stream."""

    def run(*arguments, url=front.url, into=stream):
        done = CliRunner().invoke(app, ["import", into, *map(str, arguments), "--url", url])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return run


def written(path, rows=ROWS):
    """Rows in a file of the kind that its name says."""
    plain = path.with_name(path.name.removesuffix(".gz"))
    if plain.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), plain)
    elif plain.suffix == ".csv":
        cells = [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
        plain.write_text("\n".join([",".join(rows[0]), *cells]) + "\n")
    else:
        plain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if path != plain:
        path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


KINDS = ["orders.csv", "orders.csv.gz", "orders.jsonl", "orders.jsonl.gz", "orders.ndjson", "orders.parquet"]


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_any_kind_teaches_once_however_often_it_is_imported(learn, ready, stream, tmp_path, name):
    """All rows are learned; the second time all are known."""
    file = written(tmp_path / name)
    first = learn(file, "--labeler", "ada")
    second = learn(file, "--labeler", "ada")

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert re.search(r"learned +│ +25", first.stdout)
    assert re.search(r"duplicate +│ +25", second.stdout)
    assert ready.get(stream).summary.taught == 25
    assert ready.sample_state(stream, "orders-1").labels == [Vote("ada", "fraud")]
    assert "\x1b" not in first.stdout + first.stderr


@pytest.mark.parametrize("name", KINDS)
def test_rows_are_the_same_in_a_file_of_any_kind(tmp_path, name):
    """Numbers, booleans and missing values are those that were written."""
    with table(written(tmp_path / name), ["label"]) as found:
        assert found.share < 1
        assert [row.cells for row in found.rows] == ROWS
        assert found.share == 1


def test_an_import_that_was_cut_short_goes_on(learn, tmp_path):
    """What was learned is known, the rest is learned."""
    learn(written(tmp_path / "orders.csv", ROWS[:10]))
    done = learn(written(tmp_path / "orders.csv"))

    assert re.search(r"duplicate +│ +10", done.stdout)
    assert re.search(r"learned +│ +15", done.stdout)


def test_rows_go_in_their_order_in_chunks(learn, front, tmp_path):
    """The model learns them as they stand in the file."""
    front.batches.clear()
    learn(written(tmp_path / "orders.csv"), "--chunk", 10)

    assert [len(batch) for batch in front.batches] == [10, 10, 5]
    assert [name for batch in front.batches for name in batch] == [f"orders-{n}" for n in range(1, 26)]


def test_an_import_ends_at_a_row_that_the_server_stays_short_of_something_for(script, tmp_path):
    """What follows would be learned before it: exit code 2, with what was learned and why it ended."""
    busy = {"type": "/problems/x", "title": "X", "status": 503, "detail": "the log is locked"}
    learned = {"sample_id": "a", "outcome": "learned", "model_version": 1}
    batch = "".join(json.dumps(line) + "\n" for line in (learned, busy, learned))
    script.say(Reply(body=batch.encode()))
    with Client(script.url, retries=ONCE) as client:
        lesson = Lesson(client, "s", Columns(tmp_path / "o.jsonl", "label", None, None), chunk=3)
        with table(written(tmp_path / "o.jsonl", ROWS[:6]), ["label"]) as rows, pytest.raises(Busy, match="locked"):
            list(lesson.teach(rows))

    assert (lesson.tally.outcomes, lesson.tally.refused, len(script.requests)) == ({"learned": 1}, 0, 1)


def test_columns_are_as_told(learn, ready, stream, tmp_path):
    """An id is a text, also where it looks like a number; neither it nor the label is a feature."""
    (tmp_path / "t.csv").write_text("key,x,truth\n007,1,ok\n")
    done = learn(tmp_path / "t.csv", "--id", "key", "--label", "truth")

    assert done.exit_code == 0, done.output
    assert ready.sample_state(stream, "007").labels == [Vote("", "ok")]


def test_refused_rows_are_told_with_their_lines_and_reasons(learn, tmp_path):
    """The others are learned; exit code 1."""
    rows = [dict(row) for row in ROWS]
    for line in range(3, 12):
        rows[line - 1]["label"] = "frod"
    rows[19]["label"] = None
    done = learn(written(tmp_path / "orders.jsonl", rows), "--chunk", 4)

    assert done.exit_code == 1
    assert re.search(r"learned +│ +15", done.stdout)
    assert re.search(r"without a label +│ +1\b", done.stdout)
    assert re.search(r"refused +│ +9", done.stdout)
    assert re.findall(r"refused: line (\d+): 'frod' is none of the stream's classes.*\(#/label\)", done.stdout) == list("34567")
    assert "and 4 more" in done.stdout


def test_a_line_is_where_an_editor_finds_it(learn, tmp_path):
    """The header, empty lines and cells of several lines count."""
    (tmp_path / "t.csv").write_text('text,label\n"a\nb",ok\n\nc,frod\n')
    assert "line 5: 'frod'" in learn(tmp_path / "t.csv").stdout


def test_nothing_to_work_with_is_explained(learn, tmp_path, stream):
    """Exit code 2 and a sentence."""
    file = written(tmp_path / "orders.csv")
    for arguments, options, words in (
        ([file, "--label", "truth"], {}, "no column 'truth'; there are amount, country, new, label"),
        ([tmp_path / "none.csv"], {}, "cannot be read"),
        ([file], {"into": "nowhere"}, "there is no stream 'nowhere'"),
        ([file], {"url": "http://127.0.0.1:9"}, "no answer from http://127.0.0.1:9"),
        ([file], {"url": "127.0.0.1:9"}, "no address"),
        ([written(tmp_path / "empty.jsonl", [{"label": None}])], {}, "no row of empty.jsonl has a label"),
    ):
        done = learn(*arguments, **options)
        assert (done.exit_code, words in done.stderr) == (2, True), done.output


def test_what_was_taken_before_a_file_ends_badly_is_told(learn, tmp_path):
    """Exit code 2, with the line; what stands before it is learned."""
    file = written(tmp_path / "orders.jsonl")
    file.write_text(file.read_text() + "{oops\n")
    done = learn(file, "--chunk", 10)

    assert done.exit_code == 2
    assert re.search(r"learned +│ +20", done.stdout)
    assert "line 26: not a JSON object" in done.stderr


def test_an_interrupted_import_says_how_to_go_on(tmp_path):
    """Ctrl-C ends it with 130, also while it waits for a server that went away."""

    def reply(request):
        if request.path.endswith("/labels"):
            process.send_signal(signal.SIGINT)
            return DROP
        return Reply(body=b'{"queries": [], "cursor": null}')

    with listening(reply) as url:
        command = [sys.executable, "-m", "service", "import", "s", str(written(tmp_path / "t.csv")), "--url", url]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            said = process.communicate(timeout=60)[1]

    assert (process.returncode, "run it again" in said) == (130, True), said


def test_the_key_comes_from_the_option_or_the_environment(script, tmp_path, monkeypatch):
    """The nearer source wins."""
    script.say(Reply(401, b'{"type": "", "title": "", "status": 401, "detail": "who are you?"}'))
    monkeypatch.setenv("ASKWHEN_KEY", "theirs")
    for command, more in (("import", []), ("import", ["--key", "mine"]), ("answer", []), ("answer", ["--key", "mine"])):
        file = written(tmp_path / "t.csv", [{"id": "a", "label": "ok"}])
        done = CliRunner().invoke(app, [command, "s", str(file), "--url", script.url, *more])
        assert (done.exit_code, "who are you?" in done.stderr) == (2, True)

    assert [request.headers["Authorization"] for request in script.requests] == ["Bearer theirs", "Bearer mine"] * 2


def test_a_key_that_may_label_is_enough(tmp_path):
    """Whoever imports need not be able to change streams."""
    keys = {
        scope: CliRunner().invoke(app, ["keys", "create", scope, "--scope", scope, "--data", str(tmp_path)]) for scope in ("admin", "label")
    }
    admin, labels = (keys[scope].stdout.strip() for scope in ("admin", "label"))
    with serving(tmp_path) as server:
        with Client(server.url, admin) as client:
            client.put("s")
        file = written(tmp_path / "orders.csv")
        done = CliRunner().invoke(app, ["import", "s", str(file), "--url", server.url, "--key", labels])
        without = CliRunner().invoke(app, ["import", "s", str(file), "--url", server.url])

    assert (done.exit_code, without.exit_code) == (0, 2), done.output
    assert "key" in without.stderr


def test_parquet_without_pyarrow_says_what_is_missing(tmp_path, monkeypatch):
    """It is an extra."""
    file = written(tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadFile, match=re.escape("pip install 'askwhen[parquet]'")), table(file, []):
        pass


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"a,label\n1,x,y\n", "line 2 has more cells"),
        ("t.csv", b"a,a,label\n1,2,y\n", "two columns of the same name"),
        ("t.csv", b"a,label\n\xff,y\n", "cannot be read"),
        ("t.csv", b"a,label\n" + b"x" * 200_000 + b",y\n", "cannot be read"),
        ("t.csv.gz", gzip.compress(b"a,label\n1,y\n" * 99, mtime=0)[:40], "cannot be read"),
        ("t.csv.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 30, "cannot be read"),
        ("t.jsonl", b"[1]\n", "line 1: not a JSON object"),
        ("t.jsonl", b'{"a": 1}\n', "line 1 has no 'label'; there are a"),
        ("t.parquet", b"PAR1 or not", "cannot be read"),
        ("t.parquet.gz", b"", "no table"),
        ("t.txt", b"", "no table"),
    ],
)
def test_a_damaged_file_is_explained(tmp_path, name, content, words):
    """In one kind of error, with the place where there is one."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile, match=words), table(tmp_path / name, ["label"]) as found:
        list(found.rows)


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path):
    """Spreadsheets write one."""
    (tmp_path / "t.csv").write_text("label,a\nx,1\n", "utf-8-sig")
    with table(tmp_path / "t.csv", ["label"]) as found:
        assert [row.cells for row in found.rows] == [{"label": "x", "a": 1}]


def test_long_file_names_make_ids_that_the_service_takes(learn, ready, stream, tmp_path):
    """An id has 128 characters at most."""
    file = written(tmp_path / f"{'n' * 200}.csv", ROWS[:1])
    assert learn(file).exit_code == 0
    assert ready.sample_state(stream, f"{stem(file)[:100]}-1").labels
