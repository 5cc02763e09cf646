"""What `make pool` says of its findings."""

from benchmarks.pool import Found, Job, complaints, grouped, run, verdicts


def found(gains, *, astray=0, estimated=0):
    """What came of the seeds of a stream whose first batches gained so much."""
    return [Found(0.8, 0.8 + gain, 0.8, 0.9, 0.9, 20, astray, estimated) for gain in gains]


CLEAR = [0.03, 0.04, 0.05, 0.04, 0.03, 0.05]
NONE = [0.03, -0.04, 0.05, -0.04, 0.03, -0.05]


def told(groups, *, short=False):
    """The complaints about some findings."""
    return complaints(verdicts(groups), groups, short=short)


def test_two_thirds_of_the_streams_are_enough():
    """Fewer are told; a short run does not judge."""
    assert told({"a": found(CLEAR), "b": found(CLEAR), "c": found(NONE)}) == []
    assert told({"a": found(CLEAR), "b": found(NONE), "c": found(NONE)}) == ["a first batch wins on 1 of 3 streams only"]
    assert told({"a": found(NONE)}, short=True) == []


def test_what_is_astray_or_estimated_is_told():
    """In a short run as well."""
    assert told({"a": found(CLEAR, astray=1, estimated=1)}, short=True) == [
        "made samples are astray",
        "estimates know of questions that no coin decided",
    ]


def test_a_seed_runs_and_nothing_is_astray():
    """On a small set of River's."""
    job = Job("phishing", None, 1)
    one = run(job)

    assert 0.6 < min(one.first, one.tens, one.second) <= max(one.first, one.tens, one.second) < 1.0
    assert (one.made, one.astray, one.estimated) == (20, 0, 0)
    assert grouped({job: one}) == {"phishing": [one]}
