"""Streams come, change and go: every change is an event of the log. What the fields mean stands in `service.core.config`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from service.core.catalogue import effective
from service.core.config import StreamConfig, merge_patch
from service.core.errors import Conflict, UnknownStream
from service.core.events import Configured, Event
from service.core.learner import Learner
from service.core.records import Applied
from service.core.tasks import TASKS
from service.erasure import Erasure
from service.journal import Committed, Journal, folded
from service.ports import Clock
from service.streams import Live, Streams

_log = structlog.get_logger("askwhen.streams")
_SILENT = "the log does not answer; the change may still be made"


class Administration:
    """Creates, replaces, merges and drops; one change at a time."""

    def __init__(
        self,
        streams: Streams,
        journal: Journal,
        erasure: Erasure,
        clock: Clock,
        new_secret: Callable[[], bytes],
        forget: Sequence[Callable[[str], None]],
        *,
        most: int,
    ) -> None:
        """Take the parts; `new_secret` gives 16 random bytes, `forget` are told the names of deleted streams, `most` streams are held."""
        self._most = most
        self._streams = streams
        self._journal = journal
        self._erasure = erasure
        self._forget = forget
        self._clock = clock
        self._new_secret = new_secret
        self._turn = asyncio.Lock()

    async def put(self, stream: str, raw: Mapping[str, Any]) -> tuple[Live, bool]:
        """Create a stream, or replace its configuration; gives it and whether it is new. Raises `Invalid`."""
        config = await asyncio.to_thread(effective, raw)
        async with self._turn:
            live = self._streams.find(stream)
            if live is not None:
                await self._replace(live, config)
                return live, False
            if len(self._streams.all) >= self._most:
                raise Conflict(f"this server holds {self._most} streams already; delete one that is no longer needed")
            await folded(self._journal.append(stream, Configured(self._clock(), config, self._new_secret())), _SILENT)
            _log.info("stream created", stream=stream)
            return self._streams[stream], True

    async def patch(self, stream: str, patch: Mapping[str, Any]) -> Live:
        """Merge a patch (RFC 7396) into the configuration; what it sets to null has its default again."""
        async with self._turn:
            live = self._streams[stream]
            current = msgspec.to_builtins(live.learner.config)
            wanted = patched(current, patch)
            _check_task(live, wanted.get("task", StreamConfig().task))  # before that nothing else fits it
            await self._replace(live, await asyncio.to_thread(effective, wanted))
            return live

    async def delete(self, stream: str) -> None:
        """Drop a stream, its log and all that was learned; returns when no byte of it is left."""
        async with self._turn:
            live = self._streams[stream]
            live.dropped = True
            drop = self._journal.append(stream, None)
            # Also where nobody waits any more: until it is known, no event of the stream may follow the drop into the log.
            drop.add_done_callback(lambda done: self._settle(live, done))
            await folded(drop, _SILENT)
            await self._erasure.dropped(stream)

    def _settle(self, live: Live, drop: "asyncio.Future[Committed]") -> None:
        if drop.cancelled() or drop.exception() is not None:
            live.dropped = False
            return
        _log.info("stream deleted", stream=live.name)
        for forget in self._forget:
            forget(live.name)

    async def _replace(self, live: Live, config: StreamConfig) -> None:
        learner = live.learner
        _check_task(live, config.task)
        if config.labels.per_sample != learner.config.labels.per_sample and learner.queries.voted:
            message = "`labels.per_sample` cannot change once there are labels: what they taught depends on it"
            raise Conflict(message)
        if config != learner.config:
            await folded(self._journal.append(live.name, Configured(self._clock(), config)), _SILENT)
            _log.info("stream changed", stream=live.name)


def _check_task(live: Live, wanted: Any) -> None:
    if wanted in tuple(TASKS) and wanted != live.learner.config.task:
        message = "the `task` of a stream cannot change: its labels mean something else; create another stream"
        raise Conflict(message)


def patched(current: dict[str, Any], patch: Mapping[str, Any]) -> Any:
    """Merge, but let another model, pipeline, rule or measure begin with its own parameters, and the bank follow the burst."""
    model, query, budget = (_part(patch, name) for name in ("model", "query", "budget"))
    if "type" in model or "pipeline" in model:
        current = {**current, "model": {}}
    for name, params in (("rule", "params"), ("measure", "measure_params")):
        if query.get(name, current["query"][name]) != current["query"][name]:
            current = {**current, "query": {**current["query"], params: {}}}
    if "burst" in budget and current["budget"]["bank"] == current["budget"]["burst"]:
        current = {**current, "budget": {**current["budget"], "bank": None}}
    return merge_patch(current, dict(patch))


def _part(patch: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = patch.get(name)
    return part if isinstance(part, dict) else {}


def fold_into(streams: Streams) -> Callable[[str, int, Event | None], Applied]:
    """The function that folds committed events into the streams, creating and dropping them as their first and last come."""

    def fold(name: str, seq: int, event: Event | None) -> Applied:
        live = streams.folding(name)
        if event is None:
            streams.drop(name)
            return Applied(None, 0)
        if live is not None:
            return live.apply(seq, event)
        if not isinstance(event, Configured) or event.secret is None:
            message = f"the stream {name!r} was deleted"
            raise UnknownStream(message)
        streams.add(Live(name, Learner(seq, event)))
        return Applied(None, 0)

    return fold
