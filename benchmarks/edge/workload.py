"""What the benchmark sends: nine numeric features that vary, ids that are new each time, two classes. It knows no transport."""

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

POOL = 4_096  # different samples; the scaler has seen them all soon and goes on learning
NAMES = tuple(f"feature_{number}" for number in range(1, 10))
_WEIGHTS = (1.5, -2.0, 0.7, 0.0, 0.3, -0.4, 1.1, 0.0, -0.9)

Features = dict[str, float]


def samples(seed: int = 1) -> Iterator[tuple[Features, str]]:
    """Endless features on different scales, each with its class: linear in them, with noise."""
    rng = random.Random(seed)
    while True:
        unit = [rng.gauss(0.0, 1.0) for _ in NAMES]
        score = sum(weight * value for weight, value in zip(_WEIGHTS, unit, strict=True)) + rng.gauss(0.0, 1.0)
        features = {name: round((at + value) * 10.0 ** (at % 4), 4) for at, (name, value) in enumerate(zip(NAMES, unit, strict=True))}
        yield features, "fraud" if score > 0.0 else "ok"


def pool(seed: int = 1) -> list[Features]:
    """The features that requests go round."""
    return [features for features, _ in itertools.islice(samples(seed), POOL)]


def encoded(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def write_pool(path: Path) -> Path:
    """Write the pool as one object a line, for wrk's script."""
    path.write_text("".join(f"{encoded(features)}\n" for features in pool()))
    return path
