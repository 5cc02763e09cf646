"""Metrics: an observer that counts, and a collector that looks at the streams when it is scraped. Nothing is decided here."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from service.core.budget import BudgetManager
from service.core.learner import Learner
from service.core.records import Decision, Outcome

_QUICK = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1, 1.0)  # seconds
_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)  # seconds
_DELAY = (1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0)  # seconds

Learners = Callable[[], Iterable[tuple[str, Learner]]]


class PrometheusObserver:
    """Counts what happens; children are looked up once a combination of labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._decisions = Counter("askwhen_decisions", "Samples decided.", ["stream", "reason"], registry=registry)
        self._replayed = Counter("askwhen_replays", "Samples whose stored answer was given again.", ["stream"], registry=registry)
        self._labels = Counter("askwhen_labels", "Answers taken in.", ["stream", "outcome"], registry=registry)
        self._erased = Counter("askwhen_erased", "Samples erased.", ["stream"], registry=registry)
        self._deciding = Histogram("askwhen_decision_seconds", "Time to predict and decide.", ["stream"], buckets=_QUICK, registry=registry)
        self._delay = Histogram(
            "askwhen_label_delay_seconds", "Time from question to answer.", ["stream"], buckets=_DELAY, registry=registry
        )
        self._commits = Histogram("askwhen_commit_seconds", "Time from an event to its commit on disk.", buckets=_COMMIT, registry=registry)
        self._events = Counter("askwhen_events", "Events that became durable.", registry=registry)
        self._lost = Counter("askwhen_commit_failures", "Events that could not be stored.", registry=registry)
        self._rebuilds = Histogram("askwhen_rebuild_seconds", "Time to rebuild a model.", ["stream"], buckets=_COMMIT, registry=registry)
        self._snapshots = Histogram("askwhen_snapshot_seconds", "Time to write a snapshot.", ["stream"], buckets=_COMMIT, registry=registry)
        self._outcomes: set[tuple[str, str]] = set()
        self._decided: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def decided(self, stream: str, decision: Decision, seconds: float) -> None:
        """A sample was decided."""
        key = (stream, decision.query.reason)
        children = self._decided.get(key)
        if children is None:
            children = self._decided[key] = (self._decisions.labels(*key), self._deciding.labels(stream))
        children[0].inc()
        children[1].observe(seconds)

    def replayed(self, stream: str) -> None:
        """A sample's stored answer was given again."""
        self._replayed.labels(stream).inc()

    def labelled(self, stream: str, outcome: Outcome, delay: float | None) -> None:
        """An answer was taken in."""
        self._outcomes.add((stream, outcome))
        self._labels.labels(stream, outcome).inc()
        if delay is not None:
            self._delay.labels(stream).observe(delay)

    def erased(self, stream: str, count: int) -> None:
        """So many samples were erased."""
        self._erased.labels(stream).inc(count)

    def committed(self, count: int, seconds: float) -> None:
        """So many events became durable together."""
        self._events.inc(count)
        self._commits.observe(seconds)

    def failed(self, count: int) -> None:
        """So many events could not be stored."""
        self._lost.inc(count)

    def rebuilt(self, stream: str, seconds: float) -> None:
        """A model without superseded answers took over."""
        self._rebuilds.labels(stream).observe(seconds)

    def snapshotted(self, stream: str, seconds: float) -> None:
        """A snapshot was written."""
        self._snapshots.labels(stream).observe(seconds)

    def forget(self, stream: str) -> None:
        """A stream was deleted: its series end."""
        for key in [key for key in self._decided if key[0] == stream]:
            del self._decided[key]
            self._decisions.remove(*key)
        for stream_name, outcome in [key for key in self._outcomes if key[0] == stream]:
            self._outcomes.discard((stream_name, outcome))
            self._labels.remove(stream_name, outcome)
        for metric in (self._replayed, self._erased, self._deciding, self._delay, self._rebuilds, self._snapshots):
            with contextlib.suppress(KeyError):
                metric.remove(stream)


class StreamCollector(Collector):
    """The streams' accounts as they are at the moment of a scrape."""

    _METRICS: tuple[tuple[str, str, Callable[[BudgetManager], float]], ...] = (
        ("askwhen_samples_total", "Samples seen.", lambda budget: budget.seen),
        ("askwhen_asked_total", "Questions asked.", lambda budget: budget.asked),
        ("askwhen_given_back_total", "Questions given back to the budget.", lambda budget: budget.given_back),
        ("askwhen_budget_due_labels", "Labels that the rate has earned, less what was forfeited.", lambda budget: budget.due),
        ("askwhen_budget_left_labels", "Questions that may still be asked.", lambda budget: budget.left),
        ("askwhen_open_questions", "Questions that wait for an answer.", lambda budget: budget.open),
    )

    def __init__(self, learners: Learners) -> None:
        """Take the function that gives all streams."""
        self._learners = learners

    def collect(self) -> Iterator[Metric]:
        """One family a figure, one sample a stream."""
        streams = list(self._learners())
        for name, about, of in self._METRICS:
            yield _family(name, about, [(stream, of(learner.budget)) for stream, learner in streams])
        yield _family("askwhen_model_version", "Version of the serving model.", [(stream, learner.version) for stream, learner in streams])
        yield _family("askwhen_taught_total", "Labels that taught the model.", [(stream, learner.labels) for stream, learner in streams])


def _family(name: str, about: str, values: list[tuple[str, float]]) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(name.removesuffix("_total"), about, labels=["stream"])
    for stream, value in values:
        family.add_metric([stream], value)
    return family


def metrics(learners: Learners) -> tuple[PrometheusObserver, Callable[[str], tuple[bytes, str]]]:
    """An observer over a registry of its own, and the function that renders it for an Accept header: body and media type."""
    registry = CollectorRegistry()
    observer = PrometheusObserver(registry)
    registry.register(StreamCollector(learners))

    def render(accept: str) -> tuple[bytes, str]:
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    return observer, render
