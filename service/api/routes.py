"""The paths: parse, one call, render. Statuses of errors stand in `service.api.errors`, meanings in `service.flow`."""

import re
import struct
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import Response

from service.api import schemas, text
from service.api.bodies import headers_of, json_body_of
from service.api.documents import document
from service.api.intake import Intake
from service.api.replies import Reply
from service.api.schemas import ClaimIn, ErasedOut, HeldOut, LabelOut, QueriesOut, ReleasedOut, ReleaseIn, SkipIn
from service.api.stream_schemas import Recalibrated, StreamOut, StreamsOut, Summary, rules_of
from service.api.strict import parse
from service.api.takers import label_out
from service.core.catalogue import describe
from service.core.errors import Invalid
from service.core.features import MAX_LABELER, check_person, check_reason
from service.core.times import rfc3339
from service.desk import place
from service.engine import Engine
from service.streams import Live

_NAME = re.compile(text.STREAM["pattern"])
_PLACE = struct.Struct(">dQ")

Order = Literal["utility", "oldest"]
Limit = Annotated[int, Query(ge=1, le=500)]
Stream = Annotated[str, Path(json_schema_extra=text.STREAM)]
SampleId = Annotated[str, Path(json_schema_extra=text.ID)]
Labeler = Annotated[str, Query(max_length=MAX_LABELER, pattern=text.PRINTABLE)]
Cursor = Annotated[str, Query(pattern=text.CURSOR["pattern"])]
Render = Callable[[str], tuple[bytes, str]]


class Routes:
    """The contract's paths over one service."""

    def __init__(self, engine: Engine, samples: Intake, labels: Intake, render_metrics: Render, max_body: int) -> None:
        """Take what the paths call."""
        self._flow = engine.flow
        self._questions = engine.questions
        self._streams = engine.streams
        self._administration = engine.administration
        self._appraisal = engine.appraisal
        self._samples = samples
        self._labels = labels
        self._render_metrics = render_metrics
        self._max_body = max_body

    def install(self, app: FastAPI) -> None:
        """Add the paths to an app."""
        for method, path, status, about in (
            ("PUT", "/v1/streams/{stream}", 201, self.put_stream),
            ("PATCH", "/v1/streams/{stream}", 200, self.patch_stream),
            ("GET", "/v1/streams/{stream}", 200, self.get_stream),
            ("DELETE", "/v1/streams/{stream}", 204, self.delete_stream),
            ("GET", "/v1/streams", 200, self.list_streams),
            ("POST", "/v1/streams/{stream}/samples", 200, self.post_samples),
            ("GET", "/v1/streams/{stream}/samples/{sample_id:path}", 200, self.get_sample),
            ("DELETE", "/v1/streams/{stream}/samples/{sample_id:path}", 200, self.delete_sample),
            ("POST", "/v1/streams/{stream}/labels", 200, self.post_labels),
            ("DELETE", "/v1/streams/{stream}/labels/{sample_id:path}", 200, self.delete_label),
            ("GET", "/v1/streams/{stream}/queries", 200, self.list_queries),
            ("POST", "/v1/streams/{stream}/queries/claim", 200, self.claim_queries),
            ("POST", "/v1/streams/{stream}/queries/{sample_id:path}/skip", 200, self.skip_query),
            ("POST", "/v1/streams/{stream}/queries/{sample_id:path}/release", 200, self.release_query),
            ("GET", "/v1/streams/{stream}/evaluation", 200, self.get_evaluation),
            ("GET", "/v1/catalogue", 200, self.catalogue),
            ("GET", "/livez", 200, self.livez),
            ("GET", "/readyz", 200, self.readyz),
            ("GET", "/metrics", 200, self.metrics),
        ):
            documented = document(about.__name__, method, path)
            app.add_api_route(path, about, methods=[method], status_code=status, response_class=Response, **documented)

    # --- streams -------------------------------------------------------------------------------------------------------------

    async def put_stream(self, stream: Stream, request: Request) -> Response:
        """Create a stream (201) or replace its configuration (200); `{}` is a working stream."""
        raw = parse(await json_body_of(request, self._max_body), dict[str, Any])
        live, new = await self._administration.put(_name(stream), raw)
        return _json(_stream(live), 201 if new else 200)

    async def patch_stream(self, stream: Stream, request: Request) -> Response:
        """Merge a patch (RFC 7396) into the configuration."""
        patch = parse(await json_body_of(request, self._max_body), dict[str, Any])
        return _json(_stream(await self._administration.patch(_name(stream), patch)))

    async def get_stream(self, stream: Stream) -> Response:
        """The effective configuration and a summary."""
        return _json(_stream(self._streams[stream]))

    async def list_streams(self) -> Response:
        """All streams."""
        return _json(StreamsOut([_stream(live) for live in self._streams.all.values()]))

    async def delete_stream(self, stream: Stream) -> Response:
        """Remove a stream, its log and all that was learned."""
        await self._administration.delete(stream)
        return Response(status_code=204)

    # --- samples and labels --------------------------------------------------------------------------------------------------

    async def post_samples(self, stream: Stream, request: Request) -> Response:
        """Predict, and decide whether a label for this sample is worth paying for."""
        return await _taken_in(self._samples, stream, request)

    async def get_sample(self, stream: Stream, sample_id: SampleId) -> Response:
        """The decision, the question's state and its labels."""
        held = await self._flow.held(stream, sample_id)
        decision, sample = held.decision, held.sample
        question = None
        if sample is not None and sample.asked_seq:
            question = schemas.Question(sample.state, rfc3339(sample.asked_at), rfc3339(sample.expires_at), *held.origin.told)
        labels = [schemas.LabelGiven(vote.labeler, vote.label) for vote in sample.votes] if sample is not None else []
        erased = sample is not None and sample.erased
        if decision is None:
            return _json(HeldOut(sample_id, stream, None, None, None, question, labels, erased))
        said = None if erased else decision.said
        stated = None if erased else held.probabilities
        told = decision.model_version, said, decision.query, question, labels, erased, stated, decision.synthetic
        return _json(HeldOut(sample_id, stream, *told))

    async def delete_sample(self, stream: Stream, sample_id: SampleId) -> Response:
        """Erase a sample for good: features, labels and what they taught; that it was there, and what it cost, stays."""
        erased = await self._flow.erase(stream, sample_id)
        return _json(ErasedOut(sample_id, "erased", erased.model_version, erased.rebuilding))

    async def post_labels(self, stream: Stream, request: Request) -> Response:
        """Take an answer in; it is on disk and learned when this returns."""
        return await _taken_in(self._labels, stream, request)

    async def delete_label(self, stream: Stream, sample_id: SampleId, labeler: Labeler = "") -> Response:
        """Retract an answer; the model is rebuilt without it."""
        return Reply(label_out(sample_id, await self._flow.retract(stream, sample_id, labeler))).response()

    async def list_queries(
        self, stream: Stream, state: Literal["open"] = "open", order: Order = "utility", limit: Limit = 50, cursor: Cursor | None = None
    ) -> Response:
        """Open questions, the most useful or the oldest first."""
        del state  # it has one value so far
        found = await self._questions.waiting(stream, order, limit, None if cursor is None else _place(cursor))
        last = place(found[-1].sample, order) if len(found) == limit else None
        return _json(QueriesOut([schemas.question_of(item) for item in found], None if last is None else _cursor(last)))

    async def claim_queries(self, stream: Stream, request: Request) -> Response:
        """Hand out questions that nobody else holds, the most useful first; claimed again, the same ones for longer."""
        wanted = parse(await json_body_of(request, self._max_body), ClaimIn)
        found = await self._questions.claim(stream, check_person(wanted.labeler), wanted.limit, wanted.lease)
        return _json(QueriesOut([schemas.question_of(item) for item in found], None))

    async def skip_query(self, stream: Stream, sample_id: SampleId, request: Request) -> Response:
        """Leave a question to others; it is not handed to this labeler again."""
        given = parse(await json_body_of(request, self._max_body), SkipIn)
        reason = None if given.reason is None else check_reason(given.reason)
        return _json(LabelOut(sample_id, "skipped", await self._questions.skip(stream, sample_id, check_person(given.labeler), reason)))

    async def release_query(self, stream: Stream, sample_id: SampleId, request: Request) -> Response:
        """Hand a question back before the lease ends."""
        given = parse(await json_body_of(request, self._max_body), ReleaseIn)
        return _json(ReleasedOut(sample_id, "released", self._questions.release(stream, sample_id, check_person(given.labeler))))

    async def get_evaluation(self, stream: Stream) -> Response:
        """Accuracy over all traffic with its interval, estimated from the bought labels alone; null where nothing can be claimed."""
        return _json(await self._appraisal.evaluation(stream))

    # --- the server ----------------------------------------------------------------------------------------------------------

    async def catalogue(self) -> Response:
        """Models, query rules and measures with their parameters and defaults."""
        return _json(describe())

    async def livez(self) -> Response:
        """The process answers."""
        return _json(schemas.Status("ok"))

    async def readyz(self) -> Response:
        """Every stream is loaded."""
        return _json(schemas.Status("ready"))

    async def metrics(self, request: Request) -> Response:
        """Metrics in Prometheus' text format, or OpenMetrics where it is asked for."""
        body, media_type = self._render_metrics(request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type})


def _name(stream: str) -> str:
    if not _NAME.fullmatch(stream):
        raise Invalid("/stream", "a stream's name has 1 to 63 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit")
    return stream


def _stream(live: Live) -> StreamOut:
    learner = live.learner
    budget, trust = learner.budget, learner.taught.recalibration
    summary = Summary(
        created_at=rfc3339(learner.created_at),
        model_version=learner.version,
        classes=learner.taught.classes,
        seen=budget.seen,
        asked=budget.asked,
        given_back=budget.given_back,
        open=budget.open,
        taught=learner.queries.answered,
        left=budget.left,
        grant=budget.grant_left,
        rebuilding=bool(learner.rebuild_from),
        answering=learner.taught.choice,
        rules=rules_of(learner.mixture()),
        recalibration=None if trust is None else Recalibrated(trust.labels, 1.0 / trust.exponent, trust.lapse),
    )
    return StreamOut(live.name, learner.config, summary)


async def _taken_in(intake: Intake, stream: str, request: Request) -> Response:
    reply = await intake.reply(stream, request.url.path, headers_of(request.scope["headers"]), request.receive, None)
    return reply.response()


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _cursor(at: tuple[float, int]) -> str:
    return _PLACE.pack(*at).hex()


def _place(cursor: str) -> tuple[float, int]:
    utility, seq = _PLACE.unpack(bytes.fromhex(cursor))
    return utility, seq
