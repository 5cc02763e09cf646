"""The query rules by name. A rule is added by one module and one entry here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from service.core.rules.auto import AutoRule
from service.core.rules.base import Account, QueryStrategy, Stateless, Verdict
from service.core.rules.iwal import ImportanceWeighted
from service.core.rules.logit import Logit
from service.core.rules.periodic import Periodic
from service.core.rules.quantile import Quantile
from service.core.rules.random import Random
from service.core.rules.uncertainty import FixedUncertainty, RandomVariableUncertainty, Split, VariableUncertainty

RULES: Mapping[str, Callable[..., QueryStrategy]] = MappingProxyType(
    {
        "logit": Logit,
        "fixed-uncertainty": FixedUncertainty,
        "variable-uncertainty": VariableUncertainty,
        "random-variable-uncertainty": RandomVariableUncertainty,
        "split": Split,
        "quantile": Quantile,
        "importance-weighted": ImportanceWeighted,
        "random": Random,
        "periodic": Periodic,
        "auto": AutoRule,
    }
)

__all__ = ["RULES", "Account", "QueryStrategy", "Stateless", "Verdict"]
