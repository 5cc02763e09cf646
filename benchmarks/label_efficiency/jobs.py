"""One run of the comparison: a stream, a model, a rule, a budget, a seed. It runs and returns figures; what they mean stands elsewhere."""

from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from benchmarks.label_efficiency.peers import PEERS, Peer
from benchmarks.label_efficiency.streams import is_text, load
from service.core.catalogue import effective
from service.core.features import label_text
from service.core.records import Decision
from service.core.rules import RULES
from service.simulate import Pair, Run, chosen, full, queried, sampled

DEFAULT = "logit"
FULL = "every label"
RANDOM = "random"
CONTROLLED = (DEFAULT, "auto")  # rules that random asking with as many labels stands beside
_TEXT_MODELS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "logistic": {"type": "text"},
        "naive-bayes": {
            "pipeline": [
                {"class": "feature_extraction.BagOfWords", "params": {"on": "text"}},
                {"class": "naive_bayes.MultinomialNB"},
            ]
        },
    }
)


class Job(NamedTuple):
    """A run. `budget` is the nominal rate; where every label is bought it is the factor on the model's learning rate instead."""

    stream: str
    model: str
    rule: str
    budget: float
    seed: int
    delay: int = 0  # samples
    lost: float = 0.0  # share of the questions that get no answer
    rows: int | None = None
    folder: Path | None = None


class Found(NamedTuple):
    """Accuracy over all samples and labels bought; `control` is random asking with exactly as many labels, of the same seed."""

    accuracy: float
    labels: int
    n: int
    control: float | None
    microseconds: float  # a decision, the model's prediction included


def applies(model: str, stream: str, folder: Path | None, rows: int | None) -> bool:
    """Whether the model can learn from the stream: a tree of texts is none."""
    return not is_text(load(stream, folder, rows)) or model in _TEXT_MODELS


def run(job: Job) -> Found:
    """Do it."""
    stream = load(job.stream, job.folder, job.rows)
    spec = _TEXT_MODELS[job.model] if is_text(stream) else {"type": job.model}
    if job.rule == FULL:
        return _found(full(stream, {"model": _scaled(spec, job.budget)}, delay=job.delay))
    if job.rule in PEERS:
        return _found(_peer(job, stream, {"model": spec}))
    config = {"model": spec, "query": {"rule": job.rule}, "budget": {"rate": job.budget}}
    own = queried(stream, config, seed=job.seed, delay=job.delay, lost=job.lost)
    if job.rule not in CONTROLLED:
        return _found(own)
    other = sampled(stream, {"model": spec}, labels=own.labels, seed=job.seed, delay=job.delay, lost=job.lost)
    return _found(own)._replace(control=other.accuracy)


def _found(done: Run) -> Found:
    return Found(done.accuracy, done.labels, done.n, None, done.microseconds_per_decision)


def _peer(job: Job, stream: list[Pair], config: Mapping[str, Any]) -> Run:
    labels = sorted({label_text(label) for _, label in stream})
    peer: Peer = PEERS[job.rule].make(job.budget, job.seed, labels)

    def wants(decision: Decision) -> bool:
        return peer.wants(decision.prediction.probabilities)

    return chosen(stream, config, wants, delay=job.delay)


def _scaled(spec: Mapping[str, Any], factor: float) -> Mapping[str, Any]:
    """The model with its learning rate times the factor; as it is where it has none."""
    params = effective({"model": spec}).model.params
    if "learning_rate" not in params:
        return spec
    return {**spec, "params": {"learning_rate": params["learning_rate"] * factor}}


@cache
def code() -> str:
    """A digest of the code that figures depend on."""
    root = Path(__file__).resolve().parents[2]
    files = [
        path for folder in ("service/core", "service/simulate") for path in root.glob(f"{folder}/**/*.py") if "report" not in path.parts
    ]
    text = b"".join(path.read_bytes() for path in sorted([*files, *Path(__file__).parent.glob("[jps]*.py")]))
    return blake2b(text, digest_size=8).hexdigest()


OURS = tuple(rule for rule in RULES if rule not in (DEFAULT, RANDOM))  # random asking is the control
