"""JSON Schemas of the texts that come in: ids, labels, names. The rules themselves are those of `service.core.features`."""

from typing import Any

from service.core.features import MAX_ID, MAX_LABEL, MAX_LABELER, MAX_MAGNITUDE, MAX_REASON, UNPRINTABLE
from service.core.stated import MAX_CLASSES

_INT64 = 2**63 - 1

KEY_PATTERN = '"?([!#-~](?:[ !#-~]{0,98}[!#-~])?)"?'  # 100 characters: a line's number must still fit an id

PRINTABLE = f"^[^{UNPRINTABLE}]*$"
STREAM: dict[str, Any] = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"}
ID: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_ID, "pattern": PRINTABLE}
LABELER: dict[str, Any] = {"type": "string", "maxLength": MAX_LABELER, "pattern": PRINTABLE}
REASON: dict[str, Any] = {"type": "string", "maxLength": MAX_REASON, "pattern": PRINTABLE}
LABEL: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "maxLength": MAX_LABEL, "pattern": PRINTABLE},
        {"type": "integer", "minimum": -_INT64, "maximum": _INT64},
        {"type": "boolean"},
    ]
}
FEATURE_NAME: dict[str, Any] = {"pattern": r"^[^\u0000]"}
PROBABILITIES: dict[str, Any] = {
    "minProperties": 1,
    "maxProperties": MAX_CLASSES,
    "propertyNames": {"maxLength": MAX_LABEL, "pattern": PRINTABLE},
}
LABEL_OR_NUMBER: dict[str, Any] = {"anyOf": [*LABEL["anyOf"], {"type": "number", "minimum": -MAX_MAGNITUDE, "maximum": MAX_MAGNITUDE}]}
SAID: dict[str, Any] = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Prediction", "Forecast")]}
CURSOR: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
IDEMPOTENCY_KEY: dict[str, Any] = {"type": "string", "pattern": f"^{KEY_PATTERN}$"}
