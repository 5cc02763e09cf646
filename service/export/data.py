"""The labelled samples of a stream as they stood at one moment: what was said, what was asked, and every raw feature. No files here."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from service.adapters.sqlite import SqliteReader
from service.core.embeddings import shown
from service.core.errors import UnknownStream
from service.core.events import Asked, Configured, Erased, Event, Labelled, Retracted, Withdrawn
from service.core.features import Features
from service.core.open_queries import OpenQueries, Sample, Vote
from service.core.records import CHOSEN, Prediction
from service.core.stated import Probabilities
from service.core.times import rfc3339

_BATCH = 500  # questions that are read at once

Item = TypeVar("Item")


class Track(Protocol):
    """Gives the items on, and may tell somebody how many of `total` (None: unknown) went by."""

    def __call__(self, items: Iterable[Item], total: int | None, words: str) -> Iterable[Item]:
        """Follow the items of one pass; `words` say what it does."""
        ...


class Given(msgspec.Struct, frozen=True):
    """A labeler's standing answer."""

    labeler: str
    label: str


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """A labelled sample. The parts of its question are None where it was not asked about; times are RFC 3339 in UTC.

    `label` is the settled one, `labeler` the first whose standing answer it is, `probability` the propensity of asking, which there is
    none of where no coin decided (`pool`, `synthetic`). A `synthetic` sample never was. `probabilities` are those that a model of the
    caller's own gave the sample, where any came with it.
    """

    sample_id: str
    label: str
    labeler: str
    votes: list[Given]
    labeled_at: str
    learned_at: str
    asked: bool
    synthetic: bool
    probability: float | None
    reason: str | None
    utility: float | None
    predicted: str | None
    confidence: float | None
    asked_at: str | None
    features: Features
    probabilities: Probabilities | None = None


class _Settling(NamedTuple):
    """The answer that settled a sample's label."""

    event: Labelled
    sample: Sample


class LabelledData:
    """One row a sample whose label is settled, in the order in which the labels were; what was corrected or retracted is gone.

    Answers are held in memory as the server holds them (some 650 bytes a label), features never.
    """

    def __init__(self, reader: SqliteReader, stream: str, track: Track) -> None:
        """Read who said what up to now, beside a server that goes on; raises `UnknownStream`."""
        self._reader = reader
        self._stream = stream
        self._upto = reader.last(stream)
        if not self._upto:
            known = ", ".join(reader.streams()) or "none"
            message = f"there is no stream {stream!r} in this folder; there are: {known}"
            raise UnknownStream(message)
        queries = standing(track(reader.read(stream, 0, self._upto), None, "reading answers"))
        self._samples, self._count = queries.samples, queries.answered

    def __len__(self) -> int:
        """How many rows there are."""
        return self._count

    def rows(self) -> Iterator[Row]:
        """The rows, read as they are needed."""
        settling = self._settling()
        while batch := list(islice(settling, _BATCH)):
            questions = self._reader.get(self._stream, [item.sample.asked_seq for item in batch])
            for item, question in zip(batch, questions, strict=True):
                yield _row(item, question if isinstance(question, Asked) and not item.sample.withdrawn else None)

    def contents(self) -> Iterator[tuple[Features, Probabilities]]:
        """The features and probabilities of the rows alone."""
        return ((item.event.features, item.event.probabilities or {}) for item in self._settling())

    def _settling(self) -> Iterator[_Settling]:
        for seq, event in self._reader.read(self._stream, 0, self._upto):
            if isinstance(event, Labelled) and not event.erased:
                sample = self._samples[event.sample_id]
                if sample.taught_seq == seq:
                    yield _Settling(event, sample)


def standing(log: Iterable[tuple[int, Event]]) -> OpenQueries:
    """Who said what about which sample, as the fold of the whole state has it; whether questions are still open is left out."""
    queries = OpenQueries(per_sample=1)
    for seq, event in log:
        match event:
            case Asked():
                queries.ask(event.sample_id, Sample(seq, event.at, event.expires_at))
            case Withdrawn():
                queries.withdraw(event.sample_id)
            case Labelled():
                queries.label(event.sample_id, Vote(event.labeler, event.label, seq), event.at)
            case Retracted():
                queries.retract(event.sample_id, event.labeler)
            case Erased():
                _ = [queries.erase(sample_id) for sample_id in event.sample_ids]
            case Configured() if not queries.voted:
                queries.per_sample = event.config.labels.per_sample
    return queries


def _row(settling: _Settling, question: Asked | None) -> Row:
    event, sample = settling
    label = sample.taught or ""
    return Row(
        sample_id=event.sample_id,
        label=label,
        labeler=next((vote.labeler for vote in sample.votes if vote.label == label), event.labeler),
        votes=[Given(vote.labeler, vote.label) for vote in sample.votes],
        labeled_at=event.labeled_at or rfc3339(event.at),
        learned_at=rfc3339(event.at),
        **_asking(question),
        features=shown(event.features),
        probabilities=event.probabilities,
    )


def _asking(question: Asked | None) -> dict[str, Any]:
    if question is None:
        return dict.fromkeys(("probability", "reason", "utility", "predicted", "confidence", "asked_at")) | {
            "asked": False,
            "synthetic": False,
        }
    query, said = question.decision.query, question.decision.said
    return {
        "asked": True,
        "synthetic": question.decision.synthetic,
        "probability": None if query.reason in CHOSEN else query.probability,
        "reason": query.reason,
        "utility": query.utility,
        "predicted": said.label if isinstance(said, Prediction) else None if said.value is None else repr(said.value),
        "confidence": said.confidence if isinstance(said, Prediction) else None,
        "asked_at": rfc3339(question.at),
    }
