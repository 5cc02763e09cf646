"""How good the streams are, for whoever asks and for the metrics: views are taken on the loop, in turns, figures made beside it.

What may be claimed stands in `service.core.evaluation`.
"""

import asyncio
import time
from collections.abc import Iterator

from service.core.evaluation import (
    LONG,
    Errors,
    ErrorsEvaluation,
    Estimate,
    Evaluation,
    Rows,
    View,
    evaluate,
    evaluate_errors,
    pieces,
    recent,
    recent_errors,
)
from service.core.learner import Learner
from service.core.tasks import REGRESSION
from service.streams import Live, Streams

_EVERY = 10.0  # seconds between looks at a stream for its metrics, which take a third of a millisecond


class Appraisal:
    """Figures of the streams."""

    def __init__(self, streams: Streams) -> None:
        """Look at these."""
        self._streams = streams
        self._looked: dict[str, tuple[float, int, int]] = {}  # when, after how many samples and changes
        self._found: dict[str, Estimate | Errors] = {}

    async def evaluation(self, stream: str) -> Evaluation | ErrorsEvaluation:
        """All that may be said of a stream; raises `UnknownStream`."""
        learner = self._streams[stream].learner
        view, older = await _history(learner)
        labels, config = list(learner.evidence.labels), learner.config
        tell = evaluate_errors if config.task == REGRESSION else evaluate
        return await asyncio.to_thread(lambda: tell(view.after(older, labels), config))

    def look(self, live: Live) -> None:
        """Estimate a stream's accuracy, or its errors, for the metrics, if it moved and was not looked at for a while."""
        evidence, now = live.learner.evidence, time.monotonic()
        before, *state = self._looked.get(live.name, (-_EVERY, -1, -1))
        moved = [live.learner.budget.seen, evidence.changes]
        if moved != state and now - before >= _EVERY:
            self._looked[live.name] = now, live.learner.budget.seen, evidence.changes
            tell = recent_errors if live.learner.config.task == REGRESSION else recent
            self._found[live.name] = tell(live.learner.view(), LONG)

    def forget(self, stream: str) -> None:
        """A stream was deleted."""
        self._looked.pop(stream, None)
        self._found.pop(stream, None)

    def estimates(self) -> Iterator[tuple[str, Estimate | Errors]]:
        """Every stream's accuracy, or errors, over the last 2,000 samples as last looked at, where anything can be claimed."""
        return ((stream, found) for stream, found in self._found.items() if found.reason is None)


async def _history(learner: Learner) -> tuple[View, list[Rows]]:
    """A view for windows, and the rows before it, in turns; what changes meanwhile may be in these."""
    while True:
        view, older = learner.view(), []
        for rows in pieces(learner.evidence, view.first):
            older.append(rows)
            await asyncio.sleep(0)
        if learner.evidence.slices == view.slices:
            return view, older
