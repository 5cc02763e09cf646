"""Servers for the client: a real one with every way in of the contract, and one that answers as it is told."""

import contextlib
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import httpx


class Request(NamedTuple):
    """What a client sent."""

    method: str
    path: str
    headers: dict
    body: bytes


class Reply(NamedTuple):
    """What it gets."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict | None = None


DROP = Reply(0)  # hang up without an answer


@contextlib.contextmanager
def listening(reply):
    """A server on a free port that answers every request with what `reply(request)` gives; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # a reply is one packet

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content, headers = reply(Request(self.command, self.path, dict(self.headers), body))
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler.handle_any)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Front:
    """A real server, behind what it does not have yet: claims are answered from the open questions. Batches that pass are noted."""

    def __init__(self, url):
        """Stand before a server."""
        self.http = httpx.Client(base_url=url)
        self.batches = []  # ids of the samples of every batch

    def __call__(self, request):
        """Answer a request."""
        path = request.path.partition("?")[0]
        if request.headers.get("Content-Type") == "application/x-ndjson":
            lines = map(json.loads, request.body.splitlines())
            self.batches.append([line.get("id", line.get("sample_id")) for line in lines])
        if path.endswith("/queries/claim"):
            return self.claim(request)
        for ending, outcome in (("/skip", "skipped"), ("/release", "released")):
            if path.endswith(ending):
                return Reply(body=json.dumps({"sample_id": path.split("/")[-2], "outcome": outcome, "model_version": 0}).encode())
        return self.on(request)

    def on(self, request):
        """Send a request on."""
        kept = {name: value for name, value in request.headers.items() if name in {"Content-Type", "Idempotency-Key"}}
        answer = self.http.request(request.method, request.path, content=request.body, headers=kept)
        return Reply(answer.status_code, answer.content, {"Content-Type": answer.headers.get("Content-Type", "")})

    def claim(self, request):
        """Lease the most useful questions."""
        wanted = json.loads(request.body)
        listing = request._replace(method="GET", path=request.path.replace("/claim", f"?limit={wanted['limit']}"), body=b"")
        page = json.loads(self.on(listing).body) | {"cursor": None}
        for query in page["queries"]:
            query["lease"] = {"labeler": wanted["labeler"], "until": "2026-11-22T10:05:00Z"}
        return Reply(body=json.dumps(page).encode())


class Script:
    """A server that gives its replies in turn, the last one for ever, and notes what it was asked."""

    def __init__(self):
        """Begin with `{}` for everything."""
        self.replies = deque([Reply()])
        self.requests = []

    def say(self, *replies):
        """Give these replies in turn."""
        self.replies = deque(replies)

    def __call__(self, request):
        """The next reply."""
        self.requests.append(request)
        return self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
