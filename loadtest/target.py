"""The service that is loaded: whether it may be, how to reach it, and whether its budgets hold. It sends no load itself."""

import ipaddress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

_ROUNDING = 1e-6  # the service sums floats


class ForeignServer(ValueError):
    """An address that is not the loopback, and nobody said that the server is theirs."""


def check(url: str, *, owned: bool) -> str:
    """The URL without a slash at its end; raises `ForeignServer` unless it is on the loopback or the server is `owned`."""
    host = urlsplit(url).hostname or ""
    if not owned and not _is_loopback(host):
        message = f"{url} is not on this machine: load only what is yours, and say so with --i-own-this-server"
        raise ForeignServer(message)
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Budget(NamedTuple):
    """A stream's account as `GET /v1/streams/{stream}` tells it."""

    seen: int
    asked: int
    given_back: int
    rate: float
    burst: float

    @classmethod
    def of(cls, stream: dict[str, Any]) -> "Budget":
        """Read a stream's answer."""
        summary, budget = stream["summary"], stream["config"]["budget"]
        return cls(summary["seen"], summary["asked"], summary["given_back"], budget["rate"], budget["burst"])

    @property
    def allowed(self) -> float:
        """Questions that may have been asked by now."""
        return self.rate * self.seen + self.burst

    @property
    def held(self) -> bool:
        """Whether asked − given back ≤ rate × seen + burst."""
        return self.asked - self.given_back <= self.allowed + _ROUNDING

    def __str__(self) -> str:
        verdict = "held" if self.held else "BROKEN"
        return (
            f"asked {self.asked:,} − given back {self.given_back:,} ≤ {self.rate:g} × seen {self.seen:,} + {self.burst:g}"
            f" = {self.allowed:,.1f}: {verdict}"
        )


class Target:
    """The few requests around a load: make a stream, look at it, remove it."""

    def __init__(self, url: str, key: str) -> None:
        """Take a checked URL and a key, which may be empty."""
        self._http = httpx.Client(base_url=url, headers=headers(key), timeout=30.0)

    def create(self, stream: str, config: dict[str, Any]) -> None:
        """Make a stream; raises `httpx.HTTPStatusError`."""
        self._http.put(f"/v1/streams/{stream}", json=config).raise_for_status()

    def budget(self, stream: str) -> Budget:
        """A stream's account; raises `httpx.HTTPStatusError`."""
        return Budget.of(self._http.get(f"/v1/streams/{stream}").raise_for_status().json())

    def answers(self) -> None:
        """Raise `httpx.HTTPError` unless the service is there and takes the key."""
        self._http.get("/v1/streams").raise_for_status()

    def remove(self, stream: str) -> None:
        """Delete a stream with all that it learned; raises `httpx.HTTPStatusError`."""
        self._http.delete(f"/v1/streams/{stream}").raise_for_status()


def headers(key: str) -> dict[str, str]:
    """What every request carries: the key, if there is one."""
    return {"Authorization": f"Bearer {key}"} if key else {}
