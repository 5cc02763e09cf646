"""Canonical hashes of learned state and of probabilities. How state is stored or moved does not belong here.

Pickle bytes cannot serve: two equal models, built by the same events, pickle differently (memo hits, set order, string sharing).
"""

import copyreg
import enum
import hashlib
import random
import struct
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from river.proba.base import Distribution

DIGEST_BYTES = 32

_NAMED = (types.FunctionType, type)


def digest(value: object) -> bytes:
    """Hash a model, or any other picklable value, by what it holds: 32 bytes of BLAKE2b.

    Equal for models that were built by the same events, across processes, pickling and `PYTHONHASHSEED`. Dictionaries count in
    insertion order, sets without order, floats by their bits. An object that occurs twice counts as shared, also in a cycle.
    Raises `TypeError` for what cannot be named or reduced (a lambda, an open file).

    >>> digest({"a": [1, 2]}) == digest({"a": [1, 2]})
    True
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    False
    >>> digest({1, 2}) == digest({2, 1}), digest(1) == digest(1.0), digest(0.0) == digest(-0.0)
    (True, False, False)
    """
    return _Walk().run(value)


def canonical_probabilities(p: Mapping[str, float]) -> bytes:
    """Encode class probabilities without regard to their order: by class text, length (4 bytes), text, IEEE 754 (8 bytes).

    >>> canonical_probabilities({"b": 0.5, "a": 0.5}) == canonical_probabilities({"a": 0.5, "b": 0.5})
    True
    >>> canonical_probabilities({"a": 1.0}).hex()
    '00000001613ff0000000000000'
    """
    parts = []
    for label in sorted(p):
        text = label.encode("utf-8", "surrogatepass")
        parts.append(struct.pack(">I", len(text)) + text + struct.pack(">d", p[label]))
    return b"".join(parts)


class _Walk:
    """One walk over one value. It keeps its own stack, for a tree may be deeper than Python recurses."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._numbers: dict[int, int] = {}
        self._alive: list[object] = []  # an id is only unique while its object lives

    def run(self, value: object) -> bytes:
        stack: list[Iterator[object]] = [iter((value,))]
        while stack:
            for item in stack[-1]:
                children = self._visit(item)
                if children is not None:
                    stack.append(iter(children))
                    break
            else:
                stack.pop()
        return self._hash.digest()

    def _visit(self, item: object) -> Iterable[object] | None:
        """Hash one value without its children; return these."""
        atom = _atom(item)
        if atom is not None:
            self._emit(*atom)
            return None
        if type(item) is tuple:
            self._emit(b"(", struct.pack(">Q", len(item)))
            return item
        if type(item) in (set, frozenset):
            self._unordered(item)  # type: ignore[arg-type]
            return None
        return None if self._seen(item) else self._container(item)

    def _container(self, item: object) -> Iterable[object]:
        if type(item) is dict:
            self._emit(b"{", struct.pack(">Q", len(item)))
            return [part for pair in item.items() for part in pair]
        if type(item) is list:
            self._emit(b"[", struct.pack(">Q", len(item)))
            return list(item)
        if type(item) is deque:
            self._emit(b"Q", struct.pack(">Qq", len(item), -1 if item.maxlen is None else item.maxlen))
            return list(item)
        if isinstance(item, np.ndarray):
            self._emit(b"A", f"{item.dtype.str}{item.shape}".encode())
            return item.ravel().tolist() if item.dtype.hasobject else [item.tobytes()]
        if type(item) is random.Random:
            self._emit(b"R", repr(item.getstate()).encode())
            return ()
        return self._reduced(item)

    def _reduced(self, item: object) -> Iterable[object]:
        """What pickle would store, in the order it would: callable, arguments, state, list items, dictionary items."""
        reduced = _reduce(item)
        if isinstance(reduced, str):
            self._emit(b"N", f"{type(item).__module__}.{reduced}".encode())
            return ()
        func, args = reduced[:2]
        state, items, pairs = (*reduced[2:5], None, None, None)[:3]
        if isinstance(item, Distribution):  # each has an unseeded generator, for `sample()`, which no model calls
            state = {name: part for name, part in state.items() if name != "_rng"}
        self._emit(b"O", b"")
        return (func, args, state, tuple(items or ()), tuple(tuple(pair) for pair in pairs or ()))

    def _unordered(self, item: Iterable[object]) -> None:
        members = sorted(_Walk().run(member) for member in item)
        self._emit(b"<", b"".join(members))

    def _seen(self, item: object) -> bool:
        number = self._numbers.setdefault(id(item), len(self._numbers))
        if number < len(self._alive):
            self._emit(b"@", struct.pack(">Q", number))
            return True
        self._alive.append(item)
        return False

    def _emit(self, tag: bytes, payload: bytes) -> None:
        self._hash.update(tag + struct.pack(">Q", len(payload)) + payload)


def _atom(item: object) -> tuple[bytes, bytes] | None:
    """The tag and the bytes of a value without children, or None. Exact types: a subclass may hold more."""
    kind = type(item)
    if kind is str:
        return b"s", item.encode("utf-8", "surrogatepass")  # type: ignore[attr-defined]
    if kind is float:
        return b"f", struct.pack(">d", item)
    if kind is int:
        return b"i", str(item).encode()
    if item is None or kind is bool:
        return b"c", str(item).encode()
    if kind is bytes:
        return b"b", item  # type: ignore[return-value]
    return _named(item)


def _named(item: object) -> tuple[bytes, bytes] | None:
    if isinstance(item, enum.Enum):
        return b"e", f"{_path(type(item))}.{item.name}".encode()
    if isinstance(item, np.generic) and not item.dtype.hasobject:
        return b"g", item.dtype.str.encode() + item.tobytes()
    if isinstance(item, _NAMED) or _is_plain_builtin(item):
        return b"n", _path(item).encode()
    if isinstance(item, types.ModuleType):
        return b"m", item.__name__.encode()
    return None


def _is_plain_builtin(item: object) -> bool:
    """Whether this is a built-in function such as `len`, and not the bound method of some value."""
    return isinstance(item, types.BuiltinFunctionType) and isinstance(item.__self__, types.ModuleType | None)


def _path(named: Any) -> str:
    if "<" in named.__qualname__:
        raise TypeError(f"{named.__qualname__} has no name by which it could be found again")
    return f"{named.__module__}.{named.__qualname__}"


def _reduce(item: object) -> Any:
    custom = copyreg.dispatch_table.get(type(item))
    return custom(item) if custom is not None else item.__reduce_ex__(4)
