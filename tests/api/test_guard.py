"""Keys at the door: who may do what, how often, and how many at once."""

import asyncio

import pytest
from msgspec.structs import replace

from service.api.scopes import needed
from service.guard import Forbidden, Guard, Scope, TooMany, Unauthorized, new_key

ANY, ADMIN = frozenset(Scope), frozenset({Scope.ADMIN})
SAMPLES = "/v1/streams/s/samples"


def guarded(*scopes, rate=None, revoked=False):
    """A guard with one key, and what a request with it carries."""
    guard = Guard()
    text, key = new_key("shop", scopes, 0.0, rate)
    guard.load([replace(key, revoked_at=1.0) if revoked else key], 0.0)
    return guard, f"Bearer {text}".encode()


@pytest.mark.parametrize(
    ("method", "path", "scopes"),
    [
        ("POST", SAMPLES, {"ingest"}),
        ("GET", f"{SAMPLES}/a", {"ingest", "label", "read"}),
        ("GET", f"{SAMPLES}/a/b/c", {"ingest", "label", "read"}),
        ("DELETE", f"{SAMPLES}/a", {"admin"}),
        ("POST", "/v1/streams/s/labels", {"label"}),
        ("DELETE", "/v1/streams/s/labels/a", {"label"}),
        ("GET", "/v1/streams/s/queries", {"label", "read"}),
        ("POST", "/v1/streams/s/queries/claim", {"label"}),
        ("POST", "/v1/streams/s/queries/a/skip", {"label"}),
        ("GET", "/v1/streams/s/pool", {"label", "read"}),
        ("POST", "/v1/streams/s/pool/select", {"label"}),
        ("POST", "/v1/streams/s/pool/synthesise", {"label"}),
        ("GET", "/v1/streams", {"read"}),
        ("GET", "/v1/streams/s", {"read"}),
        ("HEAD", "/v1/streams/s", {"read"}),
        ("GET", "/v1/streams/s/evaluation", {"read"}),
        ("GET", "/metrics", {"read"}),
        ("PUT", "/v1/streams/s", {"admin"}),
        ("PATCH", "/v1/streams/s", {"admin"}),
        ("DELETE", "/v1/streams/s", {"admin"}),
        ("GET", "/v1/catalogue", {"ingest", "label", "read", "admin"}),
        ("GET", "/nothing", {"read"}),
        ("POST", "/nothing", {"admin"}),
        ("GET", "/livez/", {"read"}),
        ("GET", "//livez", {"read"}),
        ("GET", "/livez", None),
        ("GET", "/readyz", None),
        ("GET", "/docs", None),
        ("GET", "/openapi.json", None),
    ],
)
async def test_every_path_needs_its_scopes_and_admin_opens_all(client, method, path, scopes):
    """The table, and the edge that asks it: the other scopes are refused with 403, the right ones get further."""
    assert needed(method, path) == (None if scopes is None else frozenset(scopes))
    for scope in Scope:
        text, key = new_key("k", [scope], 0.0)
        client.guard.load([key], 0.0)
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {text}"})
        opens = scopes is None or scope in scopes or scope is Scope.ADMIN
        assert (answer.status_code == 403) is not opens, (scope, answer.text)
        assert answer.status_code != 401


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer wrong",
        "{key}",
        "Bearer  {key}",
        "Bearer {key} ",
        "Bearer {key},{key}",
        "Token {key}",
        "Bearer {upper}",
        "Bearer " + "x" * 100000,
    ],
    ids=range(13),
)
async def test_a_missing_or_wrong_key_is_401_with_a_challenge(client, authorization):
    """Whatever the request asks for; what needs no key still answers."""
    text, key = new_key("shop", Scope, 0.0)
    client.guard.load([key], 0.0)
    header = {} if authorization is None else {"Authorization": authorization.format(key=text, upper=text.upper())}
    for method, path in (("POST", SAMPLES), ("GET", "/v1/streams"), ("GET", "/nothing"), ("DELETE", "/v1/streams/s"), ("GET", "/metrics")):
        answer = await client.request(method, path, headers=header)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="askwhen"')
        assert (answer.headers["content-type"], answer.json()["instance"]) == ("application/problem+json", path)
        assert text not in answer.text
    assert (await client.get("/livez", headers=header)).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
async def test_the_scheme_is_of_any_case(client, scheme):
    """RFC 9110 says so."""
    text, key = new_key("shop", [Scope.INGEST], 0.0)
    client.guard.load([key], 0.0)
    answer = await client.post(SAMPLES, json={"features": {}}, headers={"Authorization": f"{scheme} {text}"})

    assert answer.status_code == 200


async def test_two_keys_at_once_are_refused(client):
    """Nobody knows which is meant."""
    text, key = new_key("shop", [Scope.INGEST], 0.0)
    client.guard.load([key], 0.0)
    headers = [("Authorization", "Bearer wrong"), ("Authorization", f"Bearer {text}"), ("Content-Type", "application/json")]
    answer = await client.post(SAMPLES, content=b'{"features": {}}', headers=headers)

    assert answer.status_code == 401


async def test_headers_that_come_twice_are_refused(client):
    """A body has one media type."""
    headers = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    answer = await client.post(SAMPLES, content=b'{"features": {}}', headers=headers)

    assert (answer.status_code, "content-type" in answer.json()["detail"]) == (422, True)


async def test_a_server_whose_keys_are_all_revoked_stays_closed(client):
    """Losing the last key opens no door."""
    guard, authorization = guarded(Scope.ADMIN, revoked=True)
    client.guard.load([replace(new_key("last", Scope, 0.0)[1], revoked_at=1.0)], 0.0)

    assert not guard.open
    with pytest.raises(Unauthorized):
        guard.admit(authorization, ANY, 0.0)
    assert (await client.post(SAMPLES, json={"features": {}})).status_code == 401


def test_a_key_is_kept_as_its_hash_alone():
    """What is stored opens nothing."""
    text, key = new_key("shop", [Scope.READ], 0.0)

    assert text.encode() not in repr(key).encode()
    assert len(key.digest) == 32


def test_a_rate_is_refilled_with_time_and_a_batch_may_draw_it_below_zero():
    """Two events a second: a batch of five is taken, and waited for afterwards."""
    guard, key = guarded(Scope.INGEST, rate=2.0)
    guard.admit(key, ANY, 0.0).spend(5)
    with pytest.raises(TooMany) as refused:
        guard.admit(key, ANY, 0.0)

    assert refused.value.seconds == pytest.approx(2.0)
    with pytest.raises(TooMany):
        guard.admit(key, ANY, 1.9)
    guard.admit(key, ANY, 2.0).spend(1)
    with pytest.raises(TooMany):
        guard.admit(key, ANY, 2.4)
    for _ in range(2):
        guard.admit(key, ANY, 1_000.0).spend(1)
    with pytest.raises(TooMany):
        guard.admit(key, ANY, 1_000.0)


def test_a_slow_rate_gives_one_event_at_once():
    """Below one event a second the bucket still holds one."""
    guard, key = guarded(Scope.INGEST, rate=0.1)
    guard.admit(key, ANY, 0.0).spend(1)
    with pytest.raises(TooMany) as refused:
        guard.admit(key, ANY, 0.0)

    assert refused.value.seconds == pytest.approx(10.0)


def test_a_reload_keeps_what_is_used_up_and_forgets_revoked_keys():
    """New keys beside it change nothing for a key."""
    guard = Guard(default_rate=1.0)
    (first, one), (second, two) = new_key("one", [Scope.READ], 0.0), new_key("two", [Scope.READ], 0.0)
    guard.load([one], 0.0)
    guard.admit(b"Bearer " + first.encode(), ANY, 0.0).spend(1)
    guard.load([one, two], 0.0)

    with pytest.raises(TooMany):
        guard.admit(b"Bearer " + first.encode(), ANY, 0.0)
    assert guard.admit(b"Bearer " + second.encode(), ANY, 0.0).key is two
    assert guard.used().keys() == {one.id, two.id}
    assert guard.used() == {}
    with pytest.raises(Forbidden, match="admin"):
        guard.admit(b"Bearer " + second.encode(), ADMIN, 0.5)


async def test_a_rate_that_is_used_up_is_429_with_retry_after(client):
    """Lines count one each; other keys and what needs none go on."""
    (text, key), (other, free) = new_key("shop", [Scope.INGEST], 0.0, 0.5), new_key("other", [Scope.INGEST], 0.0)
    client.guard.load([key, free], 0.0)
    headers = {"Authorization": f"Bearer {text}", "Content-Type": "application/x-ndjson"}
    taken = await client.post(SAMPLES, content=b'{"features":{}}\n' * 5, headers=headers)
    refused = await client.post(SAMPLES, content=b'{"features":{}}\n', headers=headers)

    assert (taken.status_code, refused.status_code) == (200, 429)
    assert 8 <= int(refused.headers["retry-after"]) <= 10
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert (await client.post(SAMPLES, json={"features": {}}, headers={"Authorization": f"Bearer {other}"})).status_code == 200
    assert (await client.get("/readyz")).status_code == 200


async def test_more_requests_than_the_server_takes_get_503_with_retry_after(client):
    """They are refused at once, and those before them are answered."""
    client.house.log.hold()
    asked = [asyncio.create_task(client.post(SAMPLES, json={"id": f"q{n}", "features": {"x": n}})) for n in range(10)]
    for _ in range(20):  # turns of the loop, in which every task comes as far as the log
        await asyncio.sleep(0)
    refused = await client.post(SAMPLES, json={"features": {}})
    watched = [(await client.get(path)).status_code for path in ("/livez", "/readyz")]
    client.house.log.let_go()
    answered = await asyncio.gather(*asked)

    assert (refused.status_code, refused.headers["retry-after"], refused.json()["status"]) == (503, "1", 503)
    assert watched == [200, 200]  # a busy server is not a dead one
    assert [answer.status_code for answer in answered] == [200] * 10
    assert (await client.post(SAMPLES, json={"features": {}})).status_code == 200
