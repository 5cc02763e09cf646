"""Prequential runs: every sample is predicted before it is learned, by the same learner and events as in service; no log, no clock.

Four arms over one loop: `queried` asks as the service does, `sampled` buys exactly k labels at random, `full` buys every label, and
`chosen` buys what somebody else decides to.
What comes of one is a `Run`, or of a regression stream an `ErrorsRun`.
Everything is deterministic in its arguments, except the time that decisions took.
"""

import random
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate, compress
from statistics import fmean
from typing import Any

import msgspec

from service.core.catalogue import effective
from service.core.config import StreamConfig
from service.core.evaluation import Estimate, View, overall
from service.core.events import Configured, Event, Expired
from service.core.features import Features, label_text
from service.core.learner import Learner
from service.core.records import Decision
from service.core.stated import Probabilities
from service.core.tasks import REGRESSION
from service.simulate.numbers import Numbers, Purchase

Label = str | int | float | bool
Pair = tuple[Features, Label]  # a sample and its true label
Stated = tuple[Features, Label, Probabilities | None]  # the same with what a model of the caller's own said of the sample

INTERVAL = 1.0  # seconds from one sample to the next


class Run(Purchase, msgspec.Struct, frozen=True):
    """What came of one run; `correct` and `bought` have one byte a sample, 0 or 1.

    A sample without a prediction counts as wrong. A label counts as bought when it is asked for; `learned` of them arrived.
    `confusion` counts samples by true label and prediction (None: nothing was predicted). `confidences` has the probability of the
    predicted class, one a sample, 0 where nothing was predicted.
    `estimate` is what the service would have said of its accuracy at the end, from the labels that arrived.
    """

    correct: bytes
    bought: bytes
    learned: int
    microseconds_per_decision: float
    estimate: Estimate
    confusion: Mapping[tuple[str, str | None], int] = {}
    confidences: Sequence[float] = ()

    @property
    def accuracy(self) -> float:
        """The share of all samples that was predicted right before any learning from them."""
        return sum(self.correct) / self.n if self.n else 0.0

    @property
    def accuracy_estimate(self) -> float | None:
        """The accuracy as it is estimated from the bought labels alone; None where they say too little."""
        return self.estimate.accuracy

    @property
    def accuracy_low(self) -> float | None:
        """The lower end of the estimate's 95 % interval."""
        return self.estimate.low

    @property
    def accuracy_high(self) -> float | None:
        """The upper end of it."""
        return self.estimate.high

    @property
    def accuracy_naive(self) -> float | None:
        """The accuracy on the bought labels themselves, as if they were typical."""
        return self.estimate.naive

    def accuracy_last(self, m: int) -> float:
        """Accuracy over the last `m` samples."""
        return fmean(self.correct[-m:])

    def curve(self) -> list[tuple[int, float]]:
        """Accuracy over all samples so far against labels bought: a point for every label, and the end."""
        right = accumulate(self.correct)
        points = [(seen, hits / seen) for seen, hits in enumerate(right, 1)]
        marks = [accuracy for _, accuracy in compress(points, self.bought)]
        return [*enumerate(marks, 1), (self.labels, self.accuracy)]


def queried(
    stream: Iterable[Pair | Stated],
    config: Mapping[str, Any],
    *,
    seed: int = 0,
    delay: int = 0,
    lost: float = 0.0,
    interval: float = INTERVAL,
) -> Any:
    """Ask as the service would under `config` (as for PUT), with a secret made of `seed`.

    An answer is learned after the decision about the sample `delay` places later (0: about its own), and a share `lost` of the
    questions gets none, until they expire. Samples are `interval` seconds apart.
    """
    desk = _Desk(effective(config), seed, interval)
    fates = random.Random(seed)

    def buy(place: int, decision: Decision, features: Features) -> bool | None:
        del place
        if not decision.query.ask:
            return None
        desk.ask(decision, features)
        return fates.random() >= lost

    return desk.run(stream, buy, delay)


def sampled(
    stream: Sequence[Pair | Stated],
    config: Mapping[str, Any],
    *,
    labels: int,
    seed: int = 0,
    delay: int = 0,
    lost: float = 0.0,
    interval: float = INTERVAL,
) -> Any:
    """Buy exactly so many labels of samples drawn uniformly, with the same model; preprocessing sees every sample all the same.

    A share `lost` of them never arrives.
    """
    places = frozenset(random.Random(seed).sample(range(len(stream)), labels))
    fates = random.Random(seed)

    def buy(place: int, decision: Decision, features: Features) -> bool | None:
        del decision, features
        return fates.random() >= lost if place in places else None

    return _Desk(effective(config), seed, interval).run(stream, buy, delay)


def chosen(
    stream: Iterable[Pair | Stated],
    config: Mapping[str, Any],
    wants: Callable[[Decision], bool],
    *,
    delay: int = 0,
    interval: float = INTERVAL,
) -> Any:
    """Buy what `wants` says of each sample, in their order, whatever the service would have asked; the model is the same."""

    def buy(place: int, decision: Decision, features: Features) -> bool | None:
        del place, features
        return True if wants(decision) else None

    return _Desk(effective(config), 0, interval).run(stream, buy, delay)


def full(stream: Iterable[Pair | Stated], config: Mapping[str, Any], *, delay: int = 0, interval: float = INTERVAL) -> Any:
    """Buy every label."""
    return _Desk(effective(config), 0, interval).run(stream, lambda *_: True, delay)


# None: not bought. Otherwise whether the label will arrive.
_Buy = Callable[[int, Decision, Features], bool | None]


class _Classes:
    """What is noted of every sample."""

    def __init__(self) -> None:
        self.correct = bytearray()
        self.confusion: Counter[tuple[str, str | None]] = Counter()
        self.confidences = array("d")

    def see(self, decision: Decision, raw: Label) -> str:
        """Take a sample in; returns its label's text."""
        label, predicted = label_text(raw), decision.prediction
        self.correct.append(predicted.label == label)
        self.confusion[label, predicted.label] += 1
        self.confidences.append(predicted.confidence or 0.0)
        return label

    def run(self, bought: bytes, learned: int, microseconds: float, view: View) -> Run:
        """What came of it."""
        return Run(bytes(self.correct), bought, learned, microseconds, overall(view), dict(self.confusion), self.confidences)


class _Desk:
    """A learner, with what the service has around it: positions in a log, a clock, answers under way, questions that expire."""

    def __init__(self, config: StreamConfig, seed: int, interval: float) -> None:
        secret = blake2b(str(seed).encode(), digest_size=16).digest()
        self.learner = Learner(1, Configured(0.0, config, secret))
        self.interval = interval
        self.seq = 1
        self.at = 0.0
        self.learned = 0
        self.expiries: deque[tuple[float, str]] = deque()
        self.stated: Probabilities | None = None  # by the sample at hand

    def run(self, stream: Iterable[Pair | Stated], buy: _Buy, delay: int) -> Any:
        """Go through the stream."""
        bought = bytearray()
        tally: Numbers | _Classes = Numbers() if self.learner.config.task == REGRESSION else _Classes()
        under_way: deque[tuple[int, str, Features, str, Probabilities | None]] = deque()
        seconds = 0.0
        for place, (features, raw, *said) in enumerate(stream):
            self.stated = said[0] if said else None
            self._move(place * self.interval)
            started = time.perf_counter()
            decision = self.learner.decide(f"{place:08}", features, self.at, probabilities=self.stated)
            seconds += time.perf_counter() - started
            label = tally.see(decision, raw)
            arrives = buy(place, decision, features)
            bought.append(arrives is not None)
            if arrives:
                under_way.append((place + delay, decision.id, features, label, self.stated))
            while under_way and under_way[0][0] <= place:
                self.answer(*under_way.popleft()[1:])
        microseconds = 1e6 * seconds / max(1, len(bought))
        return tally.run(bytes(bought), self.learned, microseconds, self.learner.view(whole=True))

    def ask(self, decision: Decision, features: Features) -> None:
        """Ask, as the service does, with a log that answers at once."""
        token = self.learner.budget.take()
        event = self.learner.question(decision, features, probabilities=self.stated)
        self.learner.budget.release(token)
        self._fold(event)
        self.expiries.append((event.expires_at, decision.id))

    def answer(self, sample_id: str, features: Features, label: str, stated: Probabilities | None) -> None:
        """Deliver an answer."""
        event = self.learner.answer(sample_id, label, "", features, self.at, brought=False, labeled_at=None, probabilities=stated)
        self._fold(event)
        self.learned += 1

    def _move(self, at: float) -> None:
        self.at = at
        while self.expiries and self.expiries[0][0] <= at:
            _, sample_id = self.expiries.popleft()
            if sample_id in self.learner.queries.open:
                self._fold(Expired(at, sample_id))

    def _fold(self, event: Event) -> None:
        self.seq += 1
        self.learner.apply(self.seq, event)
