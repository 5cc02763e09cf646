"""With which probability each candidate of a rule that mixes several would have asked each question: columns beside the evidence.

Learned state: it comes with the questions and moves with them alone. What it says of the candidates is told elsewhere.
"""

import math
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Wishes:
    """A row a question from the row `first` on, a column a candidate; NaN where nobody was asked for a wish.

    Streams that never had such a rule have no row, and other candidates begin anew.
    """

    def __init__(self) -> None:
        """Start with no candidates."""
        self.names: list[str] = []
        self.first = 0
        self._cells = array("d")

    def __len__(self) -> int:
        return len(self._cells) // len(self.names) if self.names else 0

    def ask(self, row: int, wished: Mapping[str, float] | None) -> None:
        """Take the question of a row in; rows come one after the other."""
        if wished and list(wished) != self.names:
            self.names, self.first, self._cells = list(wished), row, array("d")
        if self.names:
            self._cells.extend(wished.values() if wished else [math.nan] * len(self.names))

    def last(self, count: int) -> NDArray[np.float64]:
        """The wishes of the last `count` questions, or of as many as there are: a row each."""
        width = len(self.names)
        if not width:
            return np.zeros((0, 0))
        kept = min(count, len(self))
        return np.array(self._cells[len(self._cells) - kept * width :]).reshape(kept, width)

    def learned(self) -> dict[str, Any]:
        """All that the log rebuilds."""
        return {"names": self.names, "first": self.first, "cells": self._cells.tobytes()}

    @classmethod
    def of(cls, learned: dict[str, Any]) -> "Wishes":
        """Continue what `learned` gave."""
        wishes = cls()
        wishes.names, wishes.first = list(learned["names"]), learned["first"]
        wishes._cells.frombytes(learned["cells"])
        return wishes
