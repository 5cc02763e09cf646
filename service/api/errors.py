"""One table from exception to status, one shape for every error (RFC 9457 problem details). No other module names a status of an error."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from service.core.errors import AskwhenError, Conflict, Invalid, StorageFull, TooLarge, Unavailable, UnknownSample, UnknownStream

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"  # seconds

_log = structlog.get_logger("askwhen.api")


class UnsupportedMedia(AskwhenError):
    """A body of a media type that this path does not take."""


STATUSES: dict[type[AskwhenError], int] = {
    Invalid: 422,
    UnknownStream: 404,
    UnknownSample: 404,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    StorageFull: 507,
    Unavailable: 503,
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


def problem(status: int, detail: str, instance: str, errors: list[Place] | None = None) -> Response:
    """Render a problem."""
    title = HTTPStatus(status).phrase
    body = Problem(f"/problems/{title.lower().replace(' ', '-')}", title, status, detail, instance, errors or [])
    headers = {"Retry-After": RETRY_AFTER} if status in {429, 503, 507} else None
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


def of_error(error: AskwhenError, instance: str) -> Response:
    """Render one of askwhen's own errors."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
    if isinstance(error, Invalid):
        return problem(status, error.detail, instance, [Place(f"#{error.pointer}", error.detail)])
    return problem(status, str(error), instance)


def install(app: FastAPI) -> None:
    """Have every error of the app rendered as a problem."""

    async def own(request: Request, error: Exception) -> Response:
        return of_error(error, request.url.path) if isinstance(error, AskwhenError) else await broken(request, error)

    async def http(request: Request, error: Exception) -> Response:
        status, detail = (error.status_code, str(error.detail)) if isinstance(error, HTTPException) else (500, "")
        answer = problem(status, detail, request.url.path)
        answer.headers.update(dict(getattr(error, "headers", None) or {}))
        return answer

    async def arguments(request: Request, error: Exception) -> Response:
        found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
        places = [Place("#/" + "/".join(map(str, item["loc"])), item["msg"]) for item in found]
        return problem(422, places[0].detail if places else "invalid arguments", request.url.path, places)

    async def broken(request: Request, error: Exception) -> Response:
        _log.error("request failed", path=request.url.path, exc_info=error)
        return problem(500, "askwhen has a defect; its log says more", request.url.path)

    app.add_exception_handler(AskwhenError, own)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, arguments)
    app.add_exception_handler(Exception, broken)
