"""What is asked: options, and the configurations that they amount to. Nothing is replayed here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from service.administration import patched
from service.core.catalogue import build_measure, effective
from service.core.config import ModelSpec, StreamConfig, merge_patch
from service.core.errors import Invalid
from service.core.measures import Plain
from service.core.measures.base import Unmoved
from service.simulate.plan import model_of


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    stream: str
    folder: Path
    budgets: Sequence[float] = ()
    rules: Sequence[str] = ()
    explorations: Sequence[float] = ()
    models: Sequence[str] = ()
    patches: Sequence[str] = ()
    replays: int = 6
    json: Path | None = None


class Alternative(NamedTuple):
    """What would be otherwise: a merge patch (RFC 7396) of the stream's configuration, and the words for it."""

    words: str
    patch: dict[str, Any]

    @property
    def same_questions(self) -> bool:
        """Whether nothing but the model would be otherwise: then it learns the answers to the questions that were asked."""
        return self.patch.keys() <= {"model"}

    def of(self, config: StreamConfig, model: ModelSpec) -> StreamConfig:
        """A configuration of the stream's past under this patch, with `model` from the start unless the patch names one.

        Answers are taken as settled, so that one vote suffices. Raises `Invalid`.
        """
        current = msgspec.to_builtins(msgspec.structs.replace(config, model=model))
        changed = effective(patched(current, self.patch))
        labels = msgspec.structs.replace(changed.labels, per_sample=1)
        return msgspec.structs.replace(changed, labels=labels, slices=[])


def alternatives(options: Options) -> Iterator[Alternative]:
    """Every combination of what was named; raises `Invalid` where there is none."""
    parts: list[list[tuple[str, dict[str, Any]]]] = [
        [(f"budget {_percent(rate)}", {"budget": {"rate": rate}}) for rate in options.budgets],
        [(rule, {"query": {"rule": rule}}) for rule in options.rules],
        [(f"exploration {share:g}", {"exploration": share}) for share in options.explorations],
        [(_model_words(model), {"model": dict(model)}) for model in map(model_of, options.models)],
        [(text, _object(text)) for text in options.patches],
    ]
    named = [part for part in parts if part]
    if not named:
        raise Invalid("", "say what would be otherwise: --budget, --rule, --exploration, --model or --patch")
    for chosen in product(*named):
        patch: dict[str, Any] = {}
        for _, part in chosen:
            patch = merge_patch(patch, part)
        yield Alternative(", ".join(words for words, _ in chosen), patch)


def measured_anew(before: StreamConfig, after: StreamConfig) -> Plain | None:
    """The measure that makes utilities of the predictions in the log, where it is not the one that made those that stand there."""
    return None if _same_measure(before, after) else build_measure(after.query)[0]


def unmeasured(before: StreamConfig, after: StreamConfig) -> str | None:
    """Why the log cannot say what a measure would have said; None where it can."""
    if _same_measure(before, after) or build_measure(after.query)[1] is None:
        return None
    return f"the log has no utilities of measure {after.query.measure!r}; margin, least-confidence and entropy can be made of what it has"


def _same_measure(before: StreamConfig, after: StreamConfig) -> bool:
    return (before.query.measure, before.query.measure_params) == (after.query.measure, after.query.measure_params)


def observes_traffic(config: StreamConfig) -> bool:
    """Whether the measure takes note of samples that nobody was asked about."""
    informed = build_measure(config.query)[1]
    return informed is not None and not isinstance(informed, Unmoved)


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Invalid("", f"--patch: this is no JSON object: {error}") from None


def _model_words(model: Mapping[str, Any]) -> str:
    return str(model["type"]) if model.keys() == {"type"} else msgspec.json.encode(model).decode()


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
