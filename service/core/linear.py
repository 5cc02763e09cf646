"""Linear regression that learns much from few labels, and knows how far it may be off. No features or scales of labels here.

Bayesian linear regression in the form of Kalman's filter, with the noise learned along: everything is in units of the noise, so that
labels of any scale give the same answers.
"""

from math import sqrt
from typing import Any, ClassVar

from river import base
from river.utils import VectorDict

from service.core.logistic import JOINT, Uncertainty, Vector

_MEMORY = 200.0  # labels over which the noise is averaged
_FEWEST = 3.0  # labels before which the noise says little


class Gaussian(Uncertainty):
    """The covariance of the weights over the variance of the noise."""

    curvature: ClassVar[float] = 1.0


class Linear(base.Regressor):
    """Weights w ~ N(0, prior x noise), labels ~ N(b + w x, noise), and weights that drift.

    Source: recursive least squares with a normal-inverse-gamma posterior (Bishop, Pattern Recognition and Machine Learning, 2006,
    sections 3.3 and 13.3); the noise is the mean of the errors' squares, each over 1 + its predicted variance. Labels are taken from
    the first one, so that the prior of the intercept says nothing of their level. A label that is off by more than `tolerance`
    deviations weighs the less the further it is off (Huber, Robust Estimation of a Location Parameter, 1964): one broken meter does
    not undo what was learned, and a level that really moved is followed, since the noise grows until it is believed.
    """

    def __init__(self, prior: float = 1.0, drift: float = 0.01, tolerance: float = 3.0, joint: int = JOINT) -> None:
        """Start with nothing known; `prior` is a weight's prior variance over the noise's, `drift` what a label brings back of it."""
        self.prior = prior
        self.drift = drift
        self.tolerance = tolerance
        self.joint = joint
        self._uncertainty = Gaussian(prior, drift, joint)
        self._weights: Any = VectorDict(None)
        self._intercept = 0.0
        self._level: float | None = None
        self._noise = 0.0
        self._count = 0.0  # labels that the noise was learned from

    def predict_one(self, x: Vector) -> float:  # type: ignore[override]  # names of columns are texts here
        """Return the label's mean; 0 before the first label."""
        return float(self._weights.dot(x)) + self._intercept + (self._level or 0.0)

    def deviation_one(self, x: Vector) -> float | None:
        """Return the label's standard deviation, noise and ignorance together; None before the second label."""
        return sqrt(self._noise * (1.0 + self._uncertainty.spread(x))) if self._count else None

    def learn_one(self, x: Vector, y: float, w: float = 1.0) -> None:  # type: ignore[override]  # the same
        """Learn one label of this weight."""
        if self._level is None:
            self._level = float(y)
            trust, error = 1.0, 0.0
        else:
            error = float(y) - self.predict_one(x)
            trust = self._hear(error, 1.0 + self._uncertainty.spread(x))
        intercept, gains = self._uncertainty.learn(x, w * trust)
        step: Any = VectorDict(gains)
        self._weights.iadd_scaled(step, error)
        self._intercept += intercept * error

    def _hear(self, error: float, spread: float) -> float:
        """Have the noise learn an error, whose variance is `spread` times the noise's; returns how far the label is to be trusted."""
        deviation = sqrt(self._noise * spread)
        # After labels that were all the same any other is infinitely far off, and has to be believed.
        far = self._count >= _FEWEST and 0.0 < self.tolerance * deviation < abs(error)
        trust = self.tolerance * deviation / abs(error) if far else 1.0
        self._count = min(_MEMORY, self._count + 1.0)
        self._noise += (trust * error * error / spread - self._noise) / self._count
        return trust
