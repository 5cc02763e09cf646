"""What is left of a sample in the log once it is erased. Pure; a log does it in the transaction of the `Erased` event.

The rest of the fold must not notice: positions, times, what was spent and how answers relate to one another stay.
"""

from collections.abc import Iterable, Sequence

import msgspec

from service.core.events import Asked, Checkpoint, Event, Labelled, Origin, Skipped
from service.core.records import Forecast, Prediction

_NOTHING = Prediction(None, None, {})
_UNTOLD = Forecast(None, None, None, None)


def blanked(events: Iterable[Event]) -> list[Event]:
    """Return all of one sample's events, in log order, without features, vectors, predictions, labels and all that was said of it.

    Labels become "1", "2", ... in order of first appearance, so that a duplicate stays one, and a majority falls as it fell.
    """
    ordinals: dict[str, str] = {}
    return [_blank(event, ordinals) for event in events]


def _blank(event: Event, ordinals: dict[str, str]) -> Event:
    if isinstance(event, Asked):
        said = event.decision.forecast
        forecast = said if said is msgspec.UNSET else _UNTOLD
        decision = msgspec.structs.replace(event.decision, prediction=_NOTHING, forecast=forecast)
        origin = Origin(event.origin.time)
        return msgspec.structs.replace(event, features={}, decision=decision, origin=origin, probabilities=None, parents=[])
    if isinstance(event, Labelled):
        label = ordinals.setdefault(event.label, str(len(ordinals) + 1))
        return msgspec.structs.replace(event, label=label, features={}, vector={}, erased=True, guesses=[], probabilities=None)
    if isinstance(event, Skipped):
        return msgspec.structs.replace(event, reason=None)
    return event


def superfluous(checkpoints: Sequence[tuple[int, Checkpoint]]) -> list[int]:
    """Return the positions of the checkpoints that an erasure removes: all but the newest one that holds preprocessing.

    Whoever erases writes that one just before, without what the sample had left there.
    """
    newest = max((seq for seq, checkpoint in checkpoints if checkpoint.preprocessing is not None), default=0)
    return [seq for seq, _ in checkpoints if seq != newest]
