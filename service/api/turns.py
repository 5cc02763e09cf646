"""Whose turn it is among batches, and how long it lasts: what comes in bulk must not keep the loop from single requests."""

import asyncio

_SHORT = 0.0001  # seconds of a turn while others come
_LONG = 0.001  # seconds of a turn while nobody does: a processor runs the code that it just ran twice as fast


class Turns:
    """Batches take turns, a chunk each; whoever waits for the disk has no turn."""

    def __init__(self) -> None:
        """Nobody came yet."""
        self.lock = asyncio.Lock()
        self.others = 0  # single requests so far
        self._seen = 0

    def seconds(self) -> float:
        """How long the next turn may be."""
        alone, self._seen = self._seen == self.others, self.others
        return _LONG if alone else _SHORT
