"""How a server is reached: its address, the key, time-outs, and whether the environment's proxies have a say."""

import re
from typing import TypedDict

import httpx

from service.client.errors import ClientError, Unreachable

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_CONNECT = 5.0  # seconds
_KEY = re.compile(r"[!-~]+")  # what a header can carry


class Options(TypedDict):
    """What both of httpx's clients take."""

    base_url: httpx.URL
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool


def options(url: str, key: str | None, timeout: float) -> Options:
    """Options of a connection; `timeout` is in seconds and for every try. Raises `Unreachable` for what is no address."""
    address = _address(url)
    if key is not None and not _KEY.fullmatch(key):
        raise ClientError("this is no key: it has other characters than those of printable ASCII without spaces")
    return {
        "base_url": address,
        "headers": {} if key is None else {"Authorization": f"Bearer {key}"},
        "timeout": httpx.Timeout(timeout, connect=min(timeout, _CONNECT)),
        "trust_env": address.host not in _LOOPBACK,  # a proxy of the environment cannot reach this machine's own
    }


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Unreachable(f"{url!r} is no address: {error}") from None
    if address.scheme not in {"http", "https"} or not address.host:
        raise Unreachable(f"{url!r} is no address; it begins with http:// or https://")
    return address
