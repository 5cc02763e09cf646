"""A sample as it comes in, and what a stream refuses of samples and labels. Nothing is looked up, decided or learned here."""

import msgspec

from service.core.config import MAX_CLASSES
from service.core.errors import Invalid, UnknownStream
from service.core.events import NOWHERE, Origin
from service.core.features import Features
from service.core.stated import Probabilities, check_fits
from service.core.tasks import REGRESSION
from service.holdings import content
from service.streams import Live


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A sample that came in; without an id it gets one, and is not remembered unless it is asked."""

    id: str | None
    features: Features
    origin: Origin = NOWHERE
    probabilities: Probabilities | None = None

    @property
    def content(self) -> Features:
        """All by which another sample of the same id is told from this one."""
        return content(self.features, self.probabilities)


def check_there(live: Live) -> None:
    """Raise `UnknownStream` where the stream was deleted meanwhile."""
    if live.dropped:
        message = f"the stream {live.name!r} was deleted"
        raise UnknownStream(message)


def check_stated(live: Live, probabilities: Probabilities | None) -> None:
    """Raise `Invalid` where the stream cannot take what a sample states, or that it states nothing."""
    config = live.learner.config
    if config.task == REGRESSION and probabilities is not None:
        raise Invalid("/probabilities", "a regression stream takes no probabilities")
    check_fits(probabilities, config.model.type, config.classes)


def objection(live: Live, sample: Incoming) -> Invalid | None:
    """What `check_stated` raises of a sample, as a value."""
    try:
        check_stated(live, sample.probabilities)
    except Invalid as error:
        return error
    return None


def check_class(live: Live, label: str) -> None:
    """Raise `Invalid` for a label that is none of the declared classes, or one class too many."""
    declared, known = live.learner.config.classes, live.learner.taught.classes
    if declared is not None and label not in declared:
        raise Invalid("/label", f"{label!r} is none of the stream's classes: {', '.join(map(repr, declared[:20]))}")
    if len(known) >= MAX_CLASSES and label not in known:
        raise Invalid("/label", f"the stream has {MAX_CLASSES} classes already")
