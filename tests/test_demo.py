"""The demo and the answering process against real servers, and what they plan, read and count."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import msgspec
import pytest
from typer.testing import CliRunner

from service.cli import DataSet, app
from service.client import Client, Decision, Summary
from service.demo import arms, report, sets
from service.demo.errors import ServerFailed
from service.demo.labelfile import read_labels
from service.demo.ledger import Ledger
from service.demo.plan import Plan
from service.demo.process import ServerProcess
from service.simulate import Run, full
from service.tabular import BadFile

STREAM = "surfaces"


def run(*arguments, timeout=120, **variables):
    """Run askwhen as a process."""
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=os.environ | variables,
    )


# --- the whole demo ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A short demo that leaves its server running: what it said, where it drew, and the server."""
    out = tmp_path_factory.mktemp("out")
    done = run("demo", "--dataset", "phishing", "--limit", 300, "--keep", "--out", out, TMPDIR=str(out))
    pid = int(re.search(r"process id +(\d+)", done.stdout)[1]) if done.returncode == 0 else None
    try:
        yield done, out
    finally:
        if pid is not None:
            os.kill(pid, signal.SIGTERM)


def test_the_demo_ends_with_its_table_and_exit_code_0(kept):
    """From start to report: accuracy, labels and money of every arm."""
    done, _ = kept
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every label" in done.stdout
    assert re.search(r"random asking", done.stdout)
    assert re.search(r"\d+ of 300 labels saved", done.stdout)
    assert done.stderr == ""


def test_the_demo_brings_answers_twice_corrects_some_and_leaves_some_out(kept):
    """Answers of every fate arrive as planned, and the server counts what the demo counts."""
    said = {word: int(count) for word, count in re.findall(r"│ +([a-z ]+?) +│ +(\d+) │", kept[0].stdout)}
    fates = Counter(Plan(1, []).fate(number) for number in range(said["questions asked"]))
    assert min(fates[fate] for fate in ("never", "wrong", "twice")) >= 1
    assert (said["corrected"], said["duplicate"], said["never answered"]) == (fates["wrong"], fates["twice"], fates["never"])
    assert said["learned"] == said["answered"] == said["questions asked"] - fates["never"]
    assert "The server counts the same: 300 seen" in kept[0].stdout


def test_the_demo_writes_a_picture_and_says_where(kept):
    """A PNG, whose path is printed."""
    done, out = kept
    picture = out / "phishing.png"
    assert str(picture) in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_a_terminal_the_demo_prints_plain_lines(kept):
    """No control codes where a log file is all there is."""
    assert "\x1b" not in kept[0].stdout
    assert "300 of 300 samples" in kept[0].stdout


def test_keep_leaves_a_service_that_answers_as_the_printed_commands_say(kept):
    """The address answers, and both printed commands are addressed to it."""
    url = re.search(r"The service goes on: (http://\S+)/docs", kept[0].stdout)[1]
    with Client(url) as client:
        summary = client.get("phishing").summary
        assert summary.seen == 300
        commands = re.findall(r"^  curl .*$", kept[0].stdout, re.MULTILINE)
        assert len(commands) == 2
        body = json.loads(re.search(r"-d '(.*)' http", commands[1])[1])
        assert client.sample("phishing", body["features"], sample_id=body["id"]).prediction.label in {"phishing", "legitimate"}


def test_an_interrupted_demo_leaves_neither_server_nor_data_behind(tmp_path):
    """SIGTERM, as Ctrl-C, stops the server that the demo started."""
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "service", "demo", "--dataset", "bananas", "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as demo:
        url = re.search(r"Server: (http://\S+)", demo.stdout.readline())[1]
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
        assert demo.returncode == 130
    with Client(url) as client:
        assert not client.ready()
    assert not list(tmp_path.glob("askwhen-demo-*"))


# --- its parts ---------------------------------------------------------------------------------------------------------------


def test_the_command_line_offers_the_sets_there_are():
    """The names stand in two places, so that --help needs no River."""
    assert set(DataSet.__args__) == set(sets.SETS)


def test_the_plan_of_answers_follows_from_the_seed():
    """The same seed answers alike, another one differently."""

    def plan(seed):
        return [Plan(seed, ["a", "b", "c"]).deliveries(number, "a") for number in range(200)]

    assert plan(1) == plan(1) != plan(2)


def test_the_plan_keeps_its_shares_and_ends_with_the_truth():
    """Of 100 questions 2 are never answered, 4 wrongly at first, 6 twice; what is said last is right, in order."""
    plan = Plan(3, ["a", "b", "c"])
    fates = Counter(plan.fate(number) for number in range(100))
    assert fates == {"never": 2, "wrong": 4, "twice": 6, "once": 88}
    for number in range(100):
        answers = plan.deliveries(number, "a")
        delays = [answer.delay for answer in answers]
        assert delays == sorted(delays)
        assert len({answer.labeler for answer in answers}) <= 1
        assert [answer.label for answer in answers][-1:] in ([], ["a"])
        assert (len(answers) == 2 and answers[0].label != "a") == (plan.fate(number) == "wrong")


def test_some_answers_arrive_out_of_order():
    """Delays differ enough for that."""
    plan = Plan(1, ["a", "b"])
    arrivals = [20 * number + plan.deliveries(number, "a")[0].delay for number in range(100) if plan.fate(number) == "once"]
    assert arrivals != sorted(arrivals)


def test_the_ledger_counts_a_question_once_however_often_it_is_answered():
    """Labels are what is paid for; deliveries are not."""
    ledger = Ledger(2)
    for name in ("s1", "s2"):
        ledger.observed(_answer(name, ask=True), "ok")
    for name, outcome in (("s2", "learned"), ("s2", "duplicate"), ("s1", "learned"), ("s1", "corrected")):
        ledger.delivered(name, outcome)
    assert (ledger.asked, ledger.labels, ledger.open, ledger.out_of_order) == (2, 2, 0, 1)
    assert ledger.accuracy == 1.0


def test_a_server_that_counts_otherwise_is_reported():
    """The report names each figure that differs."""
    ledger = Ledger(1)
    ledger.observed(_answer("s1", ask=True), "ok")
    summary = _summary(seen=1, asked=0, open=1)
    assert report.differences(ledger, summary) == ["asked: 1 here, 0 on the server"]


def test_random_needs_is_read_between_the_simulated_points():
    """Half way between two points on the scale of the picture; nothing is claimed beyond the last."""
    found = arms.collected(
        {
            arms.Job("every label", 1000, 0): _run(right=900, labels=1000),
            arms.Job("random", 100, 0): _run(right=700, labels=100),
            arms.Job("random", 400, 0): _run(right=800, labels=400),
        },
        labels=100,
    )
    assert found.random_needs(0.75) == pytest.approx(200)
    assert found.random_needs(0.95) is None


def test_another_budget_scales_the_start_up_grant_too():
    """The points of the comparison differ in all that is spent."""
    assert arms.scaled(sets.config("phishing", 0.05), 2)["budget"]["rate"] == 0.1
    assert arms.scaled(sets.config("phishing", 0.05), 2)["budget"]["burst"] == 100


@pytest.mark.parametrize("arguments", [["--dataset", "iris"], ["--limit", "5"], ["--rate", "2"], ["--rate", "0"]])
def test_the_demo_refuses_what_makes_no_sense(arguments):
    """Bad options end with exit code 2 before anything starts."""
    assert CliRunner().invoke(app, ["demo", *arguments]).exit_code == 2


def test_a_folder_that_cannot_be_made_ends_the_demo_before_it_starts(tmp_path):
    """A file stands where the folder should be."""
    (tmp_path / "out").write_text("")
    assert CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")]).exit_code == 2
    assert CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out" / "deeper")]).exit_code == 1


def test_a_server_that_does_not_come_up_is_explained_by_its_log(tmp_path):
    """The message has the end of what the server said."""
    (tmp_path / "data").write_text("no folder")
    server = ServerProcess(tmp_path / "data", tmp_path / "log")
    with pytest.raises(ServerFailed, match="exit code"):
        server.ready()
    server.stop()


# --- askwhen answer ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server."""
    folder = tmp_path_factory.mktemp("server")
    process = ServerProcess(folder / "data", folder / "log")
    try:
        process.ready()
        yield process
    finally:
        process.stop()


@pytest.fixture
def asked(server, request):
    """A stream with 12 open questions, some of a picture's surfaces; its name."""
    stream = request.node.name.removeprefix("test_")[:60]
    with Client(server.url) as client:
        client.put(stream, {"classes": ["path", "sky"], "budget": {"rate": 1.0}, "query": {"rule": "random"}})
        for number in range(12):
            client.sample(stream, {"light": number / 12}, sample_id=f"p-{number}")
    return stream


def answer(*arguments):
    """Run `askwhen answer`."""
    done = CliRunner().invoke(app, ["answer", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def truths(numbers):
    """Labels by id."""
    return {f"p-{number}": "sky" if number > 5 else "path" for number in numbers}


def csv_of(path, labels, names=("id", "label")):
    """Write labels to a file."""
    path.write_text("\n".join([",".join(names), *(f"{key},{label}" for key, label in labels.items())]))
    return path


def test_open_questions_are_answered_from_a_csv_file(server, asked, tmp_path):
    """Nothing is open afterwards, and a second time there is nothing to do."""
    file = csv_of(tmp_path / "labels.csv", truths(range(12)))
    done = answer(asked, file, "--url", server.url)
    assert done.exit_code == 0, done.stderr
    assert re.search(r"learned +│ +12", done.stdout)
    with Client(server.url) as client:
        assert client.get(asked).summary.open == 0
    assert "Nothing to answer" in answer(asked, file, "--url", server.url).stdout


def test_columns_labeler_and_limit_are_as_told(server, asked, tmp_path):
    """Gzipped, other columns, no more answers than allowed."""
    file = tmp_path / "labels.csv.gz"
    file.write_bytes(gzip.compress(csv_of(tmp_path / "plain.csv", truths(range(12)), ("key", "truth")).read_bytes()))
    done = answer(asked, file, "--url", server.url, "--id", "key", "--label", "truth", "--labeler", "ada", "--limit", 5)
    assert done.exit_code == 0, done.stderr
    with Client(server.url) as client:
        assert client.get(asked).summary.open == 7


def test_questions_that_the_file_does_not_know_are_reported(server, asked, tmp_path):
    """They stay open, and their ids are named."""
    done = answer(asked, csv_of(tmp_path / "labels.csv", truths(range(11))), "--url", server.url)
    assert done.exit_code == 0, done.stderr
    assert "1 open questions are not in labels.csv: p-11" in done.stdout


def test_an_answer_that_the_service_refuses_gives_exit_code_1(server, asked, tmp_path):
    """A class that the stream does not have; the others are learned all the same."""
    done = answer(asked, csv_of(tmp_path / "labels.csv", truths(range(12)) | {"p-3": "grass"}), "--url", server.url)
    assert done.exit_code == 1
    assert "p-3: 'grass' is none of the stream's classes" in done.stdout
    assert re.search(r"learned +│ +11", done.stdout)


def test_follow_answers_what_is_asked_later(server, asked, tmp_path):
    """A follower sees a question that did not exist when it began."""
    file = csv_of(tmp_path / "labels.csv", truths(range(13)))
    command = [sys.executable, "-m", "service", "answer", asked, str(file), "--url", server.url, "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as follower, Client(server.url) as client:
        _until(lambda: client.get(asked).summary.open == 0)
        client.sample(asked, {"light": 1.0}, sample_id="p-12")
        _until(lambda: client.get(asked).summary.open == 0)
        follower.send_signal(signal.SIGINT)
        said, _ = follower.communicate(timeout=30)
    assert follower.returncode == 130
    assert re.search(r"learned +│ +13", said)


def test_an_unknown_stream_and_a_missing_server_are_told_apart(server, tmp_path):
    """Both end with exit code 2 and a sentence."""
    file = csv_of(tmp_path / "labels.csv", truths(range(2)))
    unknown = answer("nowhere", file, "--url", server.url)
    assert (unknown.exit_code, "there is no stream 'nowhere'" in unknown.stderr) == (2, True)
    nobody = answer(STREAM, file, "--url", "http://127.0.0.1:9")
    assert (nobody.exit_code, "no answer from http://127.0.0.1:9" in nobody.stderr) == (2, True)


def test_json_lines_keep_the_kinds_of_their_labels(tmp_path):
    """Integers and booleans stay what they are; null is no label; the last of two rows counts."""
    rows = [
        {"id": "a", "label": 1},
        {"id": "b", "label": True},
        {"id": "c", "label": None},
        {"id": 4, "label": ""},
        {"id": "a", "label": 2},
    ]
    file = tmp_path / "labels.jsonl"
    file.write_text("\n\n".join(map(json.dumps, rows)))
    assert read_labels(file) == {"a": 2, "b": True, "4": ""}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("labels.csv", "id,truth\n1,a\n", "no column 'label'; there are id, truth"),
        ("labels.csv", "", "no column 'id'; there are none"),
        ("labels.jsonl", '{"id": "a"}\n', "line 1 has no 'label'; there are id"),
        ("labels.jsonl", '{"id": "a", "label": [1]}\n', "line 1: an id is a text"),
        ("labels.jsonl", '{"id": "a", "label": 1}\n{oops\n', "line 2: not a JSON object"),
        ("labels.csv.gz", "id,label\n", "cannot be read"),
        ("labels.xlsx", "", "no table"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(tmp_path, name, content, words):
    """Which column or line it is, and what there is instead."""
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(BadFile, match=re.escape(words)):
        read_labels(tmp_path / name)


def test_a_file_that_cannot_be_used_gives_exit_code_2(tmp_path):
    """Before any server is asked."""
    done = CliRunner().invoke(app, ["answer", STREAM, str(csv_of(tmp_path / "labels.csv", {}, ("id", "truth")))])
    assert done.exit_code == 2


def _until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _answer(name, *, ask):
    account = {"seen": 1, "asked": 1, "allowed": 50, "open": 1}
    query = {"ask": ask, "probability": 1.0, "reason": "uncertain", "utility": 1.0, "threshold": 0.5, "rule": "logit", "budget": account}
    decision = {"id": name, "stream": STREAM, "model_version": 1, "prediction": {"label": "ok", "confidence": 0.6}, "query": query}
    return msgspec.convert(decision, Decision)


def _summary(**counts):
    others = {
        "created_at": "",
        "model_version": 0,
        "classes": [],
        "given_back": 0,
        "taught": 0,
        "left": 0.0,
        "grant": 0.0,
        "rebuilding": False,
    }
    return Summary(**(others | counts))


def _run(right, labels, n=1000):
    return Run(bytes([1] * right + [0] * (n - right)), bytes([1] * labels + [0] * (n - labels)), labels, 0.0, full([], {}).estimate)
