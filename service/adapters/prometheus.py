"""Metrics: an observer that counts, and a collector that looks at the streams when it is scraped. Nothing is decided here.

What happens with every sample and commit is counted in plain numbers, which costs a fraction of a microsecond; a scrape makes them series.
"""

import contextlib
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from service import __version__
from service.adapters.tallies import QUICK, Tally, Times
from service.core.budget import BudgetManager
from service.core.evaluation import Errors, Estimate
from service.core.learner import Learner
from service.core.pool import Size
from service.core.records import Decision, Outcome

_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)  # seconds
_DELAY = (1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0)  # seconds

Learners = Callable[[], Iterable[tuple[str, Learner]]]
Counts = Callable[[], Iterable[tuple[str, int]]]
Estimates = Callable[[], Iterable[tuple[str, Estimate | Errors]]]
Pools = Callable[[], Iterable[tuple[str, Size]]]


class PrometheusObserver:
    """Counts what happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""

        def histogram(name: str, about: str, buckets: tuple[float, ...], labels: Iterable[str] = ()) -> Histogram:
            return Histogram(name, about, labels, buckets=buckets, registry=registry)

        def counter(name: str, about: str, labels: Iterable[str] = ()) -> Counter:
            return Counter(name, about, labels, registry=registry)

        of_stream = ("stream",)
        self.tallies: dict[str, Tally] = {}
        self.commits, self.syncs, self.events = Times(_COMMIT), Times(_COMMIT), 0
        self.snapshots_at: dict[str, float] = {}
        self._replayed = counter("askwhen_replays", "Samples whose stored answer was given again.", of_stream)
        self._labels = counter("askwhen_labels", "Answers taken in.", ("stream", "outcome"))
        self._erased = counter("askwhen_erased", "Samples erased.", of_stream)
        self._delay = histogram("askwhen_label_delay_seconds", "Time from question to answer.", _DELAY, of_stream)
        self._learning = histogram("askwhen_learn_seconds", "Time to learn an answer that is on disk.", QUICK, of_stream)
        self._lost = counter("askwhen_commit_failures", "Events that could not be stored.")
        self._refused = counter("askwhen_refusals", "Requests that were refused, by status.", ("status",))
        self._rebuilds = histogram("askwhen_rebuild_seconds", "Time to rebuild a model.", _COMMIT, of_stream)
        self._snapshots = histogram("askwhen_snapshot_seconds", "Time to write a snapshot.", _COMMIT, of_stream)
        self._chosen = counter("askwhen_chosen", "Questions asked because somebody called for them.", ("stream", "reason"))
        self._outcomes: set[tuple[str, str]] = set()
        self._reasons: set[tuple[str, str]] = set()

    def decided(self, stream: str, decision: Decision, seconds: float) -> None:
        """A sample was decided."""
        tally = self.tallies.get(stream)
        if tally is None:
            tally = self.tallies[stream] = Tally()
        reason = decision.query.reason
        tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
        tally.times.observe(seconds)

    def chosen(self, stream: str, decision: Decision) -> None:
        """A question that somebody called for is on disk."""
        self._reasons.add((stream, decision.query.reason))
        self._chosen.labels(stream, decision.query.reason).inc()

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

    def learned(self, stream: str, seconds: float) -> None:
        """An answer that is on disk was folded."""
        self._learning.labels(stream).observe(seconds)

    def committed(self, count: int, seconds: float, writing: float) -> None:
        """So many events became durable together, `seconds` after the first of them was submitted; writing took `writing` of these."""
        self.events += count
        self.commits.observe(seconds)
        self.syncs.observe(writing)

    def failed(self, count: int) -> None:
        """So many events could not be stored."""
        self._lost.inc(count)

    def refused(self, status: int) -> None:
        """A request was refused."""
        self._refused.labels(str(status)).inc()

    def rebuilt(self, stream: str, seconds: float) -> None:
        """A model without superseded answers took over."""
        self._rebuilds.labels(stream).observe(seconds)

    def snapshotted(self, stream: str, seconds: float) -> None:
        """A snapshot was written."""
        self.snapshots_at[stream] = time.monotonic()
        self._snapshots.labels(stream).observe(seconds)

    def forget(self, stream: str) -> None:
        """A stream was deleted: its series end."""
        self.tallies.pop(stream, None)
        self.snapshots_at.pop(stream, None)
        for stream_name, outcome in [key for key in self._outcomes if key[0] == stream]:
            self._outcomes.discard((stream_name, outcome))
            self._labels.remove(stream_name, outcome)
        for stream_name, reason in [key for key in self._reasons if key[0] == stream]:
            self._reasons.discard((stream_name, reason))
            self._chosen.remove(stream_name, reason)
        for metric in (self._replayed, self._erased, self._delay, self._learning, self._rebuilds, self._snapshots):
            with contextlib.suppress(KeyError):
                metric.remove(stream)


class StreamCollector(Collector):
    """The streams' accounts as they are at the moment of a scrape, and what was tallied of their samples."""

    _METRICS: tuple[tuple[str, str, Callable[[BudgetManager], float]], ...] = (
        ("askwhen_samples_total", "Samples seen.", lambda budget: budget.seen),
        ("askwhen_asked_total", "Questions asked.", lambda budget: budget.asked),
        ("askwhen_given_back_total", "Questions given back to the budget.", lambda budget: budget.given_back),
        ("askwhen_budget_due_labels", "Labels that the rate has earned, less what was forfeited.", lambda budget: budget.due),
        ("askwhen_budget_spent_labels", "Questions asked and on their way, less those given back.", lambda budget: budget.spent),
        ("askwhen_budget_left_labels", "Questions that may still be asked.", lambda budget: budget.left),
        ("askwhen_open_questions", "Questions that wait for an answer.", lambda budget: budget.open),
    )

    def __init__(
        self,
        learners: Learners,
        claimed: Counts,
        queued: Callable[[], int],
        estimates: Estimates,
        pools: Pools,
        observer: PrometheusObserver,
    ) -> None:
        """Take what gives all streams, the questions held in each, events on their way to the log, each one's accuracy and pool."""
        self._learners = learners
        self._claimed = claimed
        self._queued = queued
        self._estimates = estimates
        self._pools = pools
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        """One family a figure, one sample a stream."""
        streams = list(self._learners())
        for name, about, of in self._METRICS:
            yield _family(name, about, [(stream, of(learner.budget)) for stream, learner in streams])
        yield _family("askwhen_model_version", "Version of the serving model.", [(stream, learner.version) for stream, learner in streams])
        yield _mixed(streams)
        yield _family("askwhen_taught_total", "Labels that taught the model.", [(stream, learner.labels) for stream, learner in streams])
        yield _answering(streams)
        yield _family("askwhen_claimed_questions", "Open questions that somebody holds.", self._claimed())
        pools = list(self._pools())
        yield _family("askwhen_pool_samples", "Unasked samples in the pool.", [(stream, pool.samples) for stream, pool in pools])
        yield _family("askwhen_pool_bytes", "Their size in memory.", [(stream, pool.bytes) for stream, pool in pools])
        now = time.monotonic()
        ages = [(stream, now - at) for stream, at in self._observer.snapshots_at.items()]
        yield _family("askwhen_snapshot_age_seconds", "Time since this server last wrote a snapshot.", ages)
        yield from _decided(self._observer.tallies)
        yield from _committed(self._observer)
        yield from _estimated(list(self._estimates()))
        yield GaugeMetricFamily("askwhen_log_queue_events", "Events on their way to the log.", value=self._queued())
        build = GaugeMetricFamily("askwhen_build_info", "What is running.", labels=["version", "river", "python"])
        build.add_metric([__version__, version("river"), platform.python_version()], 1)
        yield build


def _decided(tallies: dict[str, Tally]) -> Iterator[Metric]:
    decisions = CounterMetricFamily("askwhen_decisions", "Samples decided.", labels=["stream", "reason"])
    times = HistogramMetricFamily("askwhen_decision_seconds", "Time to predict and decide.", labels=["stream"])
    for stream, tally in tallies.items():
        for reason, count in tally.reasons.items():
            decisions.add_metric([stream, reason], count)
        times.add_metric([stream], tally.times.cumulated(), tally.times.seconds)
    yield decisions
    yield times


def _committed(observer: PrometheusObserver) -> Iterator[Metric]:
    yield CounterMetricFamily("askwhen_events", "Events that became durable.", value=observer.events)
    for name, about, times in (
        ("askwhen_commit_seconds", "Time from an event to its commit on disk.", observer.commits),
        ("askwhen_fsync_seconds", "Time to write and sync events that are committed together.", observer.syncs),
    ):
        yield HistogramMetricFamily(name, about, buckets=times.cumulated(), sum_value=times.seconds)


def _answering(streams: Iterable[tuple[str, Learner]]) -> Metric:
    about = "1 for the model that answers where a stream has several, 0 for the others."
    family = GaugeMetricFamily("askwhen_answering_model", about, labels=["stream", "model"])
    for stream, learner in streams:
        choice = learner.taught.choice
        if choice is not None:
            for candidate in choice.candidates:
                family.add_metric([stream, candidate.model], candidate.model == choice.model)
    return family


def _mixed(streams: Iterable[tuple[str, Learner]]) -> Metric:
    shares = GaugeMetricFamily(
        "askwhen_rule_share", "Part of the questions that a candidate of the rule auto steers.", labels=["stream", "rule"]
    )
    for stream, learner in streams:
        mixture = learner.mixture()
        for one in [] if mixture is None else mixture.standings:
            shares.add_metric([stream, one.name], one.weight)
    return shares


def _estimated(found: Sequence[tuple[str, Estimate | Errors]]) -> Iterator[Metric]:
    shares = {stream: (one.accuracy, one.low, one.high) for stream, one in found if isinstance(one, Estimate)}
    yield from _with_interval("askwhen_accuracy", "accuracy", shares)
    errors = {stream: (one.mae, one.low, one.high) for stream, one in found if isinstance(one, Errors)}
    yield from _with_interval("askwhen_absolute_error", "mean absolute error", errors)


def _with_interval(name: str, figure: str, values: Mapping[str, Sequence[float | None]]) -> Iterator[Metric]:
    about = f"{figure} over the last 2,000 samples, estimated from bought labels"
    ends = ("estimate", f"The {about}."), ("low", f"Lower end of the 95 % interval of {about}."), ("high", f"The upper end of it: {about}.")
    for place, (end, told) in enumerate(ends):
        yield _family(f"{name}_{end}", told, [(stream, of[place] or 0.0) for stream, of in values.items()])


def _family(name: str, about: str, values: Iterable[tuple[str, float]]) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(name.removesuffix("_total"), about, labels=["stream"])
    for stream, value in values:
        family.add_metric([stream], value)
    return family


def metrics(
    learners: Learners,
    claimed: Counts,
    queued: Callable[[], int] = lambda: 0,
    estimates: Estimates = lambda: (),
    pools: Pools = lambda: (),
) -> tuple[PrometheusObserver, Callable[[str], tuple[bytes, str]]]:
    """An observer over a registry of its own, and the function that renders it for an Accept header: body and media type."""
    registry = CollectorRegistry()
    observer = PrometheusObserver(registry)
    registry.register(StreamCollector(learners, claimed, queued, estimates, pools, observer))
    ProcessCollector(namespace="askwhen", registry=registry)

    def render(accept: str) -> tuple[bytes, str]:
        try:
            encode, media_type = choose_encoder(accept)
        except ValueError:  # a version that is none
            encode, media_type = choose_encoder("")
        return encode(registry), media_type

    return observer, render
