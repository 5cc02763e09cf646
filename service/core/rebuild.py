"""The model as if what was superseded had never been, and the faithful fold of a whole log. Pure: events come in as iterables.

A rebuild is a fold of its own beside the serving state. A `Swapped` event says up to which answer it knew of corrections.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from service.core.errors import CorruptLog
from service.core.events import Checkpoint, Configured, Erased, Event, Swapped
from service.core.learner import Learner
from service.core.taught import Taught

Located = tuple[int, Event]
Reader = Callable[[int, int], Iterable[Located]]  # (after, upto): a stream's events after one position, up to another
Witness = Callable[[int, Event, Learner], None]

EVERYTHING = 2**62
_EMPTY = "the log of the stream is empty"


def rebuilt(log: Iterable[Located], superseded: frozenset[int], final: Configured, epoch: int, through: int) -> Learner:
    """Fold a stream's log without the `superseded` positions, from the start under the model of `final`, whose epoch is `epoch`.

    What learns beside the model is as `final` has it, too, and so are weights; those of answers behind `through` are what the
    serving model gave them. Answers made for the same epoch keep their vectors; those of earlier epochs get them from preprocessing
    that begins anew and sees their features in log order.
    """
    learner: Learner | None = None
    for seq, event in log:
        if learner is None:
            learner = begin(seq, _under(event, final, keeps_weights=False))
            learner.taught.epoch = epoch
        elif seq not in superseded and not isinstance(event, Swapped | Checkpoint):
            learner.apply(seq, _under(event, final, keeps_weights=seq > through))
    if learner is None:
        raise CorruptLog(_EMPTY)
    return learner


def _under(event: Event, final: Configured, *, keeps_weights: bool) -> Event:
    if isinstance(event, Configured):
        query = final.config.query
        if keeps_weights:
            query = msgspec.structs.replace(query, weighted=event.config.query.weighted)
        config = msgspec.structs.replace(event.config, model=final.config.model, query=query)
        return msgspec.structs.replace(event, config=config)
    return event


def rebuild_of(superseded: dict[int, int], read: Reader, through: int, upto: int = EVERYTHING) -> Taught:
    """The model that a swap brings which knows of corrections up to `through`, taught all answers up to `upto`.

    `superseded` maps positions of superseded events to those of the events that did it.
    """
    final, epoch = _model_at(read(0, through))
    gone = frozenset(old for old, new in superseded.items() if new <= through)
    return rebuilt(read(0, upto), gone, final, epoch, through).taught


def _model_at(log: Iterable[Located]) -> tuple[Configured, int]:
    final: Configured | None = None
    epoch = 0
    for seq, event in log:
        if isinstance(event, Configured):
            if final is None or event.config.model != final.config.model:
                epoch = seq
            final = event
    if final is None:
        raise CorruptLog(_EMPTY)
    return final, epoch


def fold(read: Reader, learner: Learner | None = None, witness: Witness | None = None) -> Learner:
    """Fold a stream's log as the serving state did, swaps included, from its creation or from where `learner` stands.

    `witness` is told of every event after it was folded.
    """
    for seq, event in read(learner.seq if learner is not None else 0, EVERYTHING):
        if learner is None:
            learner = begin(seq, event)
        else:
            if isinstance(event, Swapped) and not learner.is_void(event):
                learner.candidate = rebuild_of(learner.superseded, read, event.through, seq - 1)
            learner.apply(seq, event)
        if witness is not None:
            witness(seq, event, learner)
    if learner is None:
        raise CorruptLog(_EMPTY)
    return learner


def swift(read: Reader) -> Learner:
    """Fold a stream's log from its creation to the state that `fold` gives, without the models that no longer serve.

    Every swap costs a rebuild. Of the swaps before the last checkpoint only the last one matters to what is learned; the transcript,
    which tells of all models that served, continues from the checkpoint.
    """
    outline = _outline(read(0, EVERYTHING))
    learner: Learner | None = None
    for seq, event in read(0, EVERYTHING):
        if learner is None:
            learner = begin(seq, event)
            continue
        if isinstance(event, Swapped) and not learner.is_void(event):
            if seq in outline.needed:
                learner.candidate = rebuild_of(learner.superseded, read, event.through, seq - 1)
            else:
                learner.candidate = learner.taught.under(outline.epoch_at(event.through))
        learner.apply(seq, event)
        if seq == outline.known_at and outline.transcript is not None:
            learner.transcript = outline.transcript
    if learner is None:
        raise CorruptLog(_EMPTY)
    return learner


class _Outline(NamedTuple):
    """What a first look at a log tells: up to where the transcript is known, which swaps need their models, when epochs began."""

    known_at: int
    transcript: bytes | None
    needed: frozenset[int]
    epochs: list[int]

    def epoch_at(self, seq: int) -> int:
        return max(epoch for epoch in self.epochs if epoch <= seq)


def _outline(log: Iterable[Located]) -> _Outline:
    known_at, transcript = 0, None
    swaps: list[int] = []
    sure: list[int] = []  # swaps that no erasure can have made void
    erased = 0
    epochs: list[int] = []
    model: object = None
    for seq, event in log:
        if isinstance(event, Checkpoint) and event.through > known_at:
            known_at, transcript = event.through, event.transcript
        elif isinstance(event, Erased):
            erased = seq
        elif isinstance(event, Swapped):
            swaps.append(seq)
            if event.through >= erased:
                sure.append(seq)
        elif isinstance(event, Configured) and event.config.model != model:
            model = event.config.model
            epochs.append(seq)
    serving = max((seq for seq in sure if seq <= known_at), default=0)
    return _Outline(known_at, transcript, frozenset(seq for seq in swaps if seq >= serving), epochs)


def begin(seq: int, event: Event) -> Learner:
    """The learner that a stream's first event creates."""
    if not isinstance(event, Configured):
        message = f"event {seq} comes before its stream was created"
        raise CorruptLog(message)
    return Learner(seq, event)
