"""The measures of utility by name. A measure is added by one module and one entry here; every rule takes every measure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from service.core.measures.base import Informed, Measure, Plain
from service.core.measures.change import ModelChange
from service.core.measures.cognitive import Cognitive
from service.core.measures.committee import Consensus, Divergence, LossRange, SoftVoteEntropy, VoteEntropy
from service.core.measures.density import Density
from service.core.measures.epistemic import Epistemic
from service.core.measures.numeric import Deviation, GreedyBoth, GreedyInput, GreedyOutput, Variance
from service.core.measures.probabilistic import Probabilistic
from service.core.measures.uncertainty import entropy, least_confidence, margin

PLAIN: Mapping[str, Plain] = MappingProxyType({"least-confidence": least_confidence, "margin": margin, "entropy": entropy})

INFORMED: Mapping[str, Callable[..., Informed]] = MappingProxyType(
    {
        "committee": Consensus,
        "divergence": Divergence,
        "vote-entropy": VoteEntropy,
        "soft-vote-entropy": SoftVoteEntropy,
        "loss-range": LossRange,
        "model-change": ModelChange,
        "density": Density,
        "cognitive": Cognitive,
        "probabilistic": Probabilistic,
        "epistemic": Epistemic,
    }
)

MEASURES: Mapping[str, Callable[..., Any]] = MappingProxyType({**PLAIN, **INFORMED})

# Of streams whose labels are numbers.
NUMERIC: Mapping[str, Callable[..., Informed]] = MappingProxyType(
    {"variance": Variance, "deviation": Deviation, "gsx": GreedyInput, "gsy": GreedyOutput, "gsi": GreedyBoth}
)

__all__ = ["INFORMED", "MEASURES", "NUMERIC", "PLAIN", "Informed", "Measure", "Plain", "entropy", "least_confidence", "margin"]
