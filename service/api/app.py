"""The ASGI app: edge, paths, errors, documentation. `create_app` takes all it needs; nothing is made at import."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from service import __version__
from service.api import errors
from service.api.documents import complete
from service.api.edge import Edge
from service.api.intake import Intake, Limits
from service.api.pools import PoolRoutes
from service.api.routes import Render, Routes
from service.api.takers import Takers
from service.api.turns import Turns
from service.engine import Engine
from service.guard import Guard

Lifespan = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    pass


def create_app(
    engine: Engine,
    guard: Guard,
    render_metrics: Render,
    *,
    start: Lifespan = _nothing,
    stop: Lifespan = _nothing,
    limits: Limits | None = None,
    refused: Callable[[int], None] = lambda _: None,
) -> Edge:
    """Build the app; `start` runs before the first request, `stop` after the last; `refused` is told the status of every refusal."""
    bounds = limits or Limits()
    takers = Takers(engine.flow)
    turns = Turns()
    samples = Intake(takers.sample, takers.samples, engine.streams.__getitem__, bounds, turns)
    labels = Intake(takers.label, takers.labels, engine.streams.__getitem__, bounds, turns)
    app = FastAPIOffline(
        title="askwhen",
        version=__version__,
        summary="Decides what to ask, and learns from every answer.",
        lifespan=_lifespan(start, stop),
        redirect_slashes=False,
    )
    errors.install(app, refused)
    Routes(engine, samples, labels, render_metrics, bounds.body).install(app)
    PoolRoutes(engine, bounds.body).install(app)
    generated = app.openapi
    app.openapi = lambda: complete(generated())  # type: ignore[method-assign]
    return Edge(app, samples, labels, guard, turns, bounds.requests, refused)


def _lifespan(start: Lifespan, stop: Lifespan) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await start()
        try:
            yield
        finally:
            await stop()

    return lifespan
