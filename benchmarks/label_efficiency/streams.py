"""The streams that rules are compared on: a folder of CSV files, or what River brings along. Rows only; nothing is decided here."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from river.datasets import synth

from service.simulate import Pair
from service.simulate.datasets import SHIPPED, read_csv, shipped

LENGTH = 15_000  # samples of a generated stream
_PARTS = 3  # concepts, one after the other

# A concept by its number; between two of them everything changes at once, except where a generator drifts by itself.
_GENERATED: Mapping[str, Callable[[int], Any]] = MappingProxyType(
    {
        "agrawal": lambda part: synth.Agrawal(classification_function=(0, 2, 6)[part], seed=42 + part, perturbation=0.05),
        "hyperplane": lambda part: synth.Hyperplane(seed=42, n_features=10, n_drift_features=5, mag_change=0.001 * (part + 1)),
        "led": lambda part: synth.LEDDrift(seed=42 + part, noise_percentage=0.1, irrelevant_features=True, n_drift_features=2 * part),
        "mixed": lambda part: synth.Mixed(seed=42 + part, classification_function=part % 2),
        "random-rbf": lambda _: synth.RandomRBFDrift(
            seed_model=7, seed_sample=7, n_classes=4, n_features=8, n_centroids=20, change_speed=0.001, n_drift_centroids=20
        ),
        "sea": lambda part: synth.SEA(variant=part, noise=0.1, seed=7 + part),
        "sine": lambda part: synth.Sine(classification_function=(0, 1, 0)[part], seed=42 + part, has_noise=True),
        "stagger": lambda part: synth.STAGGER(classification_function=part, seed=42 + part),
    }
)
_STATIONARY_STATE = frozenset({"random-rbf"})  # these drift by themselves: one generator from start to end


def names(folder: Path | None) -> list[str]:
    """The streams there are, in the order of their names."""
    if folder is not None:
        return sorted(path.name.partition(".")[0] for path in folder.glob("*.csv*"))
    return sorted([*SHIPPED, *_GENERATED])


@lru_cache(maxsize=2)
def load(name: str, folder: Path | None, rows: int | None) -> list[Pair]:
    """A stream's samples, at most `rows` of them."""
    if folder is not None:
        return list(islice(read_csv(next(folder.glob(f"{name}.csv*"))), rows))
    return list(islice(shipped(name) if name in SHIPPED else _generated(name), rows))


def is_text(stream: list[Pair]) -> bool:
    """Whether the stream's only feature is a text."""
    return set(stream[0][0]) == {"text"}


def _generated(name: str) -> Iterator[Pair]:
    make = _GENERATED[name]
    if name in _STATIONARY_STATE:
        yield from _plain(make(0).take(LENGTH))
        return
    for part in range(_PARTS):
        yield from _plain(make(part).take(LENGTH // _PARTS))


def _plain(rows: Any) -> Iterator[Pair]:
    for features, label in rows:
        yield {str(key): value if isinstance(value, str) else float(value) for key, value in features.items()}, int(label)
