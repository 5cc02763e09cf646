"""An embedding as a value: numbers of single precision as bytes, so that what is served, logged and learned are the same bits.

It comes as an array of a declared length and goes out as one. What learns from it stands in `service.core.centres` and `logistic`.
"""

import struct
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.errors import Invalid, below
from service.core.features import MAX_MAGNITUDE, Features, json_kind

MAX_EMBEDDINGS = 4  # fields a stream
MAX_LENGTH = 4_096  # numbers a field

Numbers = NDArray[np.float64]

_SINGLE = np.dtype("<f4")
_LARGEST = float(np.finfo(_SINGLE).max)  # larger magnitudes, which single precision has not, become this one


def check_embeddings(features: Mapping[str, Any], declared: Mapping[str, int], pointer: str = "/features") -> None:
    """Raise `Invalid` at the first feature of a declared name that is no embedding of its length, numbers included."""
    for name in filter(features.__contains__, declared):
        value, place = features[name], below(pointer, name)
        if value.__class__ is list and len(value) == declared[name]:
            _check_numbers(value, place)
        elif value is not None:
            _packed(value, declared[name], pointer, name)


def pack_embeddings(features: dict[str, Any], declared: Mapping[str, int], pointer: str = "/features") -> None:
    r"""Turn arrays of finite numbers under declared names into embeddings, in place.

    An embedding may also be a text: base64 of its numbers in single precision, lowest byte first. Raises `Invalid` where it has
    another length, or a number that is not finite or above 1e100 in magnitude, and for an array under any other name.

    >>> features = {"a": 1, "vec": [0.5, -2.0], "other": None}
    >>> pack_embeddings(features, {"vec": 2, "other": 3})
    >>> features["vec"], shown(features)
    (b'\x00\x00\x00?\x00\x00\x00\xc0', {'a': 1, 'vec': [0.5, -2.0], 'other': None})
    """
    for name, value in features.items():
        if name in declared:
            if value is not None:
                features[name] = _packed(value, declared[name], pointer, name)
        elif value.__class__ is list:
            known = ", ".join(map(repr, declared))
            raise Invalid(below(pointer, name), f"an array is an embedding, which the stream has to declare; it declares {known}")


def _packed(value: Any, length: int, pointer: str, name: str) -> bytes:
    if value.__class__ is list and len(value) == length:
        return single(value, pointer, name)
    if value.__class__ is str:
        return _decoded(value, length, below(pointer, name))
    found = f"an array of {len(value)}" if value.__class__ is list else json_kind(value)
    raise Invalid(below(pointer, name), f"this embedding is an array of {length} numbers (or their base64, or null), not {found}")


def single(numbers: list[float], pointer: str = "", name: str = "") -> bytes:
    """Round numbers to single precision; raises `Invalid` at one that is above 1e100 in magnitude."""
    try:
        return _packer(len(numbers))(*numbers)
    except OverflowError:
        _check_numbers(numbers, below(pointer, name))
        return embedding_of(np.clip(np.array(numbers, np.float64), -_LARGEST, _LARGEST))


@lru_cache(MAX_EMBEDDINGS * 4)
def _packer(length: int) -> Callable[..., bytes]:
    return struct.Struct(f"<{length}f").pack


def _decoded(text: str, length: int, pointer: str) -> bytes:
    try:
        embedding = a2b_base64(text, strict_mode=True)
    except ValueError:
        embedding = b""
    if len(embedding) != length * _SINGLE.itemsize or not _is_finite(np.frombuffer(embedding, _SINGLE)):
        raise Invalid(pointer, f"as a text this embedding is the base64 of {length} finite numbers of single precision, lowest byte first")
    return embedding


def _is_finite(numbers: NDArray[np.float32]) -> bool:
    return isfinite(np.add.reduce(numbers, dtype=np.float64))  # which finite numbers of single precision cannot pass


def _check_numbers(numbers: list[Any], pointer: str) -> None:
    for place, number in enumerate(numbers):
        if number.__class__ not in (float, int) or not -MAX_MAGNITUDE <= number <= MAX_MAGNITUDE:
            raise Invalid(f"{pointer}/{place}", "an embedding holds finite numbers of a magnitude of at most 1e100")


def numbers_of(embedding: bytes) -> Numbers:
    """The numbers, in double precision."""
    return np.frombuffer(embedding, _SINGLE).astype(np.float64)


def embedding_of(numbers: NDArray[Any]) -> bytes:
    """Numbers of a magnitude that single precision has, rounded to it."""
    return numbers.astype(_SINGLE).tobytes()


def shown(features: Features) -> dict[str, Any]:
    """Features as JSON has them: embeddings as arrays."""
    return {name: np.frombuffer(value, _SINGLE).tolist() if isinstance(value, bytes) else value for name, value in features.items()}
