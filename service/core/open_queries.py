"""What was asked and answered, by sample id: which questions are open, who said what, and what that amounts to.

Pure bookkeeping over the log. It knows no model: it says what is to be taught, not how.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from service.core.records import Outcome


class Vote(NamedTuple):
    """One labeler's standing answer and its place in the log."""

    labeler: str
    label: str
    seq: int


class Sample(msgspec.Struct, gc=False):
    """A sample that was asked or labelled. `taught_seq` 0: teaches nothing (yet). Of an `erased` one only its question stays.

    `asked_seq` 0: never asked, and `asked_at` is the time of its first answer.
    """

    asked_seq: int = 0
    asked_at: float = 0.0
    expires_at: float = 0.0
    utility: float = 0.0
    expired: bool = False
    withdrawn: bool = False
    votes: list[Vote] = []
    taught: str | None = None
    taught_seq: int = 0
    skipped: tuple[str, ...] = ()  # labelers who are not to be handed the question again
    erased: bool = False
    probability: float = 1.0  # with which it was asked
    ordinal: int = 0  # its number among the stream's questions
    row: int = -1  # of its question in the evidence of evaluation
    chosen: bool = False  # asked without a coin
    parents: tuple[str, ...] = ()  # samples that it was made of

    @property
    def state(self) -> str:
        """`open`, `answered`, `expired`, `withdrawn`, `erased`, or `unasked` for a sample never asked whose label is gone."""
        if self.erased:
            return "erased"
        if self.taught is not None:
            return "answered"
        if self.withdrawn:
            return "withdrawn"
        if self.expired:
            return "expired"
        return "open" if self.asked_seq else "unasked"

    def vote_of(self, labeler: str) -> Vote | None:
        """The labeler's standing answer, if there is one."""
        return next((vote for vote in self.votes if vote.labeler == labeler), None)


class Effect(NamedTuple):
    """What a label amounts to: its outcome; the label to teach now, if any; whether the model must be rebuilt without an earlier one."""

    outcome: Outcome
    teach: str | None = None
    superseded: int = 0
    rebuild: bool = False


class OpenQueries:
    """Every sample ever asked or labelled, and which questions are open, oldest first."""

    def __init__(self, per_sample: int) -> None:
        """Start empty; `per_sample` votes make a sample teach."""
        self.per_sample = per_sample
        self.samples: dict[str, Sample] = {}
        self.open: dict[str, None] = {}
        self.taken_back: dict[str, None] = {}  # samples of which an answer was superseded that had taught
        self.answered = self.chosen = 0  # samples with a settled label, and those of them that were asked without a coin
        self._children: dict[str, list[str]] = {}

    def restore(self, samples: dict[str, Sample], opened: dict[str, None], taken_back: dict[str, None]) -> None:
        """Continue with these samples, open questions, and samples that once taught something else."""
        self.samples, self.open, self.taken_back = samples, opened, taken_back
        self.answered = sum(sample.taught is not None for sample in samples.values())
        self.chosen = sum(sample.taught is not None and sample.chosen for sample in samples.values())
        for sample_id, sample in samples.items():
            self._descend(sample_id, sample.parents)

    def children(self, sample_ids: Iterable[str]) -> list[str]:
        """The samples that were made of these, each once."""
        return list(dict.fromkeys(child for sample_id in sample_ids for child in self._children.get(sample_id, ())))

    def _descend(self, sample_id: str, parents: Iterable[str]) -> None:
        for parent in parents:
            self._children.setdefault(parent, []).append(sample_id)

    @property
    def voted(self) -> bool:
        """Whether any answer stands."""
        return any(sample.votes for sample in self.samples.values())

    def ask(self, sample_id: str, sample: Sample) -> bool:
        """Open a question; False if the id is known already and nothing changes."""
        if sample_id in self.samples:
            return False
        self.samples[sample_id] = sample
        self.open[sample_id] = None
        self._descend(sample_id, sample.parents)
        return True

    def expire(self, sample_id: str) -> bool:
        """Close a question that nobody answered; False if it is not open."""
        if sample_id not in self.open:
            return False
        self.samples[sample_id].expired = True
        del self.open[sample_id]
        return True

    def withdraw(self, sample_id: str) -> bool:
        """Close a question that nobody was shown; False if it is not open."""
        if sample_id not in self.open:
            return False
        self.samples[sample_id].withdrawn = True
        del self.open[sample_id]
        return True

    def foresee(self, sample_id: str, label: str, labeler: str) -> Outcome | None:
        """`duplicate` for an answer that stands already, None for one that belongs in the log; nothing changes."""
        sample = self.samples.get(sample_id)
        standing = sample.vote_of(labeler) if sample else None
        return "duplicate" if standing is not None and standing.label == label else None

    def erase(self, sample_id: str) -> bool:
        """Leave of a sample that it was there, and what it cost; whether any of its answers ever taught."""
        sample = self.samples.get(sample_id, Sample())
        taught = sample.taught is not None or sample_id in self.taken_back
        self._count(sample, -1)
        self.samples[sample_id] = Sample(sample.asked_seq, sample.asked_at, sample.expires_at, sample.utility, erased=True, row=sample.row)
        self.open.pop(sample_id, None)
        self.taken_back.pop(sample_id, None)
        return taught

    def label(self, sample_id: str, vote: Vote, at: float) -> Effect:
        """Take an answer in that was given at this time."""
        sample = self.samples.get(sample_id)
        if sample is None:
            sample = self.samples[sample_id] = Sample(asked_at=at)
        if sample.erased:
            return Effect("unknown")
        earlier = sample.vote_of(vote.labeler)
        if earlier is not None and earlier.label == vote.label:
            return Effect("duplicate")
        if earlier is not None:
            return self._correct(sample_id, sample, earlier, vote)
        sample.votes.append(vote)
        if sample.taught is not None:
            return Effect("recorded" if vote.label == sample.taught else "conflict")
        late = sample.expired
        self._settle(sample_id, sample)
        if sample.taught is None:
            return Effect("recorded")
        return Effect("late" if late else "learned", teach=sample.taught)

    def retract(self, sample_id: str, labeler: str) -> Effect:
        """Take an answer back; the question opens again where nothing else answers it."""
        sample = self.samples.get(sample_id)
        earlier = sample.vote_of(labeler) if sample else None
        if sample is None or earlier is None:
            return Effect("unknown")
        rebuild = bool(sample.taught_seq) and earlier.seq <= sample.taught_seq
        if rebuild:
            self.taken_back[sample_id] = None
        sample.votes.remove(earlier)
        self._settle(sample_id, sample)
        return Effect("retracted", superseded=earlier.seq, rebuild=rebuild)

    def skip(self, sample_id: str, labeler: str) -> Effect:
        """Note that a labeler will not answer, whatever became of the question since; it stays as it is."""
        sample = self.samples.get(sample_id)
        if sample is None or not sample.asked_seq:
            return Effect("unknown")
        if labeler not in sample.skipped:
            sample.skipped += (labeler,)
        return Effect("skipped")

    def _correct(self, sample_id: str, sample: Sample, earlier: Vote, vote: Vote) -> Effect:
        rebuild = bool(sample.taught_seq) and earlier.seq <= sample.taught_seq
        if rebuild:
            self.taken_back[sample_id] = None
        sample.votes.remove(earlier)
        sample.votes.append(vote)
        before = sample.taught_seq
        self._settle(sample_id, sample)
        # A vote that now stands first may be an older one: then the rebuild alone teaches it, at its own position.
        teach = sample.taught if sample.taught_seq == vote.seq != before else None
        return Effect("corrected", teach=teach, superseded=earlier.seq, rebuild=rebuild)

    def _settle(self, sample_id: str, sample: Sample) -> None:
        self._count(sample, -1)
        if len(sample.votes) >= self.per_sample:
            first = sample.votes[: self.per_sample]
            labels = [vote.label for vote in first]
            sample.taught = max(labels, key=labels.count)  # the first of equals
            sample.taught_seq = first[-1].seq
            self._count(sample, 1)
            self.open.pop(sample_id, None)
            return
        sample.taught, sample.taught_seq = None, 0
        if sample.state == "open":
            self.open[sample_id] = None

    def _count(self, sample: Sample, change: int) -> None:
        if sample.taught is not None:
            self.answered += change
            self.chosen += change * sample.chosen
