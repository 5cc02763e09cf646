"""Times as people and other programs read them. Nothing here looks at a clock."""

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00.500000Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
