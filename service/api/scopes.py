"""Which scopes open which path: the table that the guard is asked with, and that OpenAPI shows. `admin` opens everything."""

from service.guard import Scope

_FREE = frozenset({"/livez", "/readyz", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
DOCS = "/static-offline-docs/"  # what /docs and /redoc load; it comes with a package, not from elsewhere
_ANY: frozenset[Scope] = frozenset(Scope)
_ADMIN: frozenset[Scope] = frozenset({Scope.ADMIN})

_OF_STREAM: dict[tuple[str, str], frozenset[Scope]] = {
    ("POST", "samples"): frozenset({Scope.INGEST}),
    ("GET", "samples"): frozenset({Scope.INGEST, Scope.LABEL, Scope.READ}),
    ("POST", "labels"): frozenset({Scope.LABEL}),
    ("DELETE", "labels"): frozenset({Scope.LABEL}),
    ("GET", "queries"): frozenset({Scope.LABEL, Scope.READ}),
    ("POST", "queries"): frozenset({Scope.LABEL}),
    ("GET", "pool"): frozenset({Scope.LABEL, Scope.READ}),
    ("POST", "pool"): frozenset({Scope.LABEL}),
}


def needed(method: str, path: str) -> frozenset[Scope] | None:
    """The scopes of which a request needs one; None where it needs no key at all.

    >>> [str(scope) for scope in needed("POST", "/v1/streams/fraud/labels")], needed("GET", "/livez")
    (['label'], None)
    """
    if path in _FREE or path.startswith(DOCS):
        return None
    if path == "/v1/catalogue":
        return _ANY
    parts = path.split("/", 5)
    scopes = _OF_STREAM.get((method, parts[4])) if path.startswith("/v1/streams/") and len(parts) > 4 else None  # noqa: PLR2004 - /v1/streams/NAME/KIND
    if scopes is not None:
        return scopes
    return frozenset({Scope.READ}) if method in {"GET", "HEAD"} else _ADMIN
