"""How good the service is over all traffic, from bought labels alone: what is remembered for it, and what may be claimed.

`Traffic` counts every sample (decision state), `Evidence` keeps what was asked and answered (learned state), `evaluate` claims.
"""

from service.core.evaluation.errors import Errors, ErrorsEvaluation, evaluate_errors, overall_errors, recent_errors
from service.core.evaluation.estimate import Estimate
from service.core.evaluation.evidence import Evidence
from service.core.evaluation.report import LONG, SHORT, Evaluation, evaluate, overall, recent
from service.core.evaluation.traffic import Traffic
from service.core.evaluation.view import Rows, View, pieces

__all__ = [
    "LONG",
    "SHORT",
    "Errors",
    "ErrorsEvaluation",
    "Estimate",
    "Evaluation",
    "Evidence",
    "Rows",
    "Traffic",
    "View",
    "evaluate",
    "evaluate_errors",
    "overall",
    "overall_errors",
    "pieces",
    "recent",
    "recent_errors",
]
