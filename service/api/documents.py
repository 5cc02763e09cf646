"""What OpenAPI says of every path: the same types that decode and encode, and the errors that may come. It serves nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from service.api import pool_schemas, schemas, stream_schemas, text
from service.api.configuration import configuration
from service.api.envelopes import cloud_event
from service.api.errors import MEDIA_TYPE, Problem
from service.api.parcels import CLOUD_EVENT, CLOUD_EVENTS
from service.api.replies import JSON, NDJSON
from service.api.scopes import needed
from service.core.config import StreamConfig
from service.core.evaluation import ErrorsEvaluation, Evaluation
from service.core.records import Forecast, Prediction
from service.guard import Scope

_REF = "#/components/schemas/{name}"


class Either(NamedTuple):
    """An object of one shape or the other."""

    one: Any
    other: Any


class _Shape(NamedTuple):
    body: Any = None
    answers: Mapping[int, Any] = MappingProxyType({})
    errors: tuple[int, ...] = ()
    batches: bool = False
    headers: tuple[str, ...] = ()
    media_type: str = JSON


_READ = (404, 422)
_WRITE = (404, 413, 415, 422, 503, 507)

_SHAPES: dict[str, _Shape] = {
    "put_stream": _Shape(StreamConfig, {200: stream_schemas.StreamOut, 201: stream_schemas.StreamOut}, (409, 413, 415, 422, 503, 507)),
    "patch_stream": _Shape(dict[str, Any], {200: stream_schemas.StreamOut}, (409, *_WRITE)),
    "get_stream": _Shape(None, {200: stream_schemas.StreamOut}, _READ),
    "list_streams": _Shape(None, {200: stream_schemas.StreamsOut}),
    "delete_stream": _Shape(None, {204: None}, (404, 422, 503, 507)),
    "post_samples": _Shape(
        schemas.SampleIn, {200: schemas.SampleOut}, (404, 409, 413, 415, 422, 503), batches=True, headers=("Idempotency-Key", "traceparent")
    ),
    "get_sample": _Shape(None, {200: schemas.HeldOut}, _READ),
    "delete_sample": _Shape(None, {200: schemas.ErasedOut}, (404, 422, 503, 507)),
    "post_labels": _Shape(schemas.LabelIn, {200: schemas.LabelOut}, (409, *_WRITE), batches=True),
    "delete_label": _Shape(None, {200: schemas.LabelOut}, (404, 409, 422, 503, 507)),
    "list_queries": _Shape(None, {200: schemas.QueriesOut}, _READ),
    "claim_queries": _Shape(schemas.ClaimIn, {200: schemas.QueriesOut}, (404, 413, 415, 422)),
    "skip_query": _Shape(schemas.SkipIn, {200: schemas.LabelOut}, (409, *_WRITE)),
    "release_query": _Shape(schemas.ReleaseIn, {200: schemas.ReleasedOut}, (404, 409, 413, 415, 422)),
    "get_pool": _Shape(None, {200: pool_schemas.PoolOut}, _READ),
    "select_from_pool": _Shape(pool_schemas.SelectIn, {200: pool_schemas.SelectOut}, _WRITE),
    "synthesise": _Shape(pool_schemas.SynthesiseIn, {200: pool_schemas.SynthesiseOut}, (409, *_WRITE)),
    "get_evaluation": _Shape(None, {200: Either(Evaluation, ErrorsEvaluation)}, _READ),
    "catalogue": _Shape(None, {200: dict[str, Any]}),
    "livez": _Shape(None, {200: schemas.Status}),
    "readyz": _Shape(None, {200: schemas.Status}),
    "metrics": _Shape(None, {200: str}, media_type="text/plain"),
}

# Where one answer leads to the next request.
_STREAM = {"stream": "$request.path.stream"}
_OF_STREAM = {
    name: {"parameters": _STREAM}
    for name in ("get_stream", "post_samples", "post_labels", "list_queries", "get_evaluation", "get_pool", "delete_stream")
}
_OF_SAMPLE = {"parameters": {**_STREAM, "sample_id": "$response.body#/id"}}
_OF_LABEL = {"parameters": {**_STREAM, "sample_id": "$response.body#/sample_id"}}
_LINKS: dict[str, dict[int, dict[str, Any]]] = {
    "put_stream": {200: _OF_STREAM, 201: _OF_STREAM},
    "post_samples": {
        200: {
            "get_sample": _OF_SAMPLE,
            "post_labels": {"parameters": _STREAM, "requestBody": {"sample_id": "$response.body#/id", "label": "yes"}},
        }
    },
    "post_labels": {200: {"get_sample": _OF_LABEL, "delete_label": _OF_LABEL}},
    "get_pool": {200: {name: {"parameters": _STREAM, "requestBody": {"n": 1}} for name in ("select_from_pool", "synthesise")}},
    "delete_stream": {204: {"get_stream": {"parameters": _STREAM}}},
}

_GUARDED = (400, 401, 403, 429, 503)  # what may come of any request that needs a key


def document(route: str, method: str, path: str) -> dict[str, Any]:
    """The arguments that document a route, for FastAPI's `add_api_route`."""
    shape = _SHAPES[route]
    scopes = needed(method, path)
    refusals = shape.errors if scopes is None else (*shape.errors, *_GUARDED)
    answers: dict[int | str, dict[str, Any]] = {
        status: _content(_ways(answer, shape.media_type, batches=shape.batches), answer) for status, answer in shape.answers.items()
    }
    answers |= {status: _content({MEDIA_TYPE: Problem}, Problem) for status in sorted(set(refusals))}
    extra: dict[str, Any] = {}
    if shape.body is not None:
        extra["requestBody"] = {"required": True, **_content(_ways_in(shape.body, batches=shape.batches))}
    if shape.headers:
        extra["parameters"] = [_HEADERS[name] for name in shape.headers]
    if scopes is not None:
        extra["security"] = [{"key": sorted(scopes | {Scope.ADMIN})}]
    for status, links in _LINKS.get(route, {}).items():
        answers[status]["links"] = {name: {"operationId": name, **link} for name, link in links.items()}
    return {"tags": [_tag(path)], "operation_id": route, "responses": answers, "openapi_extra": extra}


def _tag(path: str) -> str:
    kind = path.removeprefix("/v1/streams").removeprefix("/{stream}").split("/")[1:2]
    return "server" if not path.startswith("/v1/streams") else kind[0] if kind else "streams"


def complete(generated: dict[str, Any]) -> dict[str, Any]:
    """Add the schemas that the paths refer to, and how a key is sent."""
    parts = generated.setdefault("components", {})
    parts["schemas"] = _amended(_schemas())
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key of `askwhen keys create`; a server without keys asks for none."}
    }
    return generated


def _header(name: str, schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": about, "schema": schema}


_HEADERS = {
    "Idempotency-Key": _header(
        "Idempotency-Key",
        text.IDEMPOTENCY_KEY,
        "Stands in for the `id` of a sample that has none, so that the same request may be sent again.",
    ),
    "traceparent": _header("traceparent", {"type": "string"}, "W3C trace context, kept with the question; ignored if malformed."),
}


def _amended(generated: dict[str, Any]) -> dict[str, Any]:
    """The schemas with what no type says: an id stands in its label unless an event around it has one."""
    label = generated["LabelIn"]
    label = {**label, "properties": {**label["properties"], "sample_id": text.ID}, "required": ["label", "sample_id"]}
    return {**generated, **configuration(generated), "LabelIn": label, "LabelInEvent": generated["LabelIn"]}


def _event_of(shape: Any) -> dict[str, Any]:
    return cloud_event({"$ref": _REF.format(name="LabelInEvent")} if shape is schemas.LabelIn else _schema(shape))


def _schemas() -> dict[str, Any]:
    shapes = [shape.body for shape in _SHAPES.values()] + [answer for shape in _SHAPES.values() for answer in shape.answers.values()]
    either = [one for shape in shapes if isinstance(shape, Either) for one in shape]
    found = [*shapes, *either, Problem, Prediction, Forecast]
    structs = list(dict.fromkeys(shape for shape in found if isinstance(shape, type) and issubclass(shape, msgspec.Struct)))
    return msgspec.json.schema_components(structs, ref_template=_REF)[1]


def _ways_in(shape: Any, *, batches: bool) -> dict[str, Any]:
    if not batches:
        return {JSON: shape}
    return {JSON: shape, NDJSON: Lines(shape), CLOUD_EVENT: Event(shape), CLOUD_EVENTS: Events(shape)}


def _ways(shape: Any, media_type: str, *, batches: bool) -> dict[str, Any]:
    if shape is None:
        return {}
    return {JSON: OneOrMany(shape), NDJSON: Lines(shape)} if batches else {media_type: shape}


class Lines(NamedTuple):
    """One object of a shape a line."""

    shape: Any


class Event(NamedTuple):
    """A CloudEvent that carries an object of a shape."""

    shape: Any


class Events(NamedTuple):
    """An array of them; one that is bad gets a problem in its place, so the array is taken whatever is in it."""

    shape: Any


class OneOrMany(NamedTuple):
    """An object of a shape, or an array in which problems may stand as well."""

    shape: Any


def _content(ways: Mapping[str, Any], shape: Any = None) -> dict[str, Any]:
    content = {media_type: {"schema": _schema(way)} for media_type, way in ways.items()}
    about = {"description": _about(shape)} if shape is not None or not ways else {}
    return {**about, "content": content} if content else about


def _schema(shape: Any) -> dict[str, Any]:
    if isinstance(shape, Lines):
        return {"type": "string", "description": f"one {shape.shape.__name__} a line"}
    if isinstance(shape, Event):
        return _event_of(shape.shape)
    if isinstance(shape, Events):
        return {"type": "array", "items": {"anyOf": [_event_of(shape.shape), {}]}, "description": str(Events.__doc__)}
    if isinstance(shape, OneOrMany):
        one, problem = _schema(shape.shape), _schema(Problem)
        return {"anyOf": [one, {"type": "array", "items": {"anyOf": [one, problem]}}]}
    if isinstance(shape, Either):
        return {"anyOf": [_schema(one) for one in shape]}
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=_REF)
    return schema


def _about(shape: Any) -> str:
    return (getattr(shape, "__doc__", None) or "Done").partition("\n")[0]
