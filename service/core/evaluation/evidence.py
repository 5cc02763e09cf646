"""What was asked and answered, a row a question: learned state, which the log rebuilds. What it says is told elsewhere.

A label that was not asked for has no row, so it enters nothing (law 8). Columns are arrays, so that a million rows are 40 MB and are
looked at without a loop.
"""

import math
import struct
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final
from zlib import crc32

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from service.core.evaluation.traffic import GONE, KINDS, Milestone, kind_of
from service.core.evaluation.wishes import Wishes
from service.core.events import Asked, Mark
from service.core.features import Features
from service.core.records import Forecast

NO_ROW: Final = -1
UNKNOWN: Final = -1  # in a column of labels
UNTOLD: Final = 2  # whether a label lies in the interval that was told: 0 or 1, or there is none of either
ARMS: Final = 2  # models that answers to random questions alone teach (`service.core.evaluation.savings`)
THINNED: Final = 3  # the second one learns one in so many of them

WINDOW: Final = 2_000  # samples of the longest window
_STRIDE = 20  # samples between milestones
_MOST_CLASSES = 100  # of which probabilities are kept
_FAINT = 1e-6  # a smaller probability counts as this one in a loss
_LONGEST = 100  # characters of a slice's value
_OTHER = "other"


class Evidence:
    """A row a question: its place in the traffic, propensity, kind, predicted and true label, loss, slices, the arms' guesses."""

    def __init__(self, slices: Sequence[str]) -> None:
        """Start with no question; `slices` are the features by which figures are told apart."""
        self.slices = tuple(slices)
        self.labels: list[str] = []
        self._codes: dict[str, int] = {}
        self.places, self.chances, self.losses = array("Q"), array("d"), array("d")
        self.predicted, self.truths = array("i"), array("i")
        self.guesses = [array("i") for _ in range(ARMS)]
        self.kinds, self.explored, self.inside = bytearray(), bytearray(), bytearray()
        self.parts: list[tuple[str, ...]] = []  # the values of the slices
        self._odds: list[tuple[tuple[str, ...], bytes] | None] = []
        self.wishes = Wishes()
        self.trail: list[Milestone] = [(0, [0] * KINDS, 0.0)]
        self.changes = 0  # of anything that was there before

    def __len__(self) -> int:
        """Questions."""
        return len(self.places)

    def ask(self, event: Asked) -> int:
        """Take a question in; returns its row."""
        prediction, query = event.decision.prediction, event.decision.query
        self.wishes.ask(len(self), query.wished)
        self.places.append(event.mark.seen)
        self.chances.append(query.probability)
        self.kinds.append(kind_of(event.decision.sureness, query.probability))
        self.explored.append(query.reason == "exploration")
        self.predicted.append(self._code(prediction.label))
        self.truths.append(UNKNOWN)
        self.losses.append(math.nan)
        self.inside.append(UNTOLD)
        for guesses in self.guesses:
            guesses.append(UNKNOWN)
        self.parts.append(tuple(_part(event.features, name) for name in self.slices))
        self._odds.append(_odds(prediction.probabilities) if event.decision.forecast is UNSET else _forecast(event.decision.forecast))
        self._mark(event.mark)
        return len(self.places) - 1

    def lesson(self, row: int, sample_id: str) -> int:
        """How many arms learn the answer to a question: of random questions the first all, the second one in three."""
        if not self.explored[row]:
            return 0
        return ARMS if crc32(sample_id.encode()) % THINNED == 0 else 1

    def guess(self, row: int, labels: Sequence[str | None]) -> None:
        """Keep what the arms took a sample for before they could have learned it: with its first answer."""
        if self.kinds[row] != GONE and self.truths[row] == self.guesses[0][row] == UNKNOWN:
            for guesses, label in zip(self.guesses, labels, strict=False):
                guesses[row] = self._code(label)

    def guessed(self, row: int) -> list[str | None]:
        """What the arms took a sample for; empty before its first answer. A later one carries it on, in case the first is corrected."""
        codes = [guesses[row] for guesses in self.guesses]
        return [] if codes[0] == UNKNOWN else [None if code == UNKNOWN else self.labels[code] for code in codes]

    def settle(self, row: int, label: str | None) -> None:
        """Take note of the label that stands for a question, or that none does."""
        truth = self._code(label)
        if truth == self.truths[row]:
            return
        self.changes += 1
        self.truths[row] = truth
        self.losses[row] = math.nan if label is None else _loss(self._odds[row], label)
        self.inside[row] = UNTOLD if label is None else _inside(self._odds[row], label)

    def forget(self, row: int) -> None:
        """Leave of a question that it was asked, where and at which chance."""
        self.changes += 1
        self.kinds[row] = GONE
        self.predicted[row] = self.truths[row] = UNKNOWN
        self.losses[row] = math.nan
        self.inside[row] = UNTOLD
        for guesses in self.guesses:
            guesses[row] = UNKNOWN
        self.parts[row] = ("",) * len(self.parts[row])
        self._odds[row] = None

    def divide(self, slices: Sequence[str]) -> None:
        """Go on with other slices; what was asked before belongs to none."""
        if tuple(slices) != self.slices:
            self.changes += 1
            self.slices = tuple(slices)
            self.parts = [("",) * len(self.slices)] * len(self)

    def _mark(self, mark: Mark) -> None:
        """Note how many samples of each kind there were; as far apart as windows need, and as far back."""
        if not mark.traffic:
            return
        if len(self.trail) > 1 and mark.seen - self.trail[-2][0] <= _STRIDE:
            self.trail.pop()
        if mark.seen <= self.trail[-1][0]:
            self.trail.pop()
        self.trail.append((mark.seen, mark.traffic, mark.cost))
        while len(self.trail) > 2 and self.trail[1][0] <= mark.seen - WINDOW:  # noqa: PLR2004 - the gap into which the window reaches
            del self.trail[0]

    def _code(self, label: str | None) -> int:
        if label is None:
            return UNKNOWN
        code = self._codes.get(label)
        if code is None:
            code = self._codes[label] = len(self.labels)
            self.labels.append(label)
        return code

    # --- snapshots -----------------------------------------------------------------------------------------------------------

    def learned(self) -> dict[str, Any]:
        """All that the log rebuilds. Labels are numbered as they appear in what is left, whatever was taken back."""
        columns = [self.predicted, self.truths, *self.guesses]
        used = np.concatenate([np.frombuffer(column, np.int32) for column in columns]) if len(self) else np.zeros(0, np.int32)
        known, first = np.unique(used[used != UNKNOWN], return_index=True)
        order = known[np.argsort(first)]
        renumbered = np.full(len(self.labels) + 1, UNKNOWN, np.int32)  # the last entry is what UNKNOWN, -1, refers to
        renumbered[order] = np.arange(len(order), dtype=np.int32)
        return {
            "slices": self.slices,
            "labels": [self.labels[code] for code in order],
            "codes": renumbered[used].tobytes(),
            "places": self.places.tobytes(),
            "chances": self.chances.tobytes(),
            "losses": self.losses.tobytes(),
            "kinds": bytes(self.kinds),
            "explored": bytes(self.explored),
            "inside": bytes(self.inside),
            "parts": self.parts,
            "odds": self._odds,
            "trail": self.trail,
            "wishes": self.wishes.learned(),
        }

    @classmethod
    def of(cls, learned: dict[str, Any]) -> "Evidence":
        """Continue what `learned` gave."""
        evidence = cls(learned["slices"])
        for label in learned["labels"]:
            evidence._code(label)
        evidence.places.frombytes(learned["places"])
        evidence.chances.frombytes(learned["chances"])
        evidence.losses.frombytes(learned["losses"])
        codes: list[NDArray[np.int32]] = np.split(np.frombuffer(learned["codes"], np.int32), 2 + ARMS)
        for column, part in zip([evidence.predicted, evidence.truths, *evidence.guesses], codes, strict=True):
            column.frombytes(part.tobytes())
        evidence.wishes = Wishes.of(learned["wishes"])
        evidence.kinds, evidence.explored = bytearray(learned["kinds"]), bytearray(learned["explored"])
        evidence.inside = bytearray(learned["inside"])
        evidence.parts, evidence._odds, evidence.trail = list(learned["parts"]), list(learned["odds"]), list(learned["trail"])
        return evidence


def _part(features: Features, name: str) -> str:
    value = features.get(name)
    if value is None:
        return "(none)" if name in features else ""
    if value.__class__ is bytes:  # an embedding, declared before the slice was
        return ""
    text = value if value.__class__ is str else str(value).lower() if value.__class__ is bool else f"{value:g}"
    return text if len(text) <= _LONGEST else _OTHER


def _odds(probabilities: dict[str, float]) -> tuple[tuple[str, ...], bytes] | None:
    """Probabilities in four bytes each, as far as they are kept."""
    if not 0 < len(probabilities) <= _MOST_CLASSES:
        return None
    return tuple(probabilities), struct.pack(f"<{len(probabilities)}f", *probabilities.values())


def _forecast(forecast: Forecast) -> tuple[tuple[str, ...], bytes] | None:
    """The number that was predicted and its interval, under no name."""
    if forecast.value is None:
        return None
    low, high = (math.nan if end is None else end for end in (forecast.low, forecast.high))
    return (), struct.pack("<3d", forecast.value, low, high)


def _inside(odds: tuple[tuple[str, ...], bytes] | None, label: str) -> int:
    """Whether a number lies in the interval that was told."""
    if odds is None or odds[0]:
        return UNTOLD
    _, low, high = struct.unpack("<3d", odds[1])
    return UNTOLD if math.isnan(low) else int(low <= float(label) <= high)


def _loss(odds: tuple[tuple[str, ...], bytes] | None, label: str) -> float:
    """-log of the probability that was given to a label; of one that was not known, of the smallest one that counts.

    Of a number, how far it lies from the one that was predicted.
    """
    if odds is None:
        return math.nan
    names, packed = odds
    if not names:
        value, _, _ = struct.unpack("<3d", packed)
        return float(abs(float(label) - value))
    chances: Iterable[float] = struct.unpack(f"<{len(names)}f", packed)
    return -math.log(max(_FAINT, dict(zip(names, chances, strict=True)).get(label, 0.0)))
