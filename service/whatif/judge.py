"""Replays a past under alternatives and says what came of it, or why nothing may be said."""

import random
from collections.abc import Callable, Sequence
from math import floor, inf
from statistics import fmean
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from service.core.config import StreamConfig
from service.core.evaluation.report import price_of
from service.core.evaluation.view import Floats
from service.core.events import Configured
from service.core.stated import EXTERNAL
from service.whatif.finding import Bounds, Figures, Finding, Variances, between, exactly, mean, noise
from service.whatif.past import Answer, Past, Question
from service.whatif.plan import Alternative, measured_anew, observes_traffic, unmeasured
from service.whatif.replay import AsLogged, Behind, Replay, Told
from service.whatif.scale import Scale

SUPPORT: Final = 0.75  # of the questions that would have been asked must stand in the log
_EXACT: Final = 0.99  # from which nothing is missing that could matter


class Run(NamedTuple):
    """A replay, its figures, and what each answered question corrects."""

    told: Told
    figures: Figures
    misses: Floats


class Judge:
    """Replays a past, each way of choosing questions so many times; `step` is called after every replay."""

    def __init__(self, past: Past, replays: int, step: Callable[[], object]) -> None:
        """Take the past."""
        self._past = past
        self._replays = replays
        self._step = step
        self._scale = Scale(past.view)

    @property
    def now(self) -> Finding:
        """What the stream really did."""
        found, bought = self._scale.now, self._scale.bought
        if found.reason is not None:
            return Finding("now", reason=found.reason)
        return Finding(
            "now",
            found.accuracy,
            found.low,
            found.high,
            0.0,
            0.0,
            0.0,
            self._scale.macro_f1,
            bought,
            _money(bought, self._past.config),
            1.0,
            exact=True,
        )

    def find(self, alternative: Alternative) -> Finding:
        """What would have come of an alternative; raises `Invalid` where it is no configuration."""
        before = self._past.config
        after = alternative.of(before, before.model)
        reason = self._scale.now.reason or self._unstated(after)
        problem = reason if alternative.same_questions else reason or unmeasured(before, after)
        if problem is not None:
            return Finding(alternative.words, reason=problem)
        if alternative.same_questions:
            return self._exact(alternative, [self._run(Told, alternative)], 0.0, 1.0)
        return self._asked_otherwise(alternative, after)

    def _unstated(self, after: StreamConfig) -> str | None:
        if after.model.type != EXTERNAL or self._past.states:
            return None
        return f"the log has samples without the probabilities of a model of your own, which `{EXTERNAL}` needs"

    def _asked_otherwise(self, alternative: Alternative, after: StreamConfig) -> Finding:
        measure = measured_anew(self._past.config, after)
        logged = [self._replayed(AsLogged, alternative, number, measure=measure) for number in range(self._replays)]
        support = _support(logged)
        if support < SUPPORT:
            return Finding(alternative.words, support=support, reason=_missing(support, self._past.config, after))
        anew = [] if observes_traffic(after) else [self._replayed(Replay, alternative, number) for number in range(self._replays)]
        several = [some for some in (anew, logged) if some]
        noises = fmean(self._noise(some) for some in several)
        if anew and _support(anew) >= _EXACT:
            return self._exact(alternative, anew, noises, support)
        stand_ins = [*several, [self._run(Behind, alternative, pace=_pace(logged[0]))]]
        best = max(stand_ins, key=lambda some: mean([run.figures for run in some]).accuracy)
        least = mean([run.figures for run in best])._replace(labels=fmean(run.figures.labels for some in several for run in some))
        every = self._run(Told, alternative).figures
        bounds = between(least, every, self._accuracy, Variances(noises, self._apart(best)))
        return self._finding(alternative, bounds, least, support, exact=False)

    def _exact(self, alternative: Alternative, runs: Sequence[Run], noises: float, support: float) -> Finding:
        found = mean([run.figures for run in runs])
        bounds = exactly(found, self._accuracy, Variances(noises, self._apart(runs)))
        return self._finding(alternative, bounds, found, support, exact=True)

    def _finding(self, alternative: Alternative, bounds: Bounds, found: Figures, support: float, *, exact: bool) -> Finding:
        labels, config = round(found.labels), alternative.of(self._past.config, self._past.config.model)
        return Finding(alternative.words, *bounds, found.macro_f1, labels, _money(labels, config), support, exact)

    def _replayed(self, kind: type[Replay], alternative: Alternative, number: int, **options: Any) -> Run:
        return self._run(kind, alternative, chance=random.Random(number) if number else None, **options)

    def _run(self, kind: type[Told], alternative: Alternative, **options: Any) -> Run:
        """Tell the past to a replay of this kind, which takes the options."""
        seq, created = self._past.created
        first = self._under(alternative, created)
        told = kind(seq, first, anew=self._past.must_vectorise(first.config), **options)
        said: list[str | None] = [None] * self._scale.questions
        for moment in self._past.moments:
            if isinstance(moment, Question):
                said[moment.row] = told.meet(moment).label
            elif isinstance(moment, Answer):
                told.hear(moment)
            elif isinstance(moment, Configured):
                told.fold(self._under(alternative, moment))
            elif moment.sample_id in told.queries.open:
                told.fold(moment)
        self._step()
        return Run(told, *self._scale.weigh(said, int(told.view(whole=True).rows.answered.sum())))

    def _under(self, alternative: Alternative, event: Configured) -> Configured:
        return msgspec.structs.replace(event, config=alternative.of(event.config, self._past.config.model))

    def _noise(self, runs: Sequence[Run]) -> float:
        figures = [run.figures for run in runs]
        return noise(figures, mean(figures).labels / max(1, self._scale.bought))

    def _apart(self, runs: Sequence[Run]) -> float:
        return self._scale.apart(np.mean([run.misses for run in runs], axis=0))

    @property
    def _accuracy(self) -> float:
        return self._scale.now.accuracy or 0.0


def _money(labels: int, config: StreamConfig) -> float | None:
    return None if config.budget.price is None else price_of(labels, config.budget.price)


def _support(runs: Sequence[Run]) -> float:
    return fmean(run.told.support for run in runs if isinstance(run.told, Replay))


def _pace(run: Run) -> list[int]:
    return run.told.pace if isinstance(run.told, Replay) else []


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
