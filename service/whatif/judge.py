"""Replays a past under alternatives and says what came of it, or why nothing may be said."""

import random
from collections.abc import Callable
from dataclasses import replace
from math import floor, inf
from statistics import fmean
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from service.core.config import StreamConfig
from service.core.evaluation import overall
from service.core.evaluation.estimate import answering, corrected, spread, trust, worth
from service.core.evaluation.evidence import UNKNOWN
from service.core.evaluation.figures import quality
from service.core.evaluation.report import price_of
from service.core.evaluation.view import Codes
from service.core.events import Configured
from service.whatif.finding import Bounds, Figures, Finding, between, exactly, mean, noise
from service.whatif.past import Answer, Past, Question
from service.whatif.plan import Alternative, measured_anew, observes_traffic, unmeasured
from service.whatif.replay import AsLogged, Behind, Replay, Told

SUPPORT: Final = 0.75  # of the questions that would have been asked must stand in the log
_EXACT: Final = 0.99  # from which nothing is missing that could matter

Teller = TypeVar("Teller", bound=Told)


class Judge:
    """Replays a past, each way of choosing questions so many times; `step` is called after every replay."""

    def __init__(self, past: Past, replays: int, step: Callable[[], object]) -> None:
        """Take the past."""
        self._past = past
        self._replays = replays
        self._step = step
        self._view = past.view
        self._codes = {label: code for code, label in enumerate(self._view.labels)}
        self._bought = int(self._view.rows.answered.sum())
        self._price = past.config.budget.price

    @property
    def now(self) -> Finding:
        """What the stream really did."""
        found = overall(self._view)
        macro_f1 = quality(self._view.rows, self._view.labels).macro_f1
        figures = (found.accuracy, found.low, found.high, 0.0, macro_f1, self._bought, self._money(self._bought), 1.0, True)
        return Finding("now", reason=found.reason) if found.reason is not None else Finding("now", *figures)

    def find(self, alternative: Alternative) -> Finding:
        """What would have come of an alternative; raises `Invalid` where it is no configuration."""
        now, before = self.now, self._past.config
        after = alternative.of(before, before.model)
        problem = now.reason if alternative.same_questions else now.reason or unmeasured(before, after)
        if problem is not None:
            return Finding(alternative.words, reason=problem)
        if alternative.same_questions:
            same = self._run(Told, alternative)[1]
            return self._finding(alternative, exactly(same, 0.0), same, 1.0, exact=True)
        return self._asked_otherwise(alternative, after)

    def _asked_otherwise(self, alternative: Alternative, after: StreamConfig) -> Finding:
        measure = measured_anew(self._past.config, after)
        logged = [self._replayed(AsLogged, alternative, number, measure=measure) for number in range(self._replays)]
        support = fmean(replay.support for replay, _ in logged)
        if support < SUPPORT:
            return Finding(alternative.words, support=support, reason=_missing(support, self._past.config, after))
        anew = [] if observes_traffic(after) else [self._replayed(Replay, alternative, number) for number in range(self._replays)]
        runs = [[figures for _, figures in replays] for replays in (anew, logged) if replays]
        between_runs = fmean(noise(some, mean(some).labels / max(1, self._bought)) for some in runs)
        if anew and fmean(replay.support for replay, _ in anew) >= _EXACT:
            found = mean(runs[0])
            return self._finding(alternative, exactly(found, between_runs), found, support, exact=True)
        _, behind = self._run(Behind, alternative, pace=logged[0][0].pace)
        _, every = self._run(Told, alternative)
        best = max([*map(mean, runs), behind])
        labels = fmean(mean(some).labels for some in runs)
        return self._finding(alternative, between(best, every, between_runs), best._replace(labels=labels), support, exact=False)

    def _replayed(self, kind: type[Replay], alternative: Alternative, number: int, **options: Any) -> tuple[Replay, Figures]:
        return self._run(kind, alternative, chance=random.Random(number) if number else None, **options)

    def _run(self, kind: type[Teller], alternative: Alternative, **options: Any) -> tuple[Teller, Figures]:
        """Tell the past to a replay of this kind, which takes the options."""
        past = self._past
        seq, created = past.created
        first = self._under(alternative, created)
        told = kind(seq, first, anew=past.must_vectorise(first.config), **options)
        predicted = np.full(len(self._view.rows), UNKNOWN, np.int32)
        for moment in past.moments:
            if isinstance(moment, Question):
                label = told.meet(moment).label
                predicted[moment.row] = UNKNOWN if label is None else self._codes.get(label, UNKNOWN)
            elif isinstance(moment, Answer):
                told.hear(moment)
            elif isinstance(moment, Configured):
                told.fold(self._under(alternative, moment))
            elif moment.sample_id in told.queries.open:
                told.fold(moment)
        self._step()
        return told, self._figures(told, predicted)

    def _under(self, alternative: Alternative, event: Configured) -> Configured:
        return msgspec.structs.replace(event, config=alternative.of(event.config, self._past.config.model))

    def _figures(self, told: Told, predicted: Codes) -> Figures:
        """Accuracy by the estimator of evaluation: what was sure and what was right of it is counted of the past, but for predictions."""
        population, rows = self._view.total, replace(self._view.rows, predicted=predicted)
        given, trusted = answering(rows), trust(rows)
        accuracy = min(1.0, max(0.0, corrected(population, given, trusted) / population.covered))
        effective = worth(population, given.rate, spread(rows, trusted))
        bought = int(told.view(whole=True).rows.answered.sum())
        return Figures(accuracy, effective, quality(rows, self._view.labels).macro_f1 or 0.0, bought)

    def _finding(self, alternative: Alternative, bounds: Bounds, found: Figures, support: float, *, exact: bool) -> Finding:
        labels = round(found.labels)
        change = bounds.accuracy - (self.now.accuracy or 0.0)
        figures = (*bounds, change, found.macro_f1, labels, self._money(labels), support, exact)
        return Finding(alternative.words, *figures)

    def _money(self, labels: int) -> float | None:
        return None if self._price is None else price_of(labels, self._price)


def replays_of(alternative: Alternative, replays: int) -> int:
    """How many replays an alternative takes at most."""
    return 1 if alternative.same_questions else 2 * replays + 2


def _missing(support: float, before: StreamConfig, after: StreamConfig) -> str:
    """What the log has too little of, and what it has enough for."""
    rate, explored = before.budget.rate, before.exploration * before.budget.rate
    own, share = rate - explored, after.exploration
    most = min(own / (1.0 - share) if share < 1.0 else inf, explored / share if share else inf)
    return (
        f"only {support:.0%} of the questions that it would have asked stand in the log, and {SUPPORT:.0%} are needed; it supports any "
        f"model, the present rule with exploration {share:g} at budgets up to {_down(most)}, and random asking at up to {_down(explored)}"
    )


def _down(share: float) -> str:
    """A share in percent, rounded down."""
    return f"{floor(1e4 * share + 1e-9) / 100:g} %"
