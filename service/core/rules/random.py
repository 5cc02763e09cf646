"""The honest baseline: every sample with the same probability, whatever the model thinks."""

from typing import ClassVar

from service.core.rules.base import Account, Stateless, Verdict


class Random(Stateless):
    """p = rate."""

    reason: ClassVar[str] = "random"

    def query(self, utility: float, account: Account) -> Verdict:  # noqa: ARG002 - a rule's signature
        """Return the rate."""
        return Verdict(account.rate, None)
