"""Learned state to bytes and back, for snapshots and checkpoints in the service's own folder. Nothing from the network comes here.

Only the classes that models are made of are thawed; anything else in the bytes is refused before it is called.
"""

import io
import pickle
from typing import Any

_FAMILIES = ("river.", "service.core.", "numpy.random.")
_MODULES = frozenset(
    {"collections", "random", "copyreg", "functools", "math", "_random", "numpy", "numpy._core.multiarray", "numpy._core.numeric"}
)
_BUILTINS = frozenset(
    {
        "set",
        "frozenset",
        "bytearray",
        "complex",
        "range",
        "slice",
        "object",
        "list",
        "dict",
        "tuple",
        "int",
        "float",
        "str",
        "bool",
        "bytes",
    }
)
_REACHES_OUT = ("river.datasets", "river.stream")


class _Thawer(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if _trusted(module, name):
            found = super().find_class(module, name)
            # A dotted name can lead out of its module again.
            home = getattr(found, "__module__", None) or module
            if "." not in name or _trusted(home, name):
                return found
        message = f"{module}.{name} is no part of a model"
        raise pickle.UnpicklingError(message)


def _trusted(module: str, name: str) -> bool:
    if module == "builtins":
        return name in _BUILTINS
    if module == "numpy":
        return name in {"ndarray", "dtype"}
    return not module.startswith(_REACHES_OUT) and (module in _MODULES or module.startswith(_FAMILIES))


def freeze(value: object) -> bytes:
    """Return the bytes of any learned state."""
    return pickle.dumps(value, protocol=5)


def thaw(data: bytes) -> Any:
    """Return what `freeze` was given; raises `pickle.UnpicklingError` on anything foreign."""
    return _Thawer(io.BytesIO(data)).load()


def thaw_from(file: Any) -> Any:
    """Like `thaw`, reading the file frame by frame, so that a reader can let others run in between."""
    return _Thawer(file).load()
