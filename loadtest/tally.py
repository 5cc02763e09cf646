"""What came of a load: times and failures by kind of request, outcomes, accuracy, budgets; and the summary of it all. It calls nobody."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import quantiles

from loadtest.target import Budget


class Tally:
    """Counts while the load runs."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.times: defaultdict[str, list[float]] = defaultdict(list)  # milliseconds by kind of request
        self.failures: Counter[tuple[str, str]] = Counter()  # by kind of request and what was wrong
        self.samples: Counter[str] = Counter()  # by reason
        self.asked = 0
        self.labels: Counter[str] = Counter()  # by outcome
        self.people: Counter[str] = Counter()  # by what they did
        self.absent: dict[str, str] = {}  # parts that this server does not have, and how it says so
        self.seen: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by phase of the day: right, wrong, none
        self.account: Budget | None = None  # as it was read last
        self.budgets = 0  # readings
        self.broken: list[str] = []

    def request(self, kind: str, milliseconds: float, fault: str | None) -> None:
        """A request came to its end."""
        self.times[kind].append(milliseconds)
        if fault is not None:
            self.failures[kind, fault] += 1

    def prediction(self, phase: str, label: str | None, truth: str) -> None:
        """A user saw a prediction, or that there is none yet."""
        self.seen[phase]["none" if label is None else "right" if label == truth else "wrong"] += 1

    def budget(self, budget: Budget) -> None:
        """Somebody looked at the account."""
        self.account = budget
        self.budgets += 1
        if not budget.held:
            self.broken.append(str(budget))

    @property
    def held(self) -> bool:
        """Whether there was load, nothing failed and no budget was broken."""
        return bool(self.times and self.budgets) and not self.failures and not self.broken


def summary(tally: Tally, seconds: float) -> Iterator[str]:
    """The lines that tell a reader how it went."""
    yield f"{'request':34} {'count':>7} {'per s':>8} {'p50':>8} {'p95':>8} {'p99':>8}  failures"
    failed = Counter(kind for kind, _ in tally.failures.elements())
    for kind, times in sorted(tally.times.items()):
        figures = " ".join(f"{value:5.1f} ms" for value in percentiles(times))
        yield f"{kind:34} {len(times):7,} {len(times) / seconds:8.1f} {figures}  {failed[kind]}"
    total = sum(map(len, tally.times.values()))
    yield f"{'all':34} {total:7,} {total / seconds:8.1f} in {seconds:.0f} s"
    for (kind, fault), count in tally.failures.most_common():
        yield f"FAILED {count} x {kind}: {fault}"
    for part, status in sorted(tally.absent.items()):
        yield f"not available ({status}): {part}"
    yield f"samples   {tally.samples.total():,}, asked {tally.asked:,}; {_counts(tally.samples)}"
    yield f"labels    {tally.labels.total():,}; {_counts(tally.labels)}"
    yield f"people    {_counts(tally.people)}"
    yield from _accuracy(tally.seen)
    yield f"budget    {tally.account or 'never read'}"
    yield f"          {tally.budgets} readings, {len(tally.broken)} broken"
    yield from (f"BROKEN    {line}" for line in tally.broken[:5])
    yield "all held" if tally.held else "NOT ALL HELD"


def percentiles(times: Sequence[float]) -> tuple[float, float, float]:
    """The median, the 95th and the 99th percentile.

    >>> percentiles([5.0])
    (5.0, 5.0, 5.0)
    """
    if len(times) == 1:
        return times[0], times[0], times[0]
    cuts = quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counted.most_common()) or "none"


def _accuracy(seen: Mapping[str, Counter[str]]) -> Iterator[str]:
    total: Counter[str] = Counter()
    for counts in seen.values():
        total.update(counts)
    if not total["right"] + total["wrong"]:
        yield "accuracy  no predictions yet"
        return
    by_phase = ", ".join(f"{phase} {_share(counts)}" for phase, counts in seen.items())
    yield f"accuracy  {_share(total)} of {total['right'] + total['wrong']:,} predictions ({by_phase}); {total['none']} had none yet"


def _share(counts: Counter[str]) -> str:
    made = counts["right"] + counts["wrong"]
    return f"{counts['right'] / made:.1%}" if made else "none"
