"""What OpenAPI says of every path: the same types that decode and encode, and the errors that may come. It serves nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from service.api import schemas
from service.api.errors import MEDIA_TYPE, Problem
from service.core.config import StreamConfig

_REF = "#/components/schemas/{name}"


class _Shape(NamedTuple):
    body: Any = None
    answers: Mapping[int, Any] = MappingProxyType({})
    errors: tuple[int, ...] = ()


_READ = (404, 422)
_WRITE = (404, 413, 415, 422, 503, 507)

_SHAPES: dict[str, _Shape] = {
    "put_stream": _Shape(StreamConfig, {200: schemas.StreamOut, 201: schemas.StreamOut}, (413, 415, 422, 503, 507)),
    "patch_stream": _Shape(dict[str, Any], {200: schemas.StreamOut}, _WRITE),
    "get_stream": _Shape(None, {200: schemas.StreamOut}, _READ),
    "list_streams": _Shape(None, {200: schemas.StreamsOut}),
    "delete_stream": _Shape(None, {204: None}, (404, 422, 503, 507)),
    "post_sample": _Shape(schemas.SampleIn, {200: schemas.SampleOut}, (404, 409, 413, 415, 422)),
    "get_sample": _Shape(None, {200: schemas.HeldOut}, _READ),
    "delete_sample": _Shape(None, {200: schemas.ErasedOut}, (404, 422, 503, 507)),
    "post_label": _Shape(schemas.LabelIn, {200: schemas.LabelOut}, (409, *_WRITE)),
    "delete_label": _Shape(None, {200: schemas.LabelOut}, (404, 422, 503, 507)),
    "list_queries": _Shape(None, {200: schemas.QueriesOut}, _READ),
    "catalogue": _Shape(None, {200: dict[str, Any]}),
    "livez": _Shape(None, {200: schemas.Status}),
    "readyz": _Shape(None, {200: schemas.Status}),
    "metrics": _Shape(),
}


def document(route: str) -> dict[str, Any]:
    """The arguments that document a route, for FastAPI's `add_api_route`."""
    shape = _SHAPES[route]
    answers: dict[int | str, dict[str, Any]] = {status: _content("application/json", answer) for status, answer in shape.answers.items()}
    answers |= {status: _content(MEDIA_TYPE, Problem) for status in shape.errors}
    extra = {} if shape.body is None else {"requestBody": {"required": True, **_content("application/json", shape.body, described=False)}}
    return {"operation_id": route, "responses": answers, "openapi_extra": extra}


def components() -> dict[str, Any]:
    """The schemas that the paths refer to."""
    shapes = [shape.body for shape in _SHAPES.values()] + [answer for shape in _SHAPES.values() for answer in shape.answers.values()]
    structs = list(dict.fromkeys(shape for shape in [*shapes, Problem] if isinstance(shape, type) and issubclass(shape, msgspec.Struct)))
    return msgspec.json.schema_components(structs, ref_template=_REF)[1]


def _content(media_type: str, shape: Any, *, described: bool = True) -> dict[str, Any]:
    about = {"description": _about(shape)} if described else {}
    if shape is None:
        return about
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=_REF)
    return {**about, "content": {media_type: {"schema": schema}}}


def _about(shape: Any) -> str:
    return (getattr(shape, "__doc__", None) or "Done").partition("\n")[0]
