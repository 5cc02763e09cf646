"""Bad requests that no HTTP client would send, on raw sockets against a real server: it answers with a problem or hangs up, and lives."""

import json
import socket

import httpx
import pytest

from loadtest.server import serving

PATH = "/v1/streams/s/samples"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
LINES = HEAD.replace(b"application/json", b"application/x-ndjson")
MEBI = 1_048_576


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all of them, with a stream and a question."""
    with serving(tmp_path_factory.mktemp("data")) as running:
        httpx.put(f"{running.url}/v1/streams/s", json={}).raise_for_status()
        httpx.post(f"{running.url}{PATH}", json={"id": "known", "features": {"x": 1}}).raise_for_status()
        yield running


def exchanged(server, pieces, *, half_close=False):
    """Send pieces of a request, and read until the server closes or has said all; gives status (0 for none), head and body."""
    host, port = server.url.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            answer = received(connection)
        except (BrokenPipeError, ConnectionResetError):
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), head.lower(), body[: length_of(head)]  # what follows is another answer


def received(connection):
    """One whole answer, or what came until the server closed."""
    answer = b""
    while not complete(answer) and (data := connection.recv(65_536)):
        answer += data
    return answer


def complete(answer):
    """Whether a whole answer is there."""
    head, _, body = answer.partition(b"\r\n\r\n")
    length = length_of(head)
    return length is not None and len(body) >= length


def length_of(head):
    """The length of the body that a head announces, if it does."""
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0].split(b":")[1]) if lengths else None


def chunked(*chunks):
    """A body in chunks, with its header."""
    return [b"Transfer-Encoding: chunked\r\n\r\n", *(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n"]


def headers(*lines):
    """A request for /livez with these headers."""
    return [b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"]


RAW = {
    "no HTTP": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"], 400),
    "no request line": ([b"HELLO\r\n\r\n"], 400),
    "HTTP/9.9": ([b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"], 400),
    "HTTP/2 at once": ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400),
    "a space in the path": ([b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
    "bytes in the path": ([b"GET /v1/streams/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
    "a NUL in a header": (headers(b"X: a\x00b"), 400),
    "a header without a colon": (headers(b"X"), 400),
    "a space before the colon": (headers(b"Host : x"), 400),
    "a folded first header": ([b"GET /livez HTTP/1.1\r\n Host: x\r\n\r\n"], 400),
    "CONNECT": ([b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"], 400),
    "asterisk": ([b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "dots": ([b"GET /v1/streams/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "encoded dots": ([b"GET /v1/streams/%2e%2e/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "two slashes": ([b"GET //livez HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "a NUL in the path": ([b"GET /livez%00 HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "an overlong slash": ([b"GET /v1/streams%c0%afs HTTP/1.1\r\nHost: x\r\n\r\n"], 404),
    "a path of 100 kB": ([b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"], 431),
    "a header of 1 MB": (headers(b"X: " + b"x" * 1_000_000), 431),
    "headers without an end": ([b"GET / HTTP/1.1\r\n", *[b"X: " + b"x" * 10_000 + b"\r\n"] * 60], 431),
    "a name of 300 kB": (headers(b"x" * 300_000 + b": 1"), 431),
    "101 headers": (headers(*[b"X: x"] * 101), 431),
    "Content-Length in words": ([HEAD, b"Content-Length: many\r\n\r\n"], 400),
    "negative Content-Length": ([HEAD, b"Content-Length: -1\r\n\r\n"], 400),
    "Content-Length beyond 64 bits": ([HEAD, b"Content-Length: 99999999999999999999999\r\n\r\n"], 400),
    "two Content-Lengths": ([HEAD, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"], 400),
    "length and chunks": ([HEAD, b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"], 400),
    "chunks of no size": ([HEAD, b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"], 400),
    "a chunk beyond 64 bits": ([HEAD, b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"], 400),
    "a chunk that lies": ([HEAD, b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"], 400),
    "Content-Length that is too short": ([HEAD, b'Content-Length: 5\r\n\r\n{"features": {}}'], 422),
    "30 MB announced": ([HEAD, b"Content-Length: 31457280\r\n\r\n"], 413),
    "30 MB in chunks": ([HEAD, *chunked(*[b" " * MEBI] * 30)], 413),
    "17 MiB of lines announced": ([LINES, b"Content-Length: 17825792\r\n\r\n"], 413),
    "17 MiB of lines in chunks": ([LINES, *chunked(*[b"\n" * MEBI] * 17)], 413),
    "10,001 lines": ([LINES, *chunked(b'{"features":{}}\n' * 10_001)], 413),
    "an empty body": ([HEAD, b"Content-Length: 0\r\n\r\n"], 422),
    "an empty body in chunks": ([HEAD, *chunked()], 422),
    "no body": ([HEAD, b"\r\n"], 422),
    "a configuration of 30 MB": (
        [b"PUT /v1/streams/t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n", *chunked(*[b" " * MEBI] * 30)],
        413,
    ),
}


def stands(server):
    """What the stream shows."""
    return httpx.get(f"{server.url}/v1/streams").json()


@pytest.mark.parametrize(("pieces", "status"), RAW.values(), ids=RAW.keys())
def test_a_bad_request_gets_a_problem_and_changes_nothing(server, pieces, status):
    """From the first byte to the last chunk."""
    before = stands(server)
    whole = b"".join(pieces)
    found, head, body = exchanged(server, [whole] if len(whole) < 60_000 else pieces)

    assert stands(server) == before
    if status != 431 or found:  # who still sends its headers when the server hangs up may not see why
        assert found == status
        assert b"content-type: application/problem+json" in head
        assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD, b'Content-Length: 100\r\n\r\n{"features": {}}'],
        [HEAD, b'Transfer-Encoding: chunked\r\n\r\n10\r\n{"features": {}}\r\n'],
        [HEAD, b"Transfer-Encoding: chunked\r\n\r\n10\r\n{"],
        [LINES, b'Content-Length: 1000\r\n\r\n{"features": {}}\n{"features": {}}\n'],
        [HEAD],
    ],
    ids=["length that lies", "no last chunk", "cut in a chunk", "cut in a batch", "cut in the headers"],
)
def test_a_request_that_is_cut_short_changes_nothing(server, pieces):
    """Not even the lines of a batch that had come."""
    before = stands(server)
    exchanged(server, pieces, half_close=True)

    assert stands(server) == before
    assert httpx.post(f"{server.url}{PATH}", json={"id": "known", "features": {"x": 1}}).json()["replayed"]


def test_a_request_in_pieces_is_as_good_as_one_at_once(server):
    """A head that comes byte by byte is within its bounds."""
    body = b'{"id": "known", "features": {"x": 1}}'
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body

    assert exchanged(server, [request[place : place + 1] for place in range(len(request))])[0] == 200


def test_a_head_of_just_the_bound_is_taken(server):
    """The bound is on the head alone, not on a body that comes along."""
    body = b'{"id": "known", "features": {"x": 1}}' + b" " * 100_000
    head = HEAD + b"X: " + b"x" * 60_000 + b"\r\nContent-Length: %d\r\n\r\n" % len(body)

    assert exchanged(server, [head + body])[0] == 200


def test_a_head_that_begins_behind_a_long_body_is_taken(server):
    """What comes before it in the same piece does not count."""
    body = b'{"id": "known", "features": {"x": 1}}' + b" " * 200_000
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request + request[:50])
        first = received(connection)
        connection.sendall(request[50:])
        second = received(connection)

    assert (first[:15], second[:15]) == (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK")


def test_an_upgrade_is_not_followed(server):
    """There are no WebSockets here; the request is answered as what it is."""
    lines = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]

    assert exchanged(server, headers(*lines))[0] == 200
