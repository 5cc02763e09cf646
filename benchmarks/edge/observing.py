"""What the metrics cost a sample: the calls that the flow makes to its observers, timed in this process."""

import time
from collections.abc import Sequence
from statistics import median

from service.adapters.prometheus import metrics
from service.core.records import BudgetView, Decision, Prediction, Query
from service.ports import Observer

_CALLS = 50_000


def microseconds(rounds: int) -> float:
    """The median of what counting a sample and timing its decision adds, in microseconds a sample."""
    observer, _ = metrics(list, dict)
    return 1e6 * median(_seconds([observer]) - _seconds([]) for _ in range(rounds))


def _seconds(observers: Sequence[Observer]) -> float:
    """Seconds a sample, with the two looks at the clock that the flow takes for its observers' sake."""
    query = Query(False, 0.015, "confident", 0.4, 0.9, "logit", BudgetView(1, 0, 50, 0))
    decision = Decision("sample", 1, Prediction("ok", 0.8, {"ok": 0.8, "fraud": 0.2}), query)
    started = time.perf_counter()
    for _ in range(_CALLS):
        for observer in observers:
            before = time.perf_counter()
            observer.decided("orders", decision, time.perf_counter() - before)
    return (time.perf_counter() - started) / _CALLS
