"""The short cut of the wire: requests in pieces, in a row, and at once get what HTTP and ASGI would have given them."""

import json
import socket

import httpx
import pytest

from loadtest.server import serving

STREAM = "/v1/streams/s"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server with a stream `s` that asks about everything, and a stream `quiet` that asks nothing."""
    with serving(tmp_path_factory.mktemp("wire")) as made:
        httpx.put(made.url + STREAM, json={"budget": {"rate": 1.0, "burst": 1000}}).raise_for_status()
        httpx.put(made.url + "/v1/streams/quiet", json={"budget": {"rate": 0, "burst": 0}}).raise_for_status()
        yield made


class Line:
    """A connection, byte by byte."""

    def __init__(self, server):
        """Connect."""
        host, port = server.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._file = self._socket.makefile("rb")

    def send(self, *pieces):
        """Send pieces, each in a packet of its own."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self._socket.sendall(piece)

    def answer(self):
        """The next answer: status, headers and body."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, self._file.read(int(headers.get("content-length", 0)))

    def ended(self):
        """Whether the server closes the connection."""
        return self._file.read(1) == b""


@pytest.fixture
def line(server):
    """A connection to the server."""
    made = Line(server)
    yield made
    made._file.close()
    made._socket.close()


def request(body, *lines, stream="quiet", version="1.1"):
    """A sample's request."""
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    head = [
        f"POST /v1/streams/{stream}/samples HTTP/{version}",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*head, *lines, "", ""]).encode() + content


@pytest.mark.parametrize("stream", ["quiet", "s"])
def test_a_request_may_come_in_pieces(line, stream):
    """Wherever it is cut, the answer is the same."""
    whole = request({"id": f"pieces-{stream}", "features": {"x": 1}}, stream=stream)
    line.send(whole)
    first = json.loads(line.answer()[2])
    for cut in (5, whole.index(b"\r\n\r\n") + 2, whole.index(b"\r\n\r\n") + 4, len(whole) - 3):
        line.send(whole[:cut], whole[cut:])
        status, _, body = line.answer()

        assert status == 200
        assert json.loads(body) == {**first, "replayed": True}


@pytest.mark.parametrize("stream", ["quiet", "s"])
def test_requests_in_a_row_are_answered_in_their_order(line, stream):
    """Sent without waiting, also where an answer waits for the disk and the next one would not."""
    names = [f"row-{stream}-{number}" for number in range(20)]
    line.send(b"".join(request({"id": name, "features": {"x": 1}}, stream=stream) for name in names))

    assert [json.loads(line.answer()[2])["id"] for _ in names] == names


def test_other_requests_may_stand_between(line):
    """What goes the way of ASGI keeps its place in the row."""
    sample = request({"id": "between", "features": {"x": 1}})
    line.send(sample + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + sample)
    bodies = [json.loads(line.answer()[2]) for _ in range(3)]

    assert (bodies[0]["id"], bodies[1], bodies[2]["replayed"]) == ("between", {"status": "ok"}, True)


@pytest.mark.parametrize(("lines", "version"), [(["Connection: close"], "1.1"), ([], "1.0")])
def test_a_connection_is_closed_where_it_should_be(line, lines, version):
    """By the client's wish, and after HTTP/1.0."""
    line.send(request({"features": {"x": 1}}, *lines, version=version))
    status, headers, _ = line.answer()

    assert (status, headers["connection"]) == (200, "close")
    assert line.ended()


def test_a_client_may_ask_first_whether_it_should_go_on(line):
    """Expect: 100-continue gets its interim answer, and then the answer."""
    whole = request({"features": {"x": 1}}, "Expect: 100-continue")
    cut = whole.index(b"\r\n\r\n") + 4
    line.send(whole[:cut])
    interim = line._file.readline()
    line._file.readline()
    line.send(whole[cut:])

    assert interim.startswith(b"HTTP/1.1 100")
    assert line.answer()[0] == 200


def test_a_chunked_body_is_a_body(line):
    """Without a length that is told beforehand."""
    line.send(
        b"POST /v1/streams/quiet/samples HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        b'6\r\n{"feat\r\n',
        b'a\r\nures": {}}\r\n0\r\n\r\n',
    )

    assert line.answer()[0] == 200


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 422), (b'{"features": {"x": [1]}}', 422), (b'{"features": {"x": NaN}}', 422), (b"", 422)]
)
def test_a_mistake_gets_the_same_problem_at_once_and_by_way_of_asgi(server, line, body, status):
    """In one piece the request takes the short cut, in two it does not."""
    whole = request(body)
    cut = whole.index(b"\r\n\r\n") + 2
    line.send(whole)
    once = line.answer()
    line.send(whole[:cut], whole[cut:])
    other = line.answer()

    assert once[0] == other[0] == status
    assert once[2] == other[2]
    assert once[1]["content-type"] == other[1]["content-type"] == "application/problem+json"
    assert httpx.get(server.url + "/readyz").is_success


def test_a_client_that_hangs_up_harms_nobody(server, line):
    """Its question is kept, and others are answered."""
    line.send(request({"id": "gone", "features": {"x": 1}}, stream="s"))
    line._socket.shutdown(socket.SHUT_RDWR)
    again = httpx.post(server.url + STREAM + "/samples", json={"id": "gone", "features": {"x": 1}}).json()

    assert again["query"]["ask"]
