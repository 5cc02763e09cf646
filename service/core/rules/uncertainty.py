"""The uncertainty rules of Zliobaite, Bifet, Pfahringer and Holmes, Active Learning with Drifting Streaming Data (TNNLS 25(1), 2014).

Confidence is c = 1 - utility. Where the paper's rules draw random numbers of their own, the probability is given in closed form,
so that one reproducible coin decides; where its budget is estimated over a window, the service's exact account stands instead.
"""

import math
from typing import ClassVar

from service.core.rules.base import Account, Stateless, Verdict

_SMALLEST = 1e-3  # the published threshold shrinks to 0 on constant utility 1 and never grows again
_LARGEST = 1.01  # just above the largest confidence there is: a stream of certainties is still asked about


class FixedUncertainty(Stateless):
    """Ask when confidence < `confidence` (algorithm 2). Not adaptive: it may ask less than the budget, never more."""

    reason: ClassVar[str] = "uncertain"

    def __init__(self, confidence: float = 0.9) -> None:
        """Keep the threshold on confidence."""
        self.confidence = confidence

    def query(self, utility: float, account: Account) -> Verdict:  # noqa: ARG002 - a rule's signature
        """Return 1 below the confidence."""
        return Verdict(1.0 if 1.0 - utility < self.confidence else 0.0, 1.0 - self.confidence)


class _Adaptive:
    """A threshold on confidence that shrinks when it asks and grows when it does not, while there is money."""

    reason: ClassVar[str] = "uncertain"
    compact: ClassVar[bool] = True
    step: float

    def __init__(self) -> None:
        self._theta = 1.0

    def update(self, utility: float, account: Account, *, asks: bool) -> None:
        """Move the threshold on confidence by one step."""
        if account.open:
            factor = 1.0 - self.step if self._hit(utility, asks=asks) else 1.0 + self.step
            self._theta = min(max(self._theta * factor, _SMALLEST), _LARGEST)

    def _hit(self, utility: float, *, asks: bool) -> bool:  # noqa: ARG002 - the randomised rule overrides it
        return 1.0 - utility < self._theta

    def state(self) -> list[float]:
        """Return the threshold."""
        return [self._theta]

    def restore(self, state: list[float]) -> None:
        """Continue with the threshold."""
        (self._theta,) = state


class VariableUncertainty(_Adaptive):
    """Ask when confidence < theta; theta *= 1 - step on asking, else 1 + step (algorithm 3)."""

    def __init__(self, step: float = 0.01) -> None:
        """Keep the step."""
        super().__init__()
        self.step = step

    def query(self, utility: float, account: Account) -> Verdict:  # noqa: ARG002 - a rule's signature
        """Return 1 below theta."""
        return Verdict(1.0 if 1.0 - utility < self._theta else 0.0, max(0.0, 1.0 - self._theta))


class RandomVariableUncertainty(_Adaptive):
    """Ask when confidence < theta * eta, eta ~ Normal(1, deviation) (algorithm 4), as a probability.

    P(c < theta * eta) = 1 - Phi((c / theta - 1) / deviation). A negative eta never asks; dividing by it would make the least
    uncertain samples the surest to be asked.
    """

    def __init__(self, step: float = 0.01, deviation: float = 1.0) -> None:
        """Keep the step and the deviation of the threshold."""
        super().__init__()
        self.step = step
        self.deviation = deviation

    def query(self, utility: float, account: Account) -> Verdict:  # noqa: ARG002 - a rule's signature
        """Return the probability that the randomised threshold exceeds the confidence."""
        distance = ((1.0 - utility) / self._theta - 1.0) / self.deviation
        return Verdict(0.5 * math.erfc(distance / math.sqrt(2.0)), max(0.0, 1.0 - self._theta))

    def _hit(self, utility: float, *, asks: bool) -> bool:  # noqa: ARG002 - the coin already knows the utility
        return asks


class Split(_Adaptive):
    """A share of the samples is asked at random at the rate, the others by the variable rule (algorithm 5).

    The threshold moves by `step` times the share that the variable rule has, which is its expected move.
    """

    def __init__(self, step: float = 0.01, share: float = 0.1) -> None:
        """Keep the step and the random share."""
        super().__init__()
        self.share = share
        self.step = step * (1.0 - share)

    def query(self, utility: float, account: Account) -> Verdict:
        """Return share * rate + (1 - share) * [confidence < theta]."""
        certain = 1.0 if 1.0 - utility < self._theta else 0.0
        return Verdict(self.share * account.rate + (1.0 - self.share) * certain, max(0.0, 1.0 - self._theta))
