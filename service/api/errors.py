"""One table from exception to status, one shape for every error (RFC 9457 problem details). No other module names a status of an error."""

import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from service.api.replies import Reply
from service.core.errors import AskwhenError, Conflict, Invalid, StorageFull, TooLarge, Unavailable, UnknownSample, UnknownStream
from service.guard import Forbidden, TooMany, Unauthorized

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"  # seconds

_LONGEST = 1_000  # characters of a request that are told back

_log = structlog.get_logger("askwhen.api")


class UnsupportedMedia(AskwhenError):
    """A body of a media type that this path does not take."""


class CutShort(AskwhenError):
    """The client went away before its request was complete; nobody is left to read the answer."""


class TooSlow(AskwhenError):
    """The body takes longer than anybody waits for it."""


class Overloaded(AskwhenError):
    """As many requests as the server takes are in work."""


STATUSES: dict[type[AskwhenError], int] = {
    CutShort: 400,
    Unauthorized: 401,
    Forbidden: 403,
    UnknownStream: 404,
    UnknownSample: 404,
    TooSlow: 408,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    Invalid: 422,
    TooMany: 429,
    StorageFull: 507,
    Unavailable: 503,
    Overloaded: 503,
}


class Place(msgspec.Struct, frozen=True):
    """Where a request is wrong, and what is wrong there."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Place] = []


def problem(status: int, detail: str, instance: str, errors: list[Place] | None = None, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Render a problem."""
    title = HTTPStatus(status).phrase
    body = Problem(f"/problems/{title.lower().replace(' ', '-')}", title, status, detail[:_LONGEST], instance[:_LONGEST], errors or [])
    if status in {429, 503, 507} and not headers:
        headers = (("Retry-After", RETRY_AFTER),)
    return Reply(msgspec.json.encode(body), status, MEDIA_TYPE, headers)


def of_error(error: AskwhenError, instance: str) -> Reply:
    """Render one of askwhen's own errors."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
    if isinstance(error, Invalid):
        return problem(status, error.detail, instance, [Place(f"#{error.pointer[:_LONGEST]}", error.detail[:_LONGEST])])
    if isinstance(error, Unauthorized):
        return problem(status, str(error), instance, headers=(("WWW-Authenticate", 'Bearer realm="askwhen"'),))
    if isinstance(error, TooMany):
        return problem(status, str(error), instance, headers=(("Retry-After", str(math.ceil(error.seconds))),))
    return problem(status, str(error), instance)


def of_anything(error: Exception, instance: str) -> Reply:
    """Render any exception; one that nobody foresaw is logged, and its insides are not told."""
    if isinstance(error, AskwhenError):
        return of_error(error, instance)
    _log.error("request failed", path=instance, exc_info=error)
    return problem(500, "askwhen has a defect; its log says more", instance)


def _methods(request: Request) -> list[str]:
    """Every method that the request's path takes; the router's own header names those of one route."""
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in route.methods or ()})


def install(app: FastAPI, refused: Callable[[int], None]) -> None:
    """Have every error of the app rendered as a problem, and counted."""

    async def http(request: Request, error: Exception) -> Response:
        status, detail = (error.status_code, str(error.detail)) if isinstance(error, HTTPException) else (500, "")
        refused(status)
        answer = problem(status, detail, request.scope["path"]).response()
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            answer.headers["Allow"] = ", ".join(_methods(request))
        return answer

    async def arguments(request: Request, error: Exception) -> Response:
        found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
        refused(422)
        places = [Place("#/" + "/".join(map(str, item["loc"])), item["msg"]) for item in found]
        return problem(422, places[0].detail if places else "invalid arguments", request.scope["path"], places).response()

    async def anything(request: Request, error: Exception) -> Response:
        reply = of_anything(error, request.scope["path"])
        refused(reply.status)
        return reply.response()

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, arguments)
    app.add_exception_handler(AskwhenError, anything)
    app.add_exception_handler(Exception, anything)
