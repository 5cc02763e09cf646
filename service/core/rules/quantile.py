"""Ask about the most uncertain of the recent samples, balanced by what is owed."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from typing import ClassVar

from service.core.rules.base import Account, Verdict

_CUSHION = 5.0  # questions of the grant that are not for spending


class Quantile:
    """The idea of the balanced incremental quantile filter (Kottke, Krempl, Spiliopoulou 2015), made a probability.

    Over a window of recent utilities, the share `target = rate + (grant - 5 - balance) / tolerance` of the most uncertain is asked.
    BIQF moves its threshold by the window's range instead, which does nothing where all utilities are equal; here ties share
    what is left of the target between them, and the grant is spent early, but for 5 questions: so the quantile settles what is
    asked, and not the end of the money.
    """

    reason: ClassVar[str] = "uncertain"
    compact: ClassVar[bool] = False

    def __init__(self, window: int = 200, tolerance: float = 50.0) -> None:
        """Keep the window's length in samples and the questions of imbalance that count as a whole."""
        self.window = window
        self.tolerance = tolerance
        self._recent: deque[float] = deque(maxlen=window)
        self._ordered: list[float] = []

    def query(self, utility: float, account: Account) -> Verdict:
        """Return 1 above the window's quantile, 0 below, and a part among its equals."""
        target = min(max(account.rate + (account.grant - _CUSHION - account.balance) / self.tolerance, 0.0), 1.0)
        count = len(self._ordered)
        if not count:
            return Verdict(target, None)
        above = count - bisect_right(self._ordered, utility)
        equal = count - above - bisect_left(self._ordered, utility)
        # The sample itself is one of the equals, so that a new maximum has a share as well.
        probability = (target * (count + 1) - above) / (equal + 1)
        threshold = self._ordered[max(0, min(count - 1, round((1.0 - target) * count)))]
        return Verdict(min(max(probability, 0.0), 1.0), threshold)

    def update(self, utility: float, account: Account, *, asks: bool) -> None:  # noqa: ARG002 - a rule's signature
        """Move the window by one sample."""
        if len(self._recent) == self.window:
            del self._ordered[bisect_left(self._ordered, self._recent[0])]
        self._recent.append(utility)
        insort(self._ordered, utility)

    def state(self) -> list[float]:
        """Return the window, oldest first."""
        return list(self._recent)

    def restore(self, state: list[float]) -> None:
        """Continue with the window."""
        self._recent = deque(state, maxlen=self.window)
        self._ordered = sorted(self._recent)
