"""The default rule: a query probability that is a logistic function of the utility's logit, steered by what was spent less what was due."""

import math
from typing import ClassVar

from service.core.rules.base import Account, Stateless, Verdict

_LOW, _HIGH = 0.0005, 0.998  # utilities are cut here, so that ties at certainty stay within the controller's reach
_SPAN = 10.0  # logits that the threshold travels while the start-up grant is spent
_FAR = 500.0  # logits beyond which a probability is 0 or 1
_BLUR = 0.3  # growth of the temperature a question that is asked before an answer comes
_REACH = 6.0  # logits from common utilities to the end of the threshold's travel
_ROOM = 12.0  # questions below the largest balance that the travel takes at least, where the grant is smaller than that


class Logit(Stateless):
    """p = sigmoid((logit(u) - x) / temperature), with x = start + gain * (asked - due).

    The threshold x lives in logits, where utilities near 0 and 1 stay apart, and integrates actual asks, so that what is asked
    stays near what is due on every stream and the start-up grant is spent early, when the model is unsure. By default the gain
    spends the grant over ten logits. A grant of less than 12 questions is continued below zero, by questions that are owed: the
    threshold alone keeps asks within the account, and the most useful samples are asked rather than the first. Where labels are
    owed beyond that, x falls ten logits in 12 questions at least. Where answers are late, the model is unsure of much that open
    questions settle already: the temperature grows by 30 % a question that is asked meanwhile, towards asking at random, as far as
    the threshold's travel still reaches the rate. Source: the `logitd` sampler of the project's label-efficiency
    study; an integral controller on the threshold in the manner of BIQF's balancing (Kottke, Krempl, Spiliopoulou 2015).
    """

    reason: ClassVar[str] = "uncertain"

    def __init__(self, temperature: float = 0.2, start: float = -2.0, gain: float | None = None) -> None:
        """Keep the parameters; `gain` None is 10 / max(grant, 12) logits a question."""
        self.temperature = temperature
        self.start = start
        self.gain = gain

    def query(self, utility: float, account: Account) -> Verdict:
        """Return the logistic probability at this utility."""
        offset = self.start + self._climb(account)
        temperature = self._blurred(account) if account.late > 0.0 else self.temperature
        cut = _LOW if utility < _LOW else min(utility, _HIGH)
        logit = math.log(cut / (1.0 - cut))
        return Verdict(_sigmoid((logit - offset) / temperature), _sigmoid(offset))

    def _blurred(self, account: Account) -> float:
        grown = self.temperature * (1.0 + _BLUR * account.late)
        rare = -math.log(account.rate) if 0.0 < account.rate < 1.0 else math.inf
        return max(self.temperature, min(grown, _REACH / rare))

    def _climb(self, account: Account) -> float:
        grant = account.grant
        room = max(_ROOM, grant)
        spent = account.balance + room - grant
        if self.gain is not None:
            return self.gain * spent
        return spent * _SPAN / (room if spent > 0.0 else _ROOM)


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value)) if value < _FAR else 1.0
    scaled = math.exp(value) if value > -_FAR else 0.0
    return scaled / (1.0 + scaled)
