"""Who may do what, and how often: keys, their scopes, their rates. No HTTP and no storage; time and keys come in.

A service without keys asks for none (and then listens on loopback only). From the first key on, every request needs one, also when
all of them are revoked.
"""

import hashlib
import secrets
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from service.core.errors import AskwhenError

_PREFIX = "askwhen"
_BEARER = b"bearer "
_LONGEST = 200  # bytes; no key is longer


class Scope(StrEnum):
    """What a key opens; `admin` opens everything."""

    INGEST = "ingest"
    LABEL = "label"
    READ = "read"
    ADMIN = "admin"


class Unauthorized(AskwhenError):
    """No key came, or one that is not known here."""


class Forbidden(AskwhenError):
    """The key's scopes do not allow this."""


class TooMany(AskwhenError):
    """The key's rate is used up for `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Key(msgspec.Struct, frozen=True):
    """A key as it is kept: of its text only the SHA-256. `rate` is events a second (None: the server's default). Times in seconds."""

    id: str
    name: str
    scopes: frozenset[Scope]
    digest: bytes
    created_at: float
    rate: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None

    @property
    def allowed(self) -> frozenset[Scope]:
        """The scopes it opens."""
        return frozenset(Scope) if Scope.ADMIN in self.scopes else self.scopes


def new_key(name: str, scopes: Iterable[Scope], at: float, rate: float | None = None) -> tuple[str, Key]:
    """Make a key of 256 random bits: its text, which is shown once, and what is kept of it."""
    key_id = secrets.token_hex(4)
    text = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    return text, Key(key_id, name, frozenset(scopes), digest_of(text.encode()), at, rate)


def digest_of(text: bytes) -> bytes:
    """The SHA-256 of a key's text. A slow hash would gain nothing: nobody guesses 256 random bits."""
    return hashlib.sha256(text).digest()


class _Bucket:
    """Events that a key may still send: refilled at its rate, at most a second's worth; a batch may draw it below zero."""

    __slots__ = ("at", "left", "rate")

    def __init__(self, rate: float, at: float) -> None:
        self.rate = rate
        self.left = max(1.0, rate)
        self.at = at

    def wait(self, now: float) -> float:
        """Seconds until the next event may come, 0 for at once."""
        self.left = min(max(1.0, self.rate), self.left + (now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.left >= 1.0 else (1.0 - self.left) / self.rate


class Pass(msgspec.Struct):
    """A valid key at work: what it opens, its bucket, when it was last used. `spend` after so many events were taken in."""

    key: Key
    allowed: frozenset[Scope]
    bucket: _Bucket | None
    used_at: float | None = None

    def spend(self, events: int) -> None:
        """Count events against the key's rate."""
        if self.bucket is not None:
            self.bucket.left -= events


class Guard:
    """The keys of a server in memory. `load` takes what is stored; `admit` judges a request."""

    def __init__(self, default_rate: float = 0.0) -> None:
        """Know no key; `default_rate` is events a second for keys without a rate of their own, 0 for no limit."""
        self._default_rate = default_rate
        self._passes: dict[bytes, Pass] = {}
        self.open = True

    def load(self, keys: Iterable[Key], now: float) -> None:
        """Take the stored keys as they are now; keys that were known go on with their buckets."""
        before = {granted.key.id: granted for granted in self._passes.values()}
        passes: dict[bytes, Pass] = {}
        known = False
        for key in keys:
            known = True
            if key.revoked_at is None:
                rate = self._default_rate if key.rate is None else key.rate
                old = before.get(key.id)
                bucket = old.bucket if old is not None else _Bucket(rate, now) if rate > 0 else None
                passes[key.digest] = Pass(key, key.allowed, bucket, None if old is None else old.used_at)
        self._passes = passes
        self.open = self.open and not known  # a door that was closed stays closed, wherever its keys have gone

    def close(self) -> None:
        """Let nobody in without a key any more: there are keys, though they cannot be read."""
        self.open = False

    def admit(self, authorization: bytes | None, needed: frozenset[Scope], now: float) -> Pass | None:
        """Let a request pass that one of the `needed` scopes opens; None where no keys exist.

        Raises `Unauthorized`, `Forbidden` and `TooMany`.
        """
        if self.open:
            return None
        if authorization is None:
            raise Unauthorized(_MISSING)
        granted = self._passes.get(digest_of(authorization[7:])) if _bears(authorization) else None
        if granted is None:
            raise Unauthorized(_UNKNOWN)
        if needed.isdisjoint(granted.allowed):
            have, want = ", ".join(sorted(granted.key.scopes)), " or ".join(sorted(needed | {Scope.ADMIN}))
            raise Forbidden(f"the key {granted.key.name!r} has the scope {have}; this needs {want}")
        if granted.bucket is not None:
            seconds = granted.bucket.wait(now)
            if seconds:
                raise TooMany(f"the key {granted.key.name!r} may send {granted.bucket.rate:g} events a second", seconds)
        granted.used_at = now
        return granted

    def used(self) -> dict[str, float]:
        """When each key was last used since the last call, by its id, in the seconds of `admit`."""
        used = {granted.key.id: granted.used_at for granted in self._passes.values() if granted.used_at is not None}
        for granted in self._passes.values():
            granted.used_at = None
        return used


def _bears(authorization: bytes) -> bool:
    return len(authorization) <= _LONGEST and authorization[:7].lower() == _BEARER


_MISSING = "send a key with the header `Authorization: Bearer KEY`; `askwhen keys create` makes one"
_UNKNOWN = "this key is unknown here or was revoked"
