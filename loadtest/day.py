"""A day of a shop, compressed: how much comes when, what the orders look like, and what is true of them. Pure; nobody is called.

Orders drift: what makes one fraud in the morning is not what makes it one in the evening. The hour stands in the order, so that whoever
reads an order can tell its truth.
"""

import random
from hashlib import blake2b
from itertools import pairwise
from typing import Any

NIGHT = 0.1  # of the load at noon
BURST = 5.0  # times the load at noon
_BURST_AT = (19.0, 20.0)  # hours
_CURVE = ((0.0, NIGHT), (6.0, NIGHT), (10.0, 0.7), (12.0, 1.0), (14.0, 1.0), (17.0, 0.7), (19.0, 0.8), (22.0, 0.3), (24.0, NIGHT))
_PHASES = ((6.0, "night"), (11.0, "morning"), (17.0, "noon"), (19.0, "afternoon"), (20.0, "burst"), (24.1, "evening"))
_COUNTRIES = ("DE", "FR", "NL", "PL", "XX")
_MISTAKEN = 0.02  # share of orders whose truth no model can know

CLASSES = ("ok", "fraud")


def hour_of(elapsed: float, day_seconds: float) -> float:
    """The hour of the day after `elapsed` seconds of one that takes `day_seconds`.

    >>> hour_of(30.0, 60.0)
    12.0
    """
    return min(24.0, 24.0 * elapsed / day_seconds)


def level(hour: float) -> float:
    """The load at an hour, in shares of the one at noon.

    >>> level(3.0), level(12.0), level(19.5)
    (0.1, 1.0, 5.0)
    """
    if _BURST_AT[0] <= hour < _BURST_AT[1]:
        return BURST
    for (start, low), (end, high) in pairwise(_CURVE):
        if hour <= end:
            return low + (high - low) * (hour - start) / (end - start)
    return NIGHT


def phase(hour: float) -> str:
    """The part of the day that an hour belongs to.

    >>> phase(3.0), phase(19.5), phase(24.0)
    ('night', 'burst', 'evening')
    """
    return next(name for end, name in _PHASES if hour < end)


def order(rng: random.Random, hour: float) -> dict[str, Any]:
    """An order's features as a shop would send them; some are missing now and then."""
    return {
        "amount": round(rng.lognormvariate(3.5, 0.8), 2),
        "items": rng.randint(1, 8),
        "hour": round(hour, 2),
        "customer_days": round(rng.expovariate(1 / 200)),
        "orders_before": rng.randint(0, 30),
        "distance_km": round(rng.expovariate(1 / 80), 1),
        "minutes_on_page": None if rng.random() < 0.05 else round(rng.gammavariate(2.0, 4.0), 1),
        "new_address": rng.random() < 0.2,
        "country": rng.choice(_COUNTRIES),
    }


def truth(sample_id: str, features: dict[str, Any]) -> str:
    """What an expert says of an order; the same order always gets the same word."""
    evening = features["hour"] / 24.0
    risk = (
        (features["amount"] - 40.0) / 30.0 * (1.0 - evening)
        + (features["distance_km"] - 80.0) / 60.0 * evening
        + (1.5 if features["country"] == "XX" else 0.0)
        + (0.8 if features["new_address"] else 0.0)
        - features["customer_days"] / 400.0
        - 0.6
    )
    mistaken = blake2b(sample_id.encode(), digest_size=2).digest()[0] < 256 * _MISTAKEN
    return CLASSES[(risk > 0.0) is not mistaken]


def other(label: str) -> str:
    """The wrong label.

    >>> other("ok")
    'fraud'
    """
    return CLASSES[label == CLASSES[0]]
