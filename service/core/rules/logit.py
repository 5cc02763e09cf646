"""The default rule: a query probability that is a logistic function of the utility's logit, steered by what was spent less what was due."""

import math
from typing import ClassVar

from service.core.rules.base import Account, Verdict

_LOW, _HIGH = 0.0005, 0.998  # utilities are cut here, so that ties at certainty stay within the controller's reach
_LOWEST = 1e-15  # and here where they are calibrated first; below, floats keep no digits of what is left of 1
_FLOOR = math.log(_LOW / (1.0 - _LOW))  # calibrated logits end where others do
_SURE = 2.5  # mean logits below 0 that a calibrated model comes to at most
_STEP = 0.02  # weight of the last sample in that mean
_SPAN = 10.0  # logits that the threshold travels while the start-up grant is spent
_FAR = 500.0  # logits beyond which a probability is 0 or 1
_BLUR = 0.3  # growth of the temperature a question that is asked before an answer comes
_REACH = 6.0  # logits from common utilities to the end of the threshold's travel
_ROOM = 12.0  # questions below the largest balance that the travel takes at least, where the grant is smaller than that


class Logit:
    """p = sigmoid((logit(u) - x) / temperature), with x = start + gain * (asked - due).

    The threshold x lives in logits, where utilities near 0 and 1 stay apart, and integrates actual asks, so that what is asked
    stays near what is due on every stream and the start-up grant is spent early, when the model is unsure. By default the gain
    spends the grant over ten logits. A grant of less than 12 questions is continued below zero, by questions that are owed: the
    threshold alone keeps asks within the account, and the most useful samples are asked rather than the first. Where labels are
    owed beyond that, x falls ten logits in 12 questions at least. Where answers are late, the model is unsure of much that open
    questions settle already: the temperature grows by 30 % a question that is asked meanwhile, towards asking at random, as far as
    the threshold's travel still reaches the rate.

    Probabilities are calibrated online before they are compared. Naive Bayes and trees are as good as certain of nearly everything,
    so that the threshold is lost among logits far below its travel. Where logits lie more than 2.5 below 0 in the mean of the last
    samples, which logistic models do not, they are divided by that much (temperature scaling: Guo, Pleiss, Sun, Weinberger 2017,
    with the divisor taken from the logits' own size, since the labels that are bought are few and not typical), and the sigmoid's
    temperature is multiplied by it: the less a model's certainty means, the less is decided by it.

    Source: the `logitd` sampler of the project's label-efficiency study; an integral controller on the threshold in the manner of
    BIQF's balancing (Kottke, Krempl, Spiliopoulou 2015).
    """

    reason: ClassVar[str] = "uncertain"
    compact: ClassVar[bool] = True

    def __init__(self, temperature: float = 0.2, start: float = -2.0, gain: float | None = None) -> None:
        """Keep the parameters; `gain` None is 10 / max(grant, 12) logits a question."""
        self.temperature = temperature
        self.start = start
        self.gain = gain
        self._sureness = 0.0  # how far logits lie below 0, a moving mean

    def query(self, utility: float, account: Account) -> Verdict:
        """Return the logistic probability at this utility."""
        offset = self.start + self._climb(account)
        if self._sureness > _SURE:
            return self._calibrated(utility, offset, account)
        temperature = self._blurred(account, 1.0) if account.late > 0.0 else self.temperature
        return Verdict(_sigmoid((_logit(utility, _LOW) - offset) / temperature), _sigmoid(offset))

    def update(self, utility: float, account: Account, *, asks: bool) -> None:  # noqa: ARG002 - a rule's signature
        """Move the mean by one sample."""
        below = -_logit(utility, _LOWEST) if utility < 0.5 else 0.0  # noqa: PLR2004 - logit 0
        self._sureness += _STEP * (below - self._sureness)

    def state(self) -> list[float]:
        """Return the mean."""
        return [self._sureness]

    def restore(self, state: list[float]) -> None:
        """Continue with the mean."""
        [self._sureness] = state

    def _calibrated(self, utility: float, offset: float, account: Account) -> Verdict:
        excess = self._sureness / _SURE
        logit = max(_logit(utility, _LOWEST) / excess, _FLOOR)
        return Verdict(_sigmoid((logit - offset) / self._blurred(account, excess)), _sigmoid(offset * excess))

    def _blurred(self, account: Account, excess: float) -> float:
        grown = self.temperature * excess * (1.0 + _BLUR * account.late)
        rare = -math.log(account.rate) if 0.0 < account.rate < 1.0 else math.inf
        return max(self.temperature, min(grown, _REACH / rare))

    def _climb(self, account: Account) -> float:
        grant = account.grant
        room = max(_ROOM, grant)
        spent = account.balance + room - grant
        if self.gain is not None:
            return self.gain * spent
        return spent * _SPAN / (room if spent > 0.0 else _ROOM)


def _logit(utility: float, low: float) -> float:
    cut = utility if low < utility < _HIGH else low if utility <= low else _HIGH
    return math.log(cut / (1.0 - cut))


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value)) if value < _FAR else 1.0
    scaled = math.exp(value) if value > -_FAR else 0.0
    return scaled / (1.0 + scaled)
