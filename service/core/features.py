"""What may come in as an id, a label or a feature, and what is refused, and why. Nothing is changed or learned here."""

import re
from collections.abc import Container
from typing import Any

from service.core.errors import Invalid, below

MAX_MAGNITUDE = 1e100
MAX_FEATURES = 1_000
MAX_NAME = 200  # characters
MAX_TEXT = 65_536  # characters
MAX_ID = 128  # characters
MAX_LABEL = 200  # characters
MAX_LABELER = 128  # characters
MAX_REASON = 200  # characters
RESERVED = "\0"  # begins the names of columns that are no feature's; no feature's name begins with it

# Controls, and what changes how the text around it is shown; the same on every Python, whose `isprintable` follows Unicode's versions.
UNPRINTABLE = r"\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"

_INT64 = 2**63
_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]")

Scalar = float | int | bool | str | None
Features = dict[str, Any]  # name -> a scalar, or bytes: an embedding (`service.core.embeddings`)


def check_features(features: dict[str, Any], pointer: str = "/features", apart: Container[str] = ()) -> None:
    """Raise `Invalid` at the first feature, but for those `apart`, that is not a number, boolean, string or null within the limits.

    Integers of more than 64 bits become floats, in place: the log keeps no larger ones.
    """
    if len(features) > MAX_FEATURES:
        raise Invalid(pointer, f"at most {MAX_FEATURES} features a sample, not {len(features)}")
    for name, value in features.items():
        if not name or len(name) > MAX_NAME:
            raise Invalid(pointer, f"a feature's name has 1 to {MAX_NAME} characters")
        if name.startswith(RESERVED):
            raise Invalid(below(pointer, name), "a feature's name does not begin with U+0000")
        wrong = None if name in apart else _wrong(value)
        if wrong is not None:
            raise Invalid(below(pointer, name), wrong)
        if value.__class__ is int and not -_INT64 <= value < _INT64:
            features[name] = float(value)


def _wrong(value: Any) -> str | None:
    kind = value.__class__
    if kind is float or kind is int:
        # The comparison refuses NaN as well.
        return None if -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE else "numbers are finite and of a magnitude of at most 1e100"
    if kind is str:
        return None if len(value) <= MAX_TEXT else f"a string has at most {MAX_TEXT} characters, not {len(value)}"
    if value is None or kind is bool:
        return None
    return f"a feature is a number, a boolean, a string or null, not {json_kind(value)}"


def check_id(value: str, pointer: str = "/id") -> str:
    """Return a sample id of 1-128 printable characters, or raise `Invalid`."""
    if not 1 <= len(value) <= MAX_ID or not _printable(value):
        raise Invalid(pointer, f"an id has 1 to {MAX_ID} printable characters")
    return value


def check_labeler(value: str, pointer: str = "/labeler") -> str:
    """Return a labeler's name of at most 128 printable characters, or raise `Invalid`."""
    if len(value) > MAX_LABELER or not _printable(value):
        raise Invalid(pointer, f"a labeler has at most {MAX_LABELER} printable characters")
    return value


def check_person(value: str, pointer: str = "/labeler") -> str:
    """Return the name of a labeler who can be told from others, of 1-128 printable characters, or raise `Invalid`."""
    if not value:
        raise Invalid(pointer, "say who it is: a question is held by somebody")
    return check_labeler(value, pointer)


def check_reason(value: str, pointer: str = "/reason") -> str:
    """Return a reason of at most 200 printable characters, or raise `Invalid`."""
    if len(value) > MAX_REASON or not _printable(value):
        raise Invalid(pointer, f"a reason has at most {MAX_REASON} printable characters")
    return value


def label_text(value: Any, pointer: str = "/label") -> str:
    """Return the text form that is a label's identity.

    >>> [label_text(value) for value in ("spam", 3, True, "")]
    ['spam', '3', 'true', '']
    >>> label_text(0.5)
    Traceback (most recent call last):
        ...
    service.core.errors.Invalid: /label: a label is a string, an integer or a boolean, not a number with a fraction
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise Invalid(pointer, f"a label is a string, an integer or a boolean, not {json_kind(value)}")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise Invalid(pointer, "an integer label fits 64 bits")
    text = str(value)
    if len(text) > MAX_LABEL or not _printable(text):
        raise Invalid(pointer, f"a label has at most {MAX_LABEL} printable characters")
    return text


def _printable(text: str) -> bool:
    return text.isprintable() or _UNPRINTABLE.search(text) is None


def json_kind(value: object) -> str:
    """What JSON calls a value that is not what it should be."""
    kinds = {type(None): "null", float: "a number with a fraction", list: "an array", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)
