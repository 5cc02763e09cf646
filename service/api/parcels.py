"""The ways in: whatever a request's media type, what comes out are parcels, each the JSON of one object and what came around it.

JSON, NDJSON, and CloudEvents 1.0 in binary, structured and batch mode (https://cloudevents.io). What an object means is not known here.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from service.api import kserve
from service.api.bodies import Headers, check_encoding, unsupported
from service.api.replies import JSON, NDJSON
from service.api.schemas import checked_time
from service.api.strict import plain_json
from service.api.text import KEY_PATTERN
from service.core.config import invalid_from
from service.core.errors import Invalid, TooLarge
from service.core.features import check_id

CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
MEDIA_TYPES = (JSON, NDJSON, CLOUD_EVENT, CLOUD_EVENTS)
BATCHES = (NDJSON, CLOUD_EVENTS)

_AT_ONCE = 65_536  # bytes of lines that are taken apart before others get the loop
_KEY = re.compile(KEY_PATTERN)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_EXPECTED = ", ".join(f"`{media_type}`" for media_type in MEDIA_TYPES)


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """One object: its JSON, where that stands in the request, the id, time and trace of the event around it, the request's key."""

    body: bytes
    id: str | None = None
    time: str | None = None
    traceparent: str | None = None
    pointer: str = ""
    key: str | None = None


class Acknowledged(NamedTuple):
    """An event that carries nothing to take in, and why."""

    id: str
    ignored: str


Contents = Parcel | list[Parcel] | Acknowledged


class Batch(NamedTuple):
    """Several objects of one request: their bytes, what opens some from the n-th on, and whether lines or a JSON array answer.

    `largest` is the length of the largest object.
    """

    items: list[bytes]
    largest: int
    open: Callable[[int, Sequence[bytes]], list[Contents | Exception]]
    media_type: str


class CloudEvent(msgspec.Struct):
    """A CloudEvent; extensions may come along."""

    specversion: str
    id: str
    source: str
    type: str
    time: str | None = None
    datacontenttype: str | None = None
    data: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    data_base64: bytes | None = None
    traceparent: str | None = None


def trace_of(headers: Headers) -> str | None:
    """The W3C trace of a request; one that is malformed counts as none, as the standard says."""
    value = headers.get(b"traceparent")
    return None if value is None else _trace(value.decode("latin-1"))


def idempotency_key_of(headers: Headers) -> str | None:
    """The key by which a request that comes again is told; it stands in for the id of a sample that has none."""
    value = headers.get(b"idempotency-key")
    if value is None:
        return None
    key = _KEY.fullmatch(value.decode("latin-1").strip(" "))
    if key is None:
        raise Invalid("", "an Idempotency-Key has 1 to 100 printable ASCII characters")
    return key[1]


def is_binary_event(headers: Headers) -> bool:
    """Whether a request is a CloudEvent in binary mode."""
    return b"ce-specversion" in headers


def check_media_type(media_type: str, headers: Headers) -> None:
    """Raise `UnsupportedMedia` for a body that is taken in by no way."""
    if not is_binary_event(headers) and media_type not in MEDIA_TYPES:
        raise unsupported(media_type, f"`Content-Type: application/json` (or one of {_EXPECTED})")
    check_encoding(headers)


def single(media_type: str, headers: Headers, body: bytes) -> Contents:
    """Open a request that carries one object."""
    if is_binary_event(headers):
        return _opened(_binary(headers), body, media_type, "")
    if media_type == CLOUD_EVENT:
        return _structured(body)
    return Parcel(body, traceparent=trace_of(headers), key=idempotency_key_of(headers))


async def batch(media_type: str, headers: Headers, body: bytes, most: int) -> Batch | None:
    """Take a request of several objects apart, lines in turns; None for a request of one. Raises `TooLarge` and `Invalid`."""
    if is_binary_event(headers):
        return None
    if media_type == NDJSON:
        return await _lines(headers, body, most)
    if media_type == CLOUD_EVENTS:
        try:
            events = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid("", f"this is no JSON array of CloudEvents: {error}") from None
        _check_count(len(events), most)
        items = [bytes(event) for event in events]
        largest = max(map(len, items), default=0)
        return Batch(items, largest, lambda _, events: [_structured_or_error(event) for event in events], JSON)
    return None


async def _lines(headers: Headers, body: bytes, most: int) -> Batch:
    items, largest, count, lines = list[bytes](), 0, 0, BytesIO(body)
    while some := lines.readlines(_AT_ONCE):
        items += [line.rstrip(b"\n") for line in some if not line.isspace()]
        longest = max(map(len, some))
        largest, count = max(largest, longest), count + len(some)
        _check_count(max(count - 1, len(items)), most)
        await asyncio.sleep(0)
    key, trace = idempotency_key_of(headers), trace_of(headers)

    def opened(first: int, lines: Sequence[bytes]) -> list[Contents | Exception]:
        if key is None:
            return [Parcel(line, None, None, trace) for line in lines]
        return [Parcel(line, None, None, trace, "", f"{key}-{place}") for place, line in enumerate(lines, first)]

    return Batch(items, largest, opened, NDJSON)


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise TooLarge(f"a batch has at most {most} objects")


def _structured_or_error(body: bytes) -> Contents | Exception:
    try:
        return _structured(body)
    except Exception as error:  # noqa: BLE001 - a bad event gets its problem and does not stop the others
        return error


def _structured(body: bytes) -> Contents:
    plain_json(body)
    try:
        event = msgspec.json.decode(body, type=CloudEvent)
    except msgspec.ValidationError as error:
        raise invalid_from(error) from None
    data, media_type = bytes(event.data), JSON if event.datacontenttype is None else event.datacontenttype
    if event.data_base64 is None:
        return _opened(event, data or b"null", media_type, "/data")
    if data:
        raise Invalid("/data_base64", "a CloudEvent has either `data` or `data_base64`")
    return _opened(event, event.data_base64, media_type, "/data_base64")


def _binary(headers: Headers) -> CloudEvent:
    def attribute(name: str) -> str | None:
        value = headers.get(f"ce-{name}".encode())
        return None if value is None else unquote(value.decode("latin-1"))

    def required(name: str) -> str:
        value = attribute(name)
        if value is None:
            raise Invalid("", f"a CloudEvent in binary mode has the header ce-{name}")
        return value

    version, event_id, source, kind = map(required, ("specversion", "id", "source", "type"))
    trace = attribute("traceparent") or trace_of(headers)
    return CloudEvent(version, event_id, source, kind, time=attribute("time"), traceparent=trace)


def _opened(event: CloudEvent, body: bytes, media_type: str, pointer: str) -> Contents:
    if event.specversion != "1.0":
        raise Invalid("/specversion" if pointer else "", f"CloudEvents 1.0 are taken here, not {event.specversion[:20]!r}")
    for name, value in (("source", event.source), ("type", event.type)):
        if not value:
            raise Invalid(f"/{name}" if pointer else "", f"a CloudEvent's {name} is not empty")
    check_id(event.id, "/id" if pointer else "")
    time = None if event.time is None else checked_time(event.time, "/time" if pointer else "")
    kind = media_type.partition(";")[0].strip().lower()
    if kind != JSON and not kind.endswith("+json"):
        raise unsupported(kind, "`datacontenttype` application/json")
    around = Parcel(body, event.id, time, None if event.traceparent is None else _trace(event.traceparent), pointer)
    if event.type.startswith(kserve.PREFIX):
        return _inference(event, around)
    return around


def _inference(event: CloudEvent, around: Parcel) -> Contents:
    if event.type != kserve.REQUEST:
        return Acknowledged(event.id, "only requests carry samples")
    bodies = kserve.samples(around.body, around.pointer)
    if len(bodies) == 1:
        return replace(around, body=bodies[0], pointer="")
    check_id(f"{event.id}-{len(bodies)}", "/id")
    return [replace(around, body=body, id=f"{event.id}-{place}", pointer="") for place, body in enumerate(bodies)]


def _trace(value: str) -> str | None:
    return value if _TRACEPARENT.fullmatch(value) else None
