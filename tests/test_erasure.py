"""A real server erases a sample: no byte of it is left in the data folder, and the proof of the log still holds."""

import struct
import subprocess
import sys
import time

import httpx
import pytest

from loadtest.server import Server, serving

NUMBER, WHOLE, WORD = 7391.8264511, 739_182_645_113, "zanzibar"
MODELS = {
    "logistic": {"type": "logistic"},
    "trees": {"type": "hoeffding-tree"},
    "neighbours": {"type": "knn"},
    "words": {"type": "text"},
    "scaled": {"pipeline": [{"class": "preprocessing.MinMaxScaler"}, {"class": "neighbors.KNNClassifier"}]},
    "categories": {"pipeline": [{"class": "preprocessing.OneHotEncoder"}, {"class": "naive_bayes.MultinomialNB"}]},
    "terms": {"pipeline": [{"class": "feature_extraction.BagOfWords", "params": {"on": "text"}}, {"class": "naive_bayes.MultinomialNB"}]},
}
LONGEST = 60.0  # seconds that anything may take


def found(folder):
    """The files in whose bytes a value of the sample stands, as text or as a number in either order of bytes."""
    needles = [WORD.encode(), str(NUMBER).encode(), str(WHOLE).encode()]
    needles += [struct.pack(order + kind, value) for order in "<>" for kind, value in (("d", NUMBER), ("d", float(WHOLE)), ("q", WHOLE))]
    content = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name for name, data in content.items() if any(needle in data for needle in needles)}


def features_of(number):
    """A sample's features; the one that is erased has values of its own."""
    if number == 7:
        return {"x": NUMBER, "n": WHOLE, "kind": WORD, "text": f"the {WORD} day"}
    return {"x": number * 1.5, "n": number, "kind": "abc"[number % 3], "text": "good night day"}


def post(http, path, **body):
    """Post, and give the answer."""
    answer = http.post(path, json=body)
    answer.raise_for_status()
    return answer.json()


def verified(folder):
    """Whether the log proves what was served."""
    command = [sys.executable, "-m", "service", "verify", "--data", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def until(condition):
    """Wait for a condition."""
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def rebuilt(http):
    """Whether no model is being rebuilt."""
    return not any(stream["summary"]["rebuilding"] for stream in http.get("/v1/streams").json()["streams"])


@pytest.fixture
def lived(tmp_path):
    """A server with a stream of each kind, all of which learned the sample and have snapshots; and its data folder."""
    config = tmp_path / "often.toml"
    config.write_text("snapshot_labels = 5\nsnapshot_seconds = 0.2\n")
    data = tmp_path / "data"
    server = Server(data, "--config", str(config)).ready()
    with httpx.Client(base_url=server.url, timeout=LONGEST) as http:
        for name, model in MODELS.items():
            http.put(f"/v1/streams/{name}", json={"model": model, "budget": {"rate": 1, "burst": 500}}).raise_for_status()
            for number in range(12):
                sample = {"features": features_of(number)}
                post(http, f"/v1/streams/{name}/samples", id=f"s{number}", **sample)
                post(http, f"/v1/streams/{name}/labels", sample_id=f"s{number}", label="ab"[number % 2], **sample)
        http.put("/v1/streams/quiet", json={"budget": {"rate": 0, "burst": 0}}).raise_for_status()
        post(http, "/v1/streams/quiet/samples", id="s7", features=features_of(7))
        until(lambda: {path.parent.name for path in data.rglob("*.snapshot")} >= MODELS.keys())
        yield server, http, data
    if server.process.poll() is None:
        server.kill()


def test_no_byte_of_an_erased_sample_is_left(lived):
    """Not when the answer comes, not when the models are rebuilt, not after a crash and a start; and `verify` agrees each time."""
    server, http, data = lived
    before = found(data)
    erased = {name: http.delete(f"/v1/streams/{name}/samples/s7").json() for name in [*MODELS, "quiet"]}
    at_once = found(data), verified(data)
    until(lambda: rebuilt(http))
    post(http, "/v1/streams/logistic/labels", sample_id="later", label="a", features={"x": 1})
    until(lambda: {path.parent.name for path in data.rglob("*.snapshot")} >= MODELS.keys())
    later = found(data), verified(data)
    again = http.delete("/v1/streams/logistic/samples/s7").json()
    server.kill()
    with serving(data) as restarted:
        held = httpx.get(f"{restarted.url}/v1/streams/logistic/samples/s7").json()
        refused = httpx.post(f"{restarted.url}/v1/streams/logistic/samples", json={"id": "s7", "features": {}})
        after = found(data)

    assert len(before) >= 2
    assert {answer["outcome"] for answer in [*erased.values(), again]} == {"erased"}
    assert {name for name, answer in erased.items() if answer.get("rebuilding")} == MODELS.keys()
    assert at_once == later == (set(), True)
    assert (after, found(data), verified(data)) == (set(), set(), True)
    assert (held["question"]["state"], held["prediction"], held["labels"], held["erased"]) == ("erased", None, [], True)
    assert (refused.status_code, "erased" in refused.json()["detail"]) == (409, True)


def test_a_deleted_stream_leaves_no_byte(lived):
    """Its events, its snapshots and its answers are gone when the 204 comes."""
    _, http, data = lived
    for name in [*MODELS, "quiet"]:
        assert http.delete(f"/v1/streams/{name}").status_code == 204

    assert found(data) == set()
