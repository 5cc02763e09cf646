"""The JSON Schema of a CloudEvent in structured mode, around whatever it carries."""

from typing import Any

from service.api import text

_NULL = {"type": "null"}
_TEXT = {"type": "string", "minLength": 1}
_JSON_TYPE = {"type": "string", "pattern": "^application/([a-z0-9.-]+[+])?json(;.*)?$"}


def cloud_event(data: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent whose data are of this schema; extensions may come along."""
    encoded = {"type": "string", "contentEncoding": "base64", "contentMediaType": "application/json", "contentSchema": data}
    properties = {
        "specversion": {"const": "1.0"},
        "id": text.ID,
        "source": _TEXT,
        "type": _TEXT,
        "time": {"anyOf": [{"type": "string", "format": "date-time"}, _NULL]},
        "datacontenttype": {"anyOf": [_JSON_TYPE, _NULL]},
        "data": data,
        "data_base64": {"anyOf": [encoded, _NULL]},
        "traceparent": {"type": ["string", "null"]},
    }
    one_of = [
        {"properties": {"data_base64": _NULL}, "required": ["data"]},
        {"properties": {"data": False, "data_base64": {"type": "string"}}, "required": ["data_base64"]},
    ]
    return {"type": "object", "properties": properties, "required": ["specversion", "id", "source", "type"], "oneOf": one_of}
