"""Streams whose labels are numbers: River's real sets, scikit-learn's diabetes, and generators. Rows only."""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from river import datasets
from river.datasets import synth

Pair = tuple[dict[str, float], float]


def trump_approval() -> Iterator[Pair]:
    """A thousand days of polls (River); what the first one says is to be told from the other five and the day."""
    yield from datasets.TrumpApproval()


def chick_weights() -> Iterator[Pair]:
    """Weights of chicks by age and diet (River); a diet is a class, so each is a column."""
    for x, y in datasets.ChickWeights():
        yield {"time": x["time"], **{f"diet {diet}": float(x["diet"] == diet) for diet in (1, 2, 3, 4)}}, y


def water_flow() -> Iterator[Pair]:
    """Hourly flow of water in a pipe (River), from the hour's place in the day and the week."""
    for x, y in datasets.WaterFlow():
        time = x["Time"]
        day, week = time.hour / 24.0, (time.weekday() + time.hour / 24.0) / 7.0
        waves = {
            f"{wave.__name__} {times} a day": wave(2.0 * math.pi * times * day) for times in (1, 2, 3) for wave in (math.sin, math.cos)
        }
        yield {**waves, "sin a week": math.sin(2.0 * math.pi * week), "cos a week": math.cos(2.0 * math.pi * week)}, y


def diabetes() -> Iterator[Pair]:
    """Progress of the disease in 442 patients (scikit-learn), in an order drawn once."""
    from sklearn.datasets import load_diabetes  # noqa: PLC0415 - of the extra `bench`

    data: Any = load_diabetes()
    rows = [(dict(zip(data.feature_names, map(float, x), strict=True)), float(y)) for x, y in zip(data.data, data.target, strict=True)]
    random.Random(0).shuffle(rows)
    yield from rows


def friedman() -> Iterator[Pair]:
    """Friedman's function of five features beside five of noise (River)."""
    yield from _named(synth.Friedman(seed=1).take(3_000))


def planes() -> Iterator[Pair]:
    """Two planes (River's Planes2D)."""
    yield from _named(synth.Planes2D(seed=1).take(3_000))


def _named(stream: Any) -> Iterator[Pair]:
    for x, y in stream:
        yield {str(name): float(value) for name, value in x.items()}, float(y)


REAL: Mapping[str, Callable[[], Iterator[Pair]]] = MappingProxyType(
    {"TrumpApproval": trump_approval, "ChickWeights": chick_weights, "WaterFlow": water_flow, "diabetes": diabetes}
)
MADE: Mapping[str, Callable[[], Iterator[Pair]]] = MappingProxyType({"Friedman": friedman, "Planes2D": planes})
