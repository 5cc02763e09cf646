"""The paths of a stream's pool: how full it is, questions picked from it, samples made near the decision boundary."""

from typing import Annotated

import msgspec
from fastapi import FastAPI, Path, Request
from fastapi.responses import Response

from service.api import schemas, text
from service.api.bodies import json_body_of
from service.api.documents import document
from service.api.pool_schemas import PoolOut, SelectIn, SelectOut, SynthesiseIn, SynthesiseOut, SyntheticOut
from service.api.strict import parse
from service.choosing import Made
from service.core.embeddings import shown
from service.core.records import Prediction
from service.core.times import rfc3339
from service.engine import Engine

Stream = Annotated[str, Path(json_schema_extra=text.STREAM)]


class PoolRoutes:
    """The pool's paths over one service."""

    def __init__(self, engine: Engine, max_body: int) -> None:
        """Take what the paths call."""
        self._streams = engine.streams
        self._choosing = engine.choosing
        self._portions = engine.portions
        self._max_body = max_body

    def install(self, app: FastAPI) -> None:
        """Add the paths to an app."""
        for method, path, about in (
            ("GET", "/v1/streams/{stream}/pool", self.get_pool),
            ("POST", "/v1/streams/{stream}/pool/select", self.select_from_pool),
            ("POST", "/v1/streams/{stream}/pool/synthesise", self.synthesise),
        ):
            app.add_api_route(path, about, methods=[method], response_class=Response, **document(about.__name__, method, path))

    async def get_pool(self, stream: Stream) -> Response:
        """How many unasked samples are kept, and how old they are."""
        pool = self._streams[stream].pool
        oldest = None if pool.oldest is None else rfc3339(pool.oldest)
        return _json(PoolOut(pool.size.samples, pool.spec.size, pool.spec.keep, pool.size.bytes, oldest, self._portions.pending(stream)))

    async def select_from_pool(self, stream: Stream, request: Request) -> Response:
        """Ask about the samples of the pool that are worth it together, within the budget; on disk when this returns."""
        wanted = parse(await json_body_of(request, self._max_body), SelectIn)
        found = await self._portions.select(stream, wanted.n, wanted.at_once)
        return _json(SelectOut([schemas.question_of(item) for item in found.asked], found.refused, self._portions.pending(stream)))

    async def synthesise(self, stream: Stream, request: Request) -> Response:
        """Make samples near the decision boundary, between real ones, and ask about them within the budget."""
        wanted = parse(await json_body_of(request, self._max_body), SynthesiseIn)
        found = await self._choosing.synthesise(stream, wanted.n, ask=wanted.ask)
        return _json(SynthesiseOut([_synthetic(made) for made in found.made], found.refused))


def _synthetic(made: Made) -> SyntheticOut:
    one = made.synthetic
    return SyntheticOut(made.sample_id, True, shown(one.features), Prediction.of(one.probabilities), one.margin, one.parents)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
