"""What becomes of one object that came in: a sample gets a decision, a label an outcome. Here a sample spends its whole time at the edge.

Samples are decoded by type in one pass. Only what that pass refuses, or what might hold a key twice, is parsed strictly, which says where.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from service.admission import Incoming
from service.api.parcels import Parcel
from service.api.schemas import EmbeddedLabelIn, EmbeddedSampleIn, LabelIn, LabelOut, SampleIn, SampleOut, checked_time
from service.api.strict import Shape, plain_json, shaped
from service.asking import Answer
from service.core.embeddings import check_embeddings, pack_embeddings
from service.core.errors import Invalid
from service.core.events import NOWHERE, Origin
from service.core.features import check_features, check_id, check_labeler
from service.core.stated import check_stated
from service.flow import Flow, Learned

_decode: Callable[[bytes], SampleIn] = msgspec.json.Decoder(SampleIn).decode
_NONE: Mapping[str, int] = MappingProxyType({})
_decode_embedded: Callable[[bytes], EmbeddedSampleIn] = msgspec.json.Decoder(EmbeddedSampleIn).decode
_encode = msgspec.json.Encoder().encode
_ESCAPE = ord("\\")  # a byte is found in a tenth of the time of a text of one


class Takers:
    """Takes samples and labels into one flow."""

    def __init__(self, flow: Flow) -> None:
        """Take the flow."""
        self._flow = flow

    def sample(self, stream: str, parcel: Parcel) -> bytes | Awaitable[bytes]:
        """Predict and decide; bytes where nothing has to be waited for. Raises `Invalid`, `UnknownStream` and `Conflict`."""
        answer = self._flow.answer_to(stream, _incoming(parcel, self._flow.embeddings(stream)))
        return _sample_out(stream, answer) if isinstance(answer, Answer) else _awaited(stream, answer)

    def samples(self, stream: str, parcels: Sequence[Parcel]) -> list[bytes | Awaitable[bytes] | Exception]:
        """Do with each what `sample` does with one, one step for all after the other; what it would raise stands in its place."""
        came: list[Incoming] = []
        wrong: dict[int, Exception] = {}
        embeddings = self._flow.embeddings(stream)
        for place, parcel in enumerate(parcels):
            try:
                came.append(_incoming(parcel, embeddings))
            except Exception as error:  # noqa: BLE001 - a bad object gets its problem and does not stop the others
                wrong[place] = error
        answers = self._flow.answers_to(stream, came)
        for place, problem in wrong.items():
            answers.insert(place, problem)
        return [_sample_out(stream, answer) if isinstance(answer, Answer) else _passed_on(stream, answer) for answer in answers]

    def label(self, stream: str, parcel: Parcel) -> Awaitable[bytes]:
        """Take an answer in; it is on disk and learned when the bytes come."""
        try:
            embeddings = self._flow.embeddings(stream)
            given = _strictly(parcel.body, EmbeddedLabelIn if embeddings else LabelIn, embeddings)
            if embeddings and given.features is not None:
                pack_embeddings(given.features, embeddings)
            own = given.sample_id is not None or parcel.id is None
            sample_id = check_id(given.sample_id or "", "/sample_id") if own else parcel.id or ""
            label, labeler = self._flow.label_text(stream, given.label), check_labeler(given.labeler or "")
            if given.probabilities is not None:
                check_stated(given.probabilities)
            labeled_at = parcel.time if given.labeled_at is None else checked_time(given.labeled_at, "/labeled_at")
        except Invalid as error:
            raise _below(parcel.pointer, error) from None
        return self._learned(stream, sample_id, label, labeler, given.features, labeled_at, given.probabilities)

    def labels(self, stream: str, parcels: Sequence[Parcel]) -> list[bytes | Awaitable[bytes] | Exception]:
        """Begin with each what `label` does with one; what it would raise stands in its place."""
        return [self._label_or_error(stream, parcel) for parcel in parcels]

    def _label_or_error(self, stream: str, parcel: Parcel) -> Awaitable[bytes] | Exception:
        try:
            return asyncio.ensure_future(self.label(stream, parcel))
        except Exception as error:  # noqa: BLE001 - the same
            return error

    async def _learned(self, stream: str, sample_id: str, *answer: object) -> bytes:
        return label_out(sample_id, await self._flow.label(stream, sample_id, *answer))  # type: ignore[arg-type]


def _incoming(parcel: Parcel, embeddings: Mapping[str, int]) -> Incoming:
    try:
        sample = _embedded_of(parcel.body, embeddings) if embeddings else _sample_of(parcel.body)
        sample_id = parcel.id or parcel.key if sample.id is None else check_id(sample.id)
        time = parcel.time if sample.time is None else checked_time(sample.time)
        if sample.probabilities is not None:
            check_stated(sample.probabilities)
    except Invalid as error:
        raise _below(parcel.pointer, error) from None
    origin = Origin(time, parcel.traceparent) if time or parcel.traceparent else NOWHERE
    return Incoming(sample_id, sample.features, origin, sample.probabilities)


def label_out(sample_id: str, learned: Learned) -> bytes:
    """Render what a label amounted to."""
    return _encode(LabelOut(sample_id, learned.outcome, learned.model_version, learned.rebuilding))


def _embedded_of(body: bytes, embeddings: Mapping[str, int]) -> SampleIn:
    sample = _sample_of(body, _decode_embedded, EmbeddedSampleIn, embeddings)
    pack_embeddings(sample.features, embeddings)
    return sample


def _sample_of(
    body: bytes,
    decode: Callable[[bytes], SampleIn] = _decode,
    shape: type[SampleIn] = SampleIn,
    embeddings: Mapping[str, int] = _NONE,
) -> SampleIn:
    try:
        sample = decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _strictly(body, shape, embeddings)
    # Where every colon belongs to a key of its own, no key can have been there twice.
    keys = 1 + len(sample.features) + (sample.id is not None) + (sample.time is not None)
    if body.count(b":") == keys and _ESCAPE not in body:
        return sample
    return sample if _is_plain(body, sample, keys) else _strictly(body, shape, embeddings)


def _is_plain(body: bytes, sample: SampleIn, keys: int) -> bool:
    """Whether nothing in a body asks for a strict look, with probabilities, colons in texts, or escapes that name no NUL."""
    if sample.probabilities is not None:
        keys += 1 + len(sample.probabilities)
    if _ESCAPE in body:
        return body.count(b":") == keys and b"\\u0000" not in body
    return body.count(b":") in (keys, keys + _colons(sample))


def _strictly(body: bytes, shape: type[Shape], embeddings: Mapping[str, int] = _NONE) -> Shape:
    plain = plain_json(body)
    features = plain.get("features") if isinstance(plain, dict) else None
    if isinstance(features, dict):
        check_features(features, apart=embeddings)
        check_embeddings(features, embeddings)
    return shaped(plain, shape)


def _colons(sample: SampleIn) -> int:
    count = (sample.id or "").count(":") + (sample.time or "").count(":")
    for name, value in sample.features.items():
        count += name.count(":")
        if value.__class__ is str:
            count += value.count(":")
    for name in sample.probabilities or ():
        count += name.count(":")
    return count


def _below(pointer: str, error: Invalid) -> Invalid:
    return Invalid(pointer + error.pointer, error.detail) if pointer else error


def _sample_out(stream: str, answer: Answer) -> bytes:
    decision = answer.decision
    return _encode(SampleOut(decision.id, stream, decision.model_version, decision.said, decision.query, answer.replayed))


def _passed_on(stream: str, answer: Awaitable[Answer] | Exception) -> Awaitable[bytes] | Exception:
    return answer if isinstance(answer, Exception) else _awaited(stream, asyncio.ensure_future(answer))


async def _awaited(stream: str, answer: Awaitable[Answer]) -> bytes:
    return _sample_out(stream, await answer)
