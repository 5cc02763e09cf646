"""How unsure a prediction is. Pure functions of probabilities.

Definitions: Settles, Active Learning Literature Survey (2009), section 3.1.
"""

import math


def least_confidence(probabilities: dict[str, float]) -> float:
    """1 - p1, p1 the largest probability.

    >>> round(least_confidence({"a": 0.7, "b": 0.3}), 6)
    0.3
    """
    return 1.0 - max(probabilities.values())


def margin(probabilities: dict[str, float]) -> float:
    """1 - (p1 - p2), p1 and p2 the two largest probabilities.

    >>> round(margin({"a": 0.7, "b": 0.2, "c": 0.1}), 6)
    0.5
    """
    first = second = 0.0
    for probability in probabilities.values():
        if probability > first:
            first, second = probability, first
        elif probability > second:
            second = probability
    return 1.0 - (first - second)


def entropy(probabilities: dict[str, float]) -> float:
    """Shannon entropy over its largest possible value, log(number of classes).

    >>> entropy({"a": 0.5, "b": 0.5})
    1.0
    """
    if len(probabilities) == 1:
        return 0.0
    total = -math.fsum(p * math.log(p) for p in probabilities.values() if p > 0)
    return min(1.0, total / math.log(len(probabilities)))
