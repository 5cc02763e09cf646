"""Importance-weighted active learning: the surer the answer, the smaller the chance of a question, and the larger the label's weight."""

import math
from typing import ClassVar

from service.core.rules.base import Account, Stateless, Verdict

_SPAN = 10.0  # nats that the slack falls by while the start-up grant is spent
_ROOM = 12.0  # questions that this takes at least
_FAR = 300.0  # nats beyond which the slack is no float


class ImportanceWeighted(Stateless):
    """The rejection threshold of IWAL CAL: p = min(1, 4e / (sqrt(1 + 4G) - 1)^2), the root of G = sqrt(e/p) + e/p.

    G is the excess error of the best hypothesis that disagrees with the best one about the sample; the utility's rest 1 - u stands
    for it (with the margin, how much oftener the second answer would be wrong here). The paper's slack e = C0 log k / (k - 1), its
    other constants 1, promises consistency and no budget; here it is exp(-x) with x = start + 10 (asked - due) / grant. As long as
    e is positive every sample has a chance, and the more uncertain one the larger. Beygelzimer, Hsu, Langford and Zhang, Agnostic
    Active Learning Without Constraints (2010), algorithm 1; with `query.weighted` labels are learned with the weight 1/p, as there.
    """

    reason: ClassVar[str] = "uncertain"

    def __init__(self, start: float = -2.0) -> None:
        """Keep the start of x."""
        self.start = start

    def query(self, utility: float, account: Account) -> Verdict:
        """Return the rejection threshold, and the utility from which it is 1."""
        room = max(_ROOM, account.grant)
        spent = account.balance + room - account.grant
        slack = math.exp(-min(max(self.start + spent * _SPAN / (room if spent > 0.0 else _ROOM), -_FAR), _FAR))
        sure = 1.0 - math.sqrt(slack) - slack
        if utility >= sure:
            return Verdict(1.0, min(max(sure, 0.0), 1.0))
        root = math.sqrt(1.0 + 4.0 * (1.0 - utility)) - 1.0
        return Verdict(min(1.0, 4.0 * slack / (root * root)), min(max(sure, 0.0), 1.0))
