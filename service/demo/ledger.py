"""What a run amounts to so far: right predictions, questions, answers and what became of them. Counting only; nothing is sent or shown."""

from collections import Counter, deque
from typing import NamedTuple

from service.client import Decision

_RECENT = 200  # samples that the accuracy lately is over
_SHOWN = 6  # last questions


class Asked(NamedTuple):
    """A question, as it is shown."""

    sample_id: str
    reason: str
    utility: float
    prediction: str | None
    truth: str


class Ledger:
    """The demo's own account, kept without asking the server, so that both can be compared at the end."""

    def __init__(self, total: int) -> None:
        """Expect so many samples."""
        self.total = total
        self.correct = bytearray()  # a byte a sample, 0 or 1: predicted right before any label of it
        self.bought = bytearray()  # the same: asked
        self.allowed = 0
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.answered: set[str] = set()
        self.questions: dict[str, int] = {}  # sample id -> number of its question
        self.out_of_order = 0
        self.last: deque[Asked] = deque(maxlen=_SHOWN)
        self._right = 0
        self._latest = -1

    def observed(self, answer: Decision, truth: str) -> None:
        """A sample was answered."""
        right = answer.prediction.label == truth
        self._right += right
        self.correct.append(right)
        self.bought.append(answer.query.ask)
        self.allowed = answer.query.budget.allowed
        if answer.query.ask:
            self.reasons[answer.query.reason] += 1
            self.questions[answer.id] = len(self.questions)
            self.last.append(Asked(answer.id, answer.query.reason, answer.query.utility, answer.prediction.label, truth))

    def delivered(self, sample_id: str, outcome: str) -> None:
        """An answer was taken in."""
        self.outcomes[outcome] += 1
        if sample_id in self.answered:
            return
        self.answered.add(sample_id)
        number = self.questions[sample_id]
        self.out_of_order += number < self._latest
        self._latest = max(self._latest, number)

    @property
    def seen(self) -> int:
        """Samples sent."""
        return len(self.correct)

    @property
    def asked(self) -> int:
        """Questions."""
        return len(self.questions)

    @property
    def labels(self) -> int:
        """Questions with an answer, however often it came: what is paid for."""
        return len(self.answered)

    @property
    def open(self) -> int:
        """Questions without an answer."""
        return self.asked - self.labels

    @property
    def accuracy(self) -> float:
        """The share of all samples so far that was predicted right."""
        return self._right / max(1, self.seen)

    @property
    def accuracy_lately(self) -> float:
        """The same over the last 200 samples."""
        recent = self.correct[-_RECENT:]
        return sum(recent) / max(1, len(recent))
