"""Both clients against a server that fails as it is told: what is sent again, what is not, and what is made of strange answers."""

import itertools
import json
import math

import numpy as np
import pytest

from service.api.schemas import SampleIn
from service.client import (
    AsyncClient,
    BadAnswer,
    Broken,
    Busy,
    Client,
    ClientError,
    Conflict,
    Invalid,
    Label,
    NotFound,
    Refused,
    Retries,
    Sample,
    Unauthorized,
    Unreachable,
)
from service.client.connection import options
from tests.client.servers import DROP, Reply

STREAM = Reply(
    body=json.dumps(
        {
            "stream": "s",
            "config": {},
            "summary": {
                "created_at": "",
                "model_version": 0,
                "classes": [],
                "seen": 0,
                "asked": 0,
                "given_back": 0,
                "open": 0,
                "taught": 0,
                "left": 50.0,
                "grant": 50.0,
                "rebuilding": False,
            },
        }
    ).encode()
)
OUTCOME = Reply(body=b'{"sample_id": "a", "outcome": "learned", "model_version": 1, "news": true}')
DECISION = Reply(
    body=json.dumps(
        {
            "id": "a",
            "stream": "s",
            "model_version": 0,
            "prediction": {"label": None, "confidence": None, "probabilities": {}},
            "query": {
                "ask": False,
                "probability": 0.1,
                "reason": "confident",
                "utility": 0.2,
                "threshold": None,
                "rule": "logit",
                "budget": {"seen": 1, "asked": 0, "allowed": 50, "open": 0},
            },
            "replayed": False,
        }
    ).encode()
)
CALLS = {
    "put": (("s", {"exploration": 0.5}), STREAM),
    "patch": (("s", {"exploration": 0.5}), STREAM),
    "get": (("s",), STREAM),
    "list": ((), Reply(body=b'{"streams": []}')),
    "delete": (("s",), Reply(204, b"")),
    "sample": (("s", {"x": 1}), DECISION),
    "samples": (("s", [{"features": {"x": 1}}]), DECISION),
    "label": (("s", "a", "yes"), OUTCOME),
    "labels": (("s", [Label("a", "yes")]), OUTCOME),
    "retract": (("s", "a"), OUTCOME),
    "erase": (("s", "a"), OUTCOME),
    "queries": (("s",), Reply(body=b'{"queries": [], "cursor": null}')),
    "claim": (("s", "u"), Reply(body=b'{"queries": [], "cursor": null}')),
    "skip": (("s", "a", "u"), OUTCOME),
    "release": (("s", "a", "u"), OUTCOME),
    "catalogue": ((), Reply()),
}


def problem(status, headers=None, **more):
    """A problem as the server writes it."""
    body = {"type": "/problems/x", "title": "X", "status": status, "detail": f"it is {status}", "instance": "/v1", **more}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **(headers or {})})


@pytest.mark.parametrize("name", CALLS)
async def test_every_request_is_sent_again_unchanged_until_it_is_answered(connect, script, name):
    """Hung up on, short of something, busy: five tries of the same bytes, and then the answer."""
    arguments, reply = CALLS[name]
    script.say(DROP, problem(503, {"Retry-After": "0"}), problem(429), problem(507), reply)
    client = await connect(script.url)
    await getattr(client, name)(*arguments)

    assert len(script.requests) == 5
    assert len({(request.method, request.path, request.body, request.headers.get("Idempotency-Key")) for request in script.requests}) == 1


async def test_a_sample_without_an_id_can_be_told_from_its_repetition(connect, script):
    """Alone by an `Idempotency-Key`, in a batch by ids; another sample has others."""
    script.say(DECISION)
    client = await connect(script.url)
    for _ in range(2):
        await client.sample("s", {"x": 1})
    await client.sample("s", {"x": 1}, sample_id="mine")
    keys = [request.headers.get("Idempotency-Key") for request in script.requests]
    script.say(Reply(body=DECISION.body + b"\n" + DECISION.body))
    await client.samples("s", [{"features": {}}, Sample({})])
    ids = {json.loads(line)["id"] for line in script.requests[-1].body.splitlines()}

    assert len({*keys[:2], *ids} - {None}) == 4
    assert keys[2] is None


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (413, Invalid),
        (422, Invalid),
        (500, Broken),
    ],
)
async def test_what_another_try_cannot_help_is_not_sent_again(connect, script, status, family):
    """One request, and an exception of the family with what the problem says."""
    script.say(problem(status, errors=[{"pointer": "#/x", "detail": "no"}]))
    client = await connect(script.url)
    with pytest.raises(family, match=f"it is {status}") as refused:
        await client.label("s", "a", "yes")

    assert len(script.requests) == 1
    assert (refused.value.status, refused.value.pointers) == (status, ("#/x",))


def lines(*answers):
    """A batch's answer: a problem for a status, a decision or an outcome for an id and what is told of it."""
    told = []
    for answer in answers:
        if isinstance(answer, int):
            told.append(problem(answer).body)
        elif isinstance(answer, tuple):
            told.append(json.dumps({"sample_id": answer[0], "outcome": answer[1], "model_version": 1}).encode())
        else:
            told.append(json.dumps(json.loads(DECISION.body) | {"id": answer}).encode())
    return Reply(body=b"\n".join(told))


def sent(script, key):
    """The ids of the lines of every request."""
    return ["".join(json.loads(line)[key] for line in request.body.splitlines()) for request in script.requests]


async def test_samples_that_the_server_was_short_of_something_for_are_sent_again_alone(connect, script):
    """Their answers come in their places; what is wrong with a line is not tried again."""
    script.say(lines("a", 503, 422, 507, "e"), DROP, lines(429, "d"), lines("b"))
    client = await connect(script.url)
    answers = await client.samples("s", [Sample({}, name) for name in "abcde"])

    assert [getattr(answer, "id", None) for answer in answers] == ["a", "b", None, "d", "e"]
    assert answers[2].status == 422
    assert sent(script, "id") == ["abcde", "bd", "bd", "b"]


async def test_labels_are_sent_again_from_the_first_that_was_not_taken(connect, script):
    """In their order, for a later one may hang on it; what was learned the first time is not called known."""
    script.say(
        lines(("a", "learned"), 503, ("c", "learned"), 404, ("e", "learned")),
        lines(("b", "learned"), 503, ("d", "learned"), ("e", "duplicate")),
        lines(("c", "duplicate"), ("d", "duplicate"), 503),
        lines(("e", "duplicate")),
    )
    client = await connect(script.url)
    answers = await client.labels("s", [Label(name, 1) for name in "abcde"])

    assert [(answer.sample_id, answer.outcome) for answer in answers] == [(name, "learned") for name in "abcde"]
    assert sent(script, "sample_id") == ["abcde", "bcde", "cde", "e"]


async def test_lines_are_sent_again_so_often_and_then_told_as_problems(connect, script):
    """In their places, and what comes after that request is sent."""
    script.say(lines(("a", "learned"), 503), lines(503), lines(503), lines(("c", "learned")))
    client = await connect(script.url, retries=Retries(attempts=3, first=0.001))
    answers = await client.labels("s", [Label(name, 1) for name in "abc"], chunk=2)

    assert [getattr(answer, "outcome", None) or answer.status for answer in answers] == ["learned", 503, "learned"]
    assert sent(script, "sample_id") == ["ab", "b", "b", "c"]


def test_what_a_client_says_of_a_sample_the_service_takes():
    """No field is refused as unknown."""
    assert set(Sample.__struct_fields__) <= set(SampleIn.__struct_fields__)


async def test_tries_are_bounded(connect, script):
    """A server that stays busy is left alone after as many tries as were allowed."""
    script.say(problem(503))
    client = await connect(script.url, retries=Retries(attempts=3, first=0.001))
    with pytest.raises(Busy, match="it is 503"):
        await client.get("s")

    assert len(script.requests) == 3


async def test_a_wait_past_the_deadline_is_not_waited(connect, script):
    """Where the server says to come back in an hour, the caller is told so at once."""
    script.say(problem(429, {"Retry-After": "3600"}))
    client = await connect(script.url)
    with pytest.raises(Busy) as busy:
        await client.get("s")

    assert (len(script.requests), busy.value.retry_after) == (1, 3600.0)


async def test_nobody_there_is_said_with_the_address(connect, script):
    """No answer, however often; the sentence names the address."""
    script.say(DROP)
    client = await connect(script.url, retries=Retries(attempts=2, first=0.001))
    with pytest.raises(Unreachable, match=script.url):
        await client.get("s")

    assert len(script.requests) == 2


async def test_what_is_gone_when_it_is_asked_for_again_was_removed(connect, script):
    """The answer to the first DELETE was lost; that of the second says only that nothing is left to do."""
    client = await connect(script.url)
    script.say(DROP, problem(404))
    await client.delete("s")
    script.say(DROP, problem(404))
    with pytest.raises(NotFound):
        await client.get("s")


async def test_whether_it_is_ready_is_asked_once(connect, script):
    """Who waits for a server asks by himself."""
    client = await connect(script.url)
    answers = []
    for reply in (DROP, problem(503), Reply()):
        script.say(reply)
        answers.append(await client.ready())

    assert (answers, len(script.requests)) == ([False, False, True], 3)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"outcome": 1}', b"", b"\xff"])
async def test_a_2xx_that_is_no_answer_is_said(connect, script, body):
    """Somebody else listens there, or a version that this client does not know."""
    script.say(Reply(body=body))
    client = await connect(script.url)
    with pytest.raises(BadAnswer, match="not as askwhen does"):
        await client.label("s", "a", "yes")


@pytest.mark.parametrize("count", [1, 3])
async def test_answers_that_do_not_fit_the_lines_are_not_taken(connect, script, count):
    """Which line an answer is to is known by its place alone."""
    script.say(Reply(body=(OUTCOME.body + b"\n") * count))
    client = await connect(script.url)
    with pytest.raises(BadAnswer, match="answers to 2 lines"):
        await client.labels("s", [Label("a", 1), Label("b", 1)])


async def test_a_proxys_error_page_is_a_refusal_too(connect, script):
    """With its status, and in words of our own."""
    script.say(Reply(502, b"<html>Bad Gateway</html>"))
    client = await connect(script.url)
    with pytest.raises(Broken, match="answered 502, but not as askwhen does") as refused:
        await client.get("s")

    assert refused.value.problem.title == "Bad Gateway"


async def test_a_batch_that_is_refused_as_a_whole_ends_the_iteration(connect, script):
    """What follows it is not sent."""
    script.say(OUTCOME, problem(403), OUTCOME)
    client = await connect(script.url)
    with pytest.raises(Unauthorized):
        await client.labels("s", [Label(name, 1) for name in "abc"], chunk=1)

    assert len(script.requests) == 2


def test_answers_are_given_as_they_come(script):
    """A request is sent when it is full and its answers are wanted; an endless iterable is no trouble."""
    script.say(Reply(body=(OUTCOME.body + b"\n") * 2))
    with Client(script.url) as client:
        answers = client.labels("s", (Label(str(number), 1) for number in itertools.count()), chunk=2)
        assert script.requests == []
        assert [next(answers).outcome for _ in range(4)] == ["learned"] * 4

    assert len(script.requests) == 2


async def test_an_asynchronous_iterable_is_taken_too(script):
    """As it comes, from a queue or another service."""
    script.say(Reply(body=(OUTCOME.body + b"\n") * 2), OUTCOME)

    async def labels():
        for name in "abc":
            yield Label(name, 1)

    async with AsyncClient(script.url) as client:
        assert [answer.outcome async for answer in client.labels("s", labels(), chunk=2)] == ["learned"] * 3

    assert [request.body.count(b"\n") for request in script.requests] == [2, 1]


async def test_a_long_batch_is_cut_by_its_bytes(connect, script):
    """No request is larger than what a server takes, whatever the chunk."""
    client = await connect(script.url)
    big = [Label(f"a{n}", 1, features={"text": "x" * 2**20}) for n in range(8)]
    script.say(Reply(body=(OUTCOME.body + b"\n") * 7), Reply(body=OUTCOME.body))
    answers = await client.labels("s", big)

    assert len(answers) == 8
    assert [len(request.body) < 8 * 2**20 for request in script.requests] == [True, True]


async def test_the_key_is_sent_as_a_bearer_token(connect, script):
    """And nothing where there is none."""
    await (await connect(script.url, "k3y")).catalogue()
    await (await connect(script.url)).catalogue()

    assert [request.headers.get("Authorization") for request in script.requests] == ["Bearer k3y", None]


async def test_a_prefix_of_the_address_stays(connect, script):
    """A service behind a path of a proxy."""
    await (await connect(f"{script.url}/ask/")).catalogue()
    assert script.requests[0].path == "/ask/v1/catalogue"


async def test_numbers_of_numpy_are_numbers_and_nan_is_missing(connect, script):
    """Features as a data frame's row has them."""
    script.say(DECISION)
    client = await connect(script.url)
    features = {"i": np.int64(3), "f": np.float64(0.5), "f32": np.float32(0.5), "b": np.True_}
    features |= {"nan": math.nan, "v": np.array([0.5, 1.5], np.float32)}
    await client.sample("s", features, sample_id="a")

    assert json.loads(script.requests[0].body)["features"] == {"i": 3, "f": 0.5, "f32": 0.5, "b": True, "nan": None, "v": [0.5, 1.5]}


async def test_what_is_no_json_is_said_before_it_is_sent(connect, script):
    """A mistake of the program, not of the service."""
    client = await connect(script.url)
    with pytest.raises(NotImplementedError, match="object has no place"):
        await client.sample("s", {"x": object()})

    assert script.requests == []


async def test_a_client_may_be_closed_by_hand(script):
    """Where a `with` does not fit; what was closed sends nothing."""
    client, other = Client(script.url), AsyncClient(script.url)
    client.close()
    await other.close()
    with pytest.raises(RuntimeError):
        client.catalogue()
    with pytest.raises(RuntimeError):
        await other.catalogue()


def test_a_method_of_the_class_describes_its_request():
    """What a client would send can be looked at, and sent later with `send`."""
    call = Client.get("a b")
    assert (call.method, call.path, call.content) == ("GET", "/v1/streams/a%20b", None)
    assert Client.sample.__doc__ == Client("http://x").sample.__doc__


async def test_proxies_of_the_environment_have_no_say_on_this_machine(connect, script, monkeypatch):
    """A proxy cannot reach the loopback; elsewhere it counts."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    await (await connect(script.url)).catalogue()

    assert options("http://askwhen.example", None, 1.0)["trust_env"] is True


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://a:b", "127.0.0.1:8000", "http://", "localhost:8000", ""])
async def test_what_is_no_address_is_said_at_once(connect, url):
    """Before anything is sent."""
    with pytest.raises(Unreachable, match="no address"):
        await connect(url)


@pytest.mark.parametrize("key", ["", "with space", "ü", "line\n"])
async def test_what_no_header_can_carry_is_no_key(connect, script, key):
    """Said at once, and without repeating it."""
    with pytest.raises(ClientError, match="no key"):
        await connect(script.url, key)


def test_waits_grow_are_spread_and_heed_the_server():
    """Between half and all of 0.2 s, doubled up to 10 s; what the server asks for comes on top."""
    retries = Retries()
    for attempt, most in ((1, 0.2), (2, 0.4), (5, 3.2), (9, 10.0), (2_000, 10.0)):
        waits = [retries.wait(attempt) for _ in range(100)]
        assert most / 2 <= min(waits) < max(waits) <= most
    assert 7.1 <= retries.wait(1, 7.0) <= 7.2


def test_every_family_is_a_refusal():
    """One `except` is enough."""
    assert all(issubclass(family, Refused) for family in (Unauthorized, NotFound, Conflict, Invalid, Busy, Broken))
