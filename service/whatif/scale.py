"""What predictions are worth over all traffic: the estimator of evaluation, on the past's answers. Nothing is replayed here."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.core.evaluation import Estimate, View, overall
from service.core.evaluation.estimate import answering, corrected, spread, trust, worth
from service.core.evaluation.evidence import UNKNOWN
from service.core.evaluation.figures import quality
from service.core.evaluation.traffic import SURE
from service.core.evaluation.view import Floats
from service.whatif.finding import Figures, paired


class Scale:
    """Weighs predictions by the samples that the answered questions stand for.

    How sure the serving model was of every sample is known from the counts of all traffic, and still tells much of how often another
    one is right; only who is right changes.
    """

    def __init__(self, view: View) -> None:
        """Take the past."""
        self._view = view
        self._codes = {label: code for code, label in enumerate(view.labels)}
        self.questions = len(view.rows)
        self.bought = int(view.rows.answered.sum())

    @property
    def now(self) -> Estimate:
        """What really was."""
        return overall(self._view)

    @property
    def macro_f1(self) -> float | None:
        """Of what was really predicted."""
        return quality(self._view.rows, self._view.labels).macro_f1

    def weigh(self, said: Sequence[str | None], bought: int) -> tuple[Figures, Floats]:
        """The figures of predictions, a label a question, and what each answered question corrects of what sureness says."""
        codes = np.array([UNKNOWN if label is None else self._codes.get(label, UNKNOWN) for label in said], np.int32)
        population, rows = self._view.total, replace(self._view.rows, predicted=codes)
        given, trusted = answering(rows), trust(rows)
        accuracy = min(1.0, max(0.0, corrected(population, given, trusted) / population.covered))
        effective = worth(population, given.rate, spread(rows, trusted))
        known = given.rows.kinds < SURE
        misses = np.zeros(len(known))
        misses[known] = given.rows.correct[known] - trusted[given.rows.kinds[known]]
        return Figures(accuracy, effective, quality(rows, self._view.labels).macro_f1 or 0.0, bought), misses

    def apart(self, misses: Floats) -> float:
        """The variance of the difference to what was, of predictions that correct so much."""
        given, trusted = answering(self._view.rows), trust(self._view.rows)
        known = given.rows.kinds < SURE
        before = given.rows.correct[known] - trusted[given.rows.kinds[known]]
        return paired(misses[known], before, given.chances[known], self._view.total.covered)
