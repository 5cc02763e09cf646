"""What KServe's payload logger sends, as samples: an inference request of protocol V1 or V2 holds the features of one or more.

Source: KServe, "Inference Logger" and the Open Inference Protocol. A request and its response share the event's id.
"""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any

import msgspec

from service.api.strict import plain_json
from service.core.errors import Invalid, TooLarge
from service.core.features import MAX_FEATURES, Features, check_features

PREFIX = "org.kubeflow.serving.inference."
REQUEST = PREFIX + "request"

MOST = 1_000  # samples a request
_DIMENSIONS = 8  # of a tensor
_TOO_MANY = f"an inference request has at most {MOST} samples here"


def samples(body: bytes, pointer: str = "") -> list[bytes]:
    """The bodies of the samples in an inference request; raises `Invalid` at the `pointer` and below.

    >>> samples(b'{"instances": [{"amount": 1.5}, [3, 4]]}')
    [b'{"features":{"amount":1.5}}', b'{"features":{"0":3,"1":4}}']
    """
    request = plain_json(body)
    if isinstance(request, dict) and isinstance(request.get("instances"), list):
        found = [_features(instance, f"{pointer}/instances/{place}") for place, instance in enumerate(request["instances"][: MOST + 1])]
    elif isinstance(request, dict) and isinstance(request.get("inputs"), list):
        found = _rows(request["inputs"], f"{pointer}/inputs")
    else:
        raise Invalid(pointer, "an inference request has `instances` (protocol V1) or a list of `inputs` (protocol V2)")
    if len(found) > MOST:
        raise TooLarge(_TOO_MANY)
    if not found:
        raise Invalid(pointer, "this inference request holds no sample")
    return [msgspec.json.encode({"features": features}) for features in found]


def _features(instance: Any, pointer: str) -> Features:
    values = instance if isinstance(instance, list) else [instance]
    features = instance if isinstance(instance, dict) else {str(place): value for place, value in enumerate(values)}
    check_features(features, pointer)
    return features


def _rows(tensors: Sequence[Any], pointer: str) -> list[Features]:
    rows: list[Features] = []
    for place, tensor in enumerate(tensors):
        columns = _columns(tensor, f"{pointer}/{place}")
        if rows and len(rows) != len(columns):
            raise Invalid(f"{pointer}/{place}/shape", f"the first tensor holds {len(rows)} samples, this one {len(columns)}")
        rows = rows or [{} for _ in columns]
        for row, values in zip(rows, columns, strict=True):
            row.update(values)
    for row in rows:
        check_features(row, pointer)
    return rows


class _Tensor(msgspec.Struct):
    name: str
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2**31)]], msgspec.Meta(min_length=1, max_length=_DIMENSIONS)]
    data: list[Any]


def _columns(raw: Any, pointer: str) -> list[dict[str, Any]]:
    try:
        tensor = msgspec.convert(raw, _Tensor)
    except msgspec.ValidationError:
        message = "a tensor has a `name`, a `shape` that begins with the number of samples, and `data`"
        raise Invalid(pointer, message) from None
    flat, width = _flat(tensor.data, f"{pointer}/data"), prod(tensor.shape[1:])
    if tensor.shape[0] > MOST:
        raise TooLarge(_TOO_MANY)
    if len(flat) != tensor.shape[0] * width:
        raise Invalid(f"{pointer}/data", f"the shape says {tensor.shape[0] * width} values, there are {len(flat)}")
    if not flat:
        return []
    if width > MAX_FEATURES:
        raise Invalid(f"{pointer}/shape", f"a sample has at most {MAX_FEATURES} features, not {width}")
    names = [tensor.name] if width == 1 else [f"{tensor.name}.{place}" for place in range(width)]
    return [dict(zip(names, flat[start : start + width], strict=True)) for start in range(0, len(flat), width)]


def _flat(data: list[Any], pointer: str) -> list[Any]:
    for _ in range(_DIMENSIONS):
        if not any(isinstance(item, list) for item in data):
            return data
        data = [value for item in data for value in (item if isinstance(item, list) else [item])]
    raise Invalid(pointer, f"a tensor has at most {_DIMENSIONS} dimensions")
