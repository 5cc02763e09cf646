"""The ASGI app: paths, errors, documentation. `create_app` takes all it needs; nothing is made at import."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from service import __version__
from service.api import errors
from service.api.documents import components
from service.api.routes import Routes


def create_app(routes: Routes, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> FastAPI:
    """Build the app; `start` runs before the first request, `stop` after the last."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await start()
        try:
            yield
        finally:
            await stop()

    app = FastAPI(title="askwhen", version=__version__, summary="Decides what to ask, and learns from every answer.", lifespan=lifespan)
    errors.install(app)
    routes.install(app)
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        document.setdefault("components", {})["schemas"] = components()
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    return app
