"""The other honest baseline: a question as soon as one is owed."""

from typing import ClassVar

from service.core.rules.base import Account, Stateless, Verdict


class Periodic(Stateless):
    """Ask when what is due exceeds what was asked by a whole question, counting every actual ask."""

    reason: ClassVar[str] = "periodic"

    def query(self, utility: float, account: Account) -> Verdict:  # noqa: ARG002 - a rule's signature
        """Return 1 if a question is owed."""
        return Verdict(1.0 if account.balance <= -1.0 else 0.0, None)
