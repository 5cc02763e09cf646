"""What the tests of the client share: either kind of client, and the servers they speak to."""

import contextlib
import itertools

import anyio.to_thread
import pytest

from loadtest.server import serving
from service.client import AsyncClient, Client, Retries
from tests.client.servers import Front, Script, listening

QUICK = Retries(first=0.001, longest=0.002)


@pytest.fixture(scope="session")
def front(tmp_path_factory):
    """A real server with every way in; `front.url` is its address."""
    with serving(tmp_path_factory.mktemp("server") / "data") as server:
        made = Front(server.url)
        with made.http, listening(made) as made.url:
            yield made


@pytest.fixture
def script():
    """A server that answers as it is told; `script.url` is its address."""
    made = Script()
    with listening(made) as made.url:
        yield made


class Either:
    """A client of one of the two kinds, so that every test is about both: what it gives is awaited, and iterators are lists."""

    def __init__(self, client):
        """Take a client."""
        self.client = client

    def __getattr__(self, name):
        """A method of the client."""
        method = getattr(self.client, name)

        async def call(*args, **kwargs):
            if isinstance(self.client, Client):
                return await anyio.to_thread.run_sync(lambda: _whole(method(*args, **kwargs)))
            answer = method(*args, **kwargs)
            return [item async for item in answer] if hasattr(answer, "__aiter__") else await answer

        return call


def _whole(answer):
    return list(answer) if hasattr(answer, "__next__") else answer


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
async def connect(request):
    """A function that connects either kind of client to an address."""
    async with contextlib.AsyncExitStack() as stack:

        async def one(url, key=None, **options):
            client = request.param(url, key, **{"retries": QUICK, **options})
            if isinstance(client, Client):
                stack.enter_context(client)
            else:
                await stack.enter_async_context(client)
            return Either(client)

        yield one


_numbers = itertools.count()


@pytest.fixture
def stream():
    """A name that no other test has."""
    return f"s{next(_numbers)}"


@pytest.fixture
async def client(connect, front, stream):
    """Either kind of client of the real server, where the stream asks about everything."""
    made = await connect(front.url)
    await made.put(stream, {"budget": {"rate": 1.0, "burst": 100}, "query": {"rule": "random"}})
    return made
