"""An embedding as a value: numbers of single precision as bytes, so that what is served, logged and learned are the same bits.

It comes as an array of a declared length and goes out as one. What learns from it stands in `service.core.centres` and `logistic`.
"""

import struct
from collections.abc import Mapping
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
    """Raise `Invalid` at the first feature of a declared name that is neither null nor an array of its length, all finite numbers."""
    for name in declared.keys() & features.keys():
        value, place = features[name], below(pointer, name)
        if value is not None:
            _check_array(value, declared[name], place)
            for number, item in enumerate(value):
                if item.__class__ not in (float, int) or not -MAX_MAGNITUDE <= item <= MAX_MAGNITUDE:
                    raise Invalid(f"{place}/{number}", "an embedding holds finite numbers of a magnitude of at most 1e100")


def pack_embeddings(features: dict[str, Any], declared: Mapping[str, int], pointer: str = "/features") -> None:
    r"""Turn arrays of finite numbers under declared names into embeddings, in place.

    Raises `Invalid` where one has another length or is no array, and for an array under any other name.

    >>> features = {"a": 1, "vec": [0.5, -2.0], "other": None}
    >>> pack_embeddings(features, {"vec": 2, "other": 3})
    >>> features["vec"], shown(features)
    (b'\x00\x00\x00?\x00\x00\x00\xc0', {'a': 1, 'vec': [0.5, -2.0], 'other': None})
    """
    for name, value in features.items():
        if name in declared:
            if value is not None:
                _check_array(value, declared[name], below(pointer, name))
                features[name] = single(value)
        elif value.__class__ is list:
            known = ", ".join(map(repr, declared))
            raise Invalid(below(pointer, name), f"an array is an embedding, which the stream has to declare; it declares {known}")


def _check_array(value: Any, length: int, pointer: str) -> None:
    if value.__class__ is not list or len(value) != length:
        found = f"one of {len(value)}" if value.__class__ is list else json_kind(value)
        raise Invalid(pointer, f"this embedding is an array of {length} numbers or null, not {found}")


def single(numbers: list[float]) -> bytes:
    """Round finite numbers to single precision."""
    try:
        return struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError:
        return embedding_of(np.clip(np.array(numbers, np.float64), -_LARGEST, _LARGEST))


def numbers_of(embedding: bytes) -> Numbers:
    """The numbers, in double precision."""
    return np.frombuffer(embedding, _SINGLE).astype(np.float64)


def embedding_of(numbers: NDArray[Any]) -> bytes:
    """Numbers of a magnitude that single precision has, rounded to it."""
    return numbers.astype(_SINGLE).tobytes()


def shown(features: Features) -> dict[str, Any]:
    """Features as JSON has them: embeddings as arrays."""
    return {name: np.frombuffer(value, _SINGLE).tolist() if isinstance(value, bytes) else value for name, value in features.items()}
