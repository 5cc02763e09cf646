"""A real server process from start to end: drain, restart, crash, two at once, a full disk, a wild start."""

import gc
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from loadtest.server import Server, serving
from service.bootstrap import Service
from service.settings import Settings


def run(*arguments, **environment):
    """Run `askwhen` to its end."""
    command = [sys.executable, "-m", "service", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60, check=False)


def ask(url, count, prefix="q", stream="s"):
    """Post samples, and give those that were asked."""
    with httpx.Client(base_url=url) as http:
        answers = [
            http.post(f"/v1/streams/{stream}/samples", json={"id": f"{prefix}{n}", "features": {"x": n % 7, "k": "ab"[n % 2]}})
            for n in range(count)
        ]
    return [answer.json()["id"] for answer in answers if answer.json()["query"]["ask"]]


def test_sigterm_drains_and_the_next_start_goes_on(tmp_path):
    """A clean end exits with 0, and the next server has the same figures, the unasked samples included."""
    with serving(tmp_path) as server:
        httpx.put(f"{server.url}/v1/streams/s", json={"budget": {"rate": 0.1, "burst": 5}}).raise_for_status()
        for sample_id in ask(server.url, 60):
            httpx.post(f"{server.url}/v1/streams/s/labels", json={"sample_id": sample_id, "label": sample_id[-1]}).raise_for_status()
        before = httpx.get(f"{server.url}/v1/streams/s").json()
        code = server.stop()
    with serving(tmp_path) as server:
        after = httpx.get(f"{server.url}/v1/streams/s").json()
    verified = run("verify", "--data", tmp_path)

    assert code == 0
    assert after == before
    assert (verified.returncode, "as the log says" in verified.stdout) == (0, True)


def modes(folder):
    """The permissions of a folder and all that is in it."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.rglob("*"))}


def test_what_a_server_writes_is_its_owners_alone(tmp_path):
    """The folder, the log and what belongs to it, snapshots, backups, exports; whatever the caller's own mask."""
    before = os.umask(0o022)
    try:
        with serving(data := tmp_path / "data", settings={"ASKWHEN_SNAPSHOT_LABELS": "1"}) as server:
            httpx.put(f"{server.url}/v1/streams/s", json={}).raise_for_status()
            httpx.post(f"{server.url}/v1/streams/s/labels", json={"sample_id": "a", "label": "x", "features": {"x": 1}}).raise_for_status()
            end = time.monotonic() + 60
            while not list(data.rglob("*.snapshot")) and time.monotonic() < end:
                time.sleep(0.05)
            run("backup", "--data", data, "-o", data / "copy.db")
            run("export", "s", "--data", data, "-o", data / "s.jsonl")
            run("keys", "create", "k", "--scope", "read", "--data", data)
            found = modes(data)
    finally:
        os.umask(before)
    files = {"askwhen.db", "askwhen.db-wal", "askwhen.db-shm", "lock", "copy.db", "s.jsonl", "keys.db"}

    assert files < found.keys()
    assert {name for name, mode in found.items() if mode == "0o700"} == {"data", "snapshots", "s"}
    assert {name for name, mode in found.items() if mode == "0o600"} == found.keys() - {"data", "snapshots", "s"}


def test_a_folder_that_is_there_keeps_its_mode(tmp_path):
    """Whoever made it decided who may look into it; the files are the owner's alone all the same."""
    (data := tmp_path / "data").mkdir()
    data.chmod(0o755)
    run("keys", "create", "k", "--scope", "read", "--data", data)

    assert modes(data) == {"data": "0o755", "keys.db": "0o600"}


def test_a_request_that_is_running_at_sigterm_is_answered(tmp_path):
    """Draining lets requests end: every label that was sent gets its 200, and none is lost."""
    with serving(tmp_path) as server:
        httpx.put(f"{server.url}/v1/streams/s", json={"budget": {"rate": 1, "burst": 500}}).raise_for_status()
        names = ask(server.url, 40)

        def label(name):
            try:
                return httpx.post(f"{server.url}/v1/streams/s/labels", json={"sample_id": name, "label": "x"}, timeout=20).status_code
            except httpx.TransportError:
                return None

        with ThreadPoolExecutor(8) as pool:
            results = [pool.submit(label, name) for name in names]
            for result in results[:5]:
                result.result()
            code = server.stop()
            acknowledged = [name for name, result in zip(names, results, strict=True) if result.result() == 200]
    with serving(tmp_path) as server:
        states = [httpx.get(f"{server.url}/v1/streams/s/samples/{name}").json()["question"]["state"] for name in acknowledged]

    assert code == 0
    assert len(acknowledged) >= 5
    assert set(states) == {"answered"}


def test_a_crash_loses_nothing_acknowledged(tmp_path):
    """After SIGKILL every question and label is there, and the other process is gone too."""
    server = Server(tmp_path).ready()
    httpx.put(f"{server.url}/v1/streams/s", json={}).raise_for_status()
    names = ask(server.url, 10)
    httpx.post(f"{server.url}/v1/streams/s/labels", json={"sample_id": names[0], "label": "x"}).raise_for_status()
    server.kill()
    with serving(tmp_path) as again:
        states = Counter(httpx.get(f"{again.url}/v1/streams/s/samples/{name}").json()["question"]["state"] for name in names)

    assert states == {"answered": 1, "open": len(names) - 1}


def test_a_skip_survives_a_crash_and_a_lease_does_not(tmp_path):
    """After SIGKILL whoever skipped a question is not handed it, others are, and the log proves the state."""
    server = Server(tmp_path).ready()
    httpx.put(f"{server.url}/v1/streams/s", json={}).raise_for_status()
    names = ask(server.url, 3)
    claim = {"labeler": "u1", "limit": 2}
    first = httpx.post(f"{server.url}/v1/streams/s/queries/claim", json=claim).json()["queries"]
    httpx.post(f"{server.url}/v1/streams/s/queries/{names[0]}/skip", json={"labeler": "u1"}).raise_for_status()
    server.kill()
    with serving(tmp_path) as again:
        mine = httpx.post(f"{again.url}/v1/streams/s/queries/claim", json=claim).json()["queries"]
        others = httpx.post(f"{again.url}/v1/streams/s/queries/claim", json={"labeler": "u2"}).json()["queries"]
    verified = run("verify", "--data", tmp_path)

    assert [query["sample_id"] for query in first] == names[:2]
    assert [query["sample_id"] for query in mine] == names[1:]
    assert [query["sample_id"] for query in others] == names[:1]
    assert verified.returncode == 0


def test_a_label_at_which_the_model_raises_does_not_stop_the_next_start(tmp_path):
    """A real pipeline that chokes on strings: `unlearnable`, kept, and the server starts again and learns what it can."""
    steps = [
        {"class": "feature_selection.SelectKBest", "params": {"similarity": {"class": "stats.PearsonCorr"}}},
        {"class": "preprocessing.OneHotEncoder"},
        {"class": "linear_model.LogisticRegression"},
    ]
    label = {"sample_id": "a", "label": "x", "features": {"k": "text", "n": 1.0}}
    with serving(tmp_path) as server:
        httpx.put(f"{server.url}/v1/streams/s", json={"model": {"pipeline": steps}}).raise_for_status()
        first = httpx.post(f"{server.url}/v1/streams/s/labels", json=label).json()
    with serving(tmp_path) as server:
        second = httpx.post(f"{server.url}/v1/streams/s/labels", json={**label, "sample_id": "b", "features": {"n": 1.0}}).json()
        again = httpx.post(f"{server.url}/v1/streams/s/labels", json=label).json()
    verified = run("verify", "--data", tmp_path)

    assert [first["outcome"], second["outcome"], again["outcome"]] == ["unlearnable", "learned", "duplicate"]
    assert verified.returncode == 0


def test_commits_that_fail_stop_neither_predicting_nor_the_server(tmp_path):
    """While no file may grow, samples are answered and labels refused with 503; afterwards it goes on by itself."""
    with serving(tmp_path) as server:
        httpx.put(f"{server.url}/v1/streams/s", json={"budget": {"rate": 1, "burst": 500}}).raise_for_status()
        names = ask(server.url, 5)
        server.limit_files(4_096)
        sample = httpx.post(f"{server.url}/v1/streams/s/samples", json={"id": "full", "features": {"x": 1}})
        label = httpx.post(f"{server.url}/v1/streams/s/labels", json={"sample_id": names[0], "label": "x"})
        server.limit_files(-1)
        later = httpx.post(f"{server.url}/v1/streams/s/labels", json={"sample_id": names[0], "label": "x"})
        asked = ask(server.url, 3, "later")

    assert (sample.status_code, sample.json()["query"]["reason"]) == (200, "unavailable")
    assert label.status_code in {503, 507}
    assert "retry-after" in label.headers
    assert later.json()["outcome"] == "learned"
    assert len(asked) == 3


def test_a_second_server_on_the_folder_is_refused(tmp_path):
    """It says who holds the folder, and ends."""
    with serving(tmp_path):
        refused = run("serve", "--data", tmp_path, "--port", 0)

    assert refused.returncode == 2
    assert "holds the data folder" in refused.stderr


def test_an_open_door_is_refused(tmp_path):
    """Without keys the server listens on loopback only, unless it is told otherwise."""
    refused = run("serve", "--data", tmp_path, "--host", "192.0.2.1")

    assert refused.returncode == 2
    assert "--insecure" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["serve", "--port", "99999"], {}, "port"),
        (["serve"], {"ASKWHEN_PORT": "many"}, "port"),
        (["verify", "--data", "nowhere"], {}, "does not exist"),
        (["backup", "--data", ".", "-o", "x"], {}, "no log"),
    ],
)
def test_a_wrong_option_is_explained(tmp_path, monkeypatch, arguments, environment, words):
    """Mistakes on the command line end with 2 and a sentence."""
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).resolve().parent.parent
    refused = run(*arguments, **environment, PYTHONPATH=str(root))

    assert refused.returncode == 2
    assert words in refused.stderr


def test_settings_come_from_options_then_environment_then_file(tmp_path):
    """The nearer source wins."""
    config = tmp_path / "askwhen.toml"
    config.write_text('port = 1\ndata = "elsewhere"\nmax_body = 2000\n')
    with serving(tmp_path / "data", "--config", str(config)) as server:
        httpx.put(f"{server.url}/v1/streams/s", json={}).raise_for_status()
        too_long = httpx.post(f"{server.url}/v1/streams/s/samples", json={"features": {"x": "y" * 3_000}})

    assert (tmp_path / "data" / "askwhen.db").exists()
    assert too_long.status_code == 413


def test_a_backup_serves(tmp_path):
    """A copy that was made beside the running server starts as a server of its own, and is verified."""
    with serving(tmp_path / "a") as server:
        httpx.put(f"{server.url}/v1/streams/s", json={}).raise_for_status()
        names = ask(server.url, 5)
        copied = run("backup", "--data", tmp_path / "a", "-o", tmp_path / "copy.db")
    (tmp_path / "b").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "b" / "askwhen.db")
    with serving(tmp_path / "b") as server:
        waiting = json.loads(httpx.get(f"{server.url}/v1/streams/s/queries").text)["queries"]
    verified = run("verify", "--data", tmp_path / "b")

    assert copied.returncode == 0
    assert {query["sample_id"] for query in waiting} == set(names)
    assert verified.returncode == 0


async def test_the_garbage_collector_works_again_once_all_is_loaded(tmp_path):
    """`askwhen serve` stops it until then; a server without it would only grow."""
    service = Service(Settings(data=tmp_path))
    gc.disable()
    try:
        await service.start()

        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
        await service.stop()
