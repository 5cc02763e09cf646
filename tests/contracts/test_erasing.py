"""What a log does with what is erased, over every adapter and its fake; and what is left of it in the bytes of a file."""

import asyncio
import contextlib
import random
import sqlite3
import struct

import pytest

from service.adapters.sqlite import SqliteLog, database_of
from service.adapters.sqlite import writer as writing
from service.adapters.sqlite.log import row_of
from service.adapters.sqlite.writer import Writer
from service.core.erasure import blanked
from service.core.errors import StorageFull, Unavailable
from service.core.events import Asked, Checkpoint, Erased, Expired, Labelled, Mark
from service.core.records import BudgetView, Decision, Prediction, Query
from service.ports import Entry
from service.testing import InMemoryLog

NUMBER, TEXT = 7391.8264511, "zanzibar"
MARK = Mark(1, 0, 0.0, 0.1, 0.0, [], 1)


def asked(sample_id):
    """A question with all that it may hold of a person."""
    query = Query(True, 1.0, "uncertain", 0.5, None, "logit", BudgetView(1, 1, 1, 1))
    decision = Decision(sample_id, 0, Prediction(TEXT, 0.5, {TEXT: 0.5}), query)
    return Asked(1.0, {"x": NUMBER, "k": TEXT}, decision, MARK, 9.0)


def labelled(sample_id, label=TEXT):
    """An answer with all that it may hold of a person."""
    return Labelled(2.0, sample_id, label, "u", 1, {"x": NUMBER, "k": TEXT}, {"x": NUMBER})


def checkpoint(preprocessing):
    """A decision state."""
    return Checkpoint(3.0, 1, 1, b"t", 1, MARK, [], preprocessing)


class Writing:
    """A log and what became of what was submitted to it."""

    def __init__(self, log):
        """Begin."""
        self.log = log
        self.results = []
        self._arrived = asyncio.Event()
        log.start(self._deliver)

    def _deliver(self, results, seconds):
        self.results += results
        self._arrived.set()

    async def add(self, *events, stream="s", slot=None):
        """Submit events, and wait for their results; gives the last one."""
        return await self.enter(Entry(stream, event, slot, 0) for event in events)

    async def enter(self, entries):
        """Submit entries, and wait for their results; gives the last one."""
        entries = list(entries)
        count = len(self.results) + len(entries)
        for entry in entries:
            self.log.submit([entry])
        async with asyncio.timeout(10):
            while len(self.results) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.results[-1]

    async def scrubbed(self):
        """Wait until no byte of what was erased is left."""
        async with asyncio.timeout(30):
            await self.log.scrubbed()


@pytest.fixture(params=["sqlite", "memory"])
async def written(request, tmp_path):
    """Every log there is, with two streams, two samples in each, and checkpoints."""
    made = Writing(SqliteLog(tmp_path) if request.param == "sqlite" else InMemoryLog())
    for stream in "st":
        await made.add(*(kind(name) for name in "ab" for kind in (asked, labelled)), stream=stream)
        await made.add(checkpoint(TEXT.encode()), stream=stream, slot="old")
        await made.add(checkpoint(b"clean"), stream=stream, slot="whole")
        await made.add(checkpoint(None), stream=stream, slot="small")
    yield made
    await made.log.stop()


async def test_erasing_blanks_the_samples_events_where_they_stand(written):
    """Their positions stay, their content goes; other samples and streams are left alone."""
    log = written.log
    before = dict(log.read("s", 0, 99))
    erased = await written.add(Erased(5.0, ["a"]))
    after = dict(log.read("s", 0, 99))
    own = [seq for seq, event in before.items() if getattr(event, "sample_id", None) == "a"]

    assert [after[seq] for seq in own] == blanked(before[seq] for seq in own) == log.about("s", "a")
    assert (log.erased("s"), log.erased("t")) == (erased.seq, 0)
    assert log.about("s", "b") == [asked("b"), labelled("b")]
    assert log.about("t", "a") == [asked("a"), labelled("a")]


async def test_erasing_removes_every_checkpoint_but_the_last_whole_one(written):
    """What an earlier one holds of the sample goes with it."""
    await written.add(Erased(5.0, ["a"]))
    left = [[event for _, event in written.log.read(stream, 0, 99) if isinstance(event, Checkpoint)] for stream in "st"]

    assert left[0] == [checkpoint(b"clean")]
    assert len(left[1]) == 3


async def test_erasing_again_changes_nothing(written):
    """An erasure that is sent twice is one."""
    await written.add(Erased(5.0, ["a", "nobody"]))
    once = written.log.about("s", "a")
    await written.add(Erased(6.0, ["a"]))

    assert written.log.about("s", "a") == once
    assert written.log.about("s", "nobody") == []


async def test_scrubbed_comes_after_what_was_erased(written):
    """Whoever waits for it waits for everything that was submitted before."""
    written.log.submit([Entry("s", Erased(5.0, ["a"]), None, 0)])
    await written.scrubbed()

    assert written.log.erased("s")


def found(folder):
    """Where a value of the sample stands in the folder's bytes."""
    needles = [TEXT.encode(), str(NUMBER).encode(), struct.pack(">d", NUMBER), struct.pack("<d", NUMBER)]
    content = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name for name, data in content.items() if any(needle in data for needle in needles)}


def unscrubbed(folder):
    """How many erasures are marked whose bytes may be left."""
    with contextlib.closing(sqlite3.connect(database_of(folder))) as connection:
        return connection.execute("SELECT count(*) FROM unscrubbed").fetchone()[0]


async def filled(folder):
    """A file in whose pages much was moved about: overwriting what is erased where it stands does not reach all that was copied."""
    rng = random.Random(4)
    made = Writing(SqliteLog(folder))
    await made.add(asked("a"))
    entries = [
        Entry("s", labelled("a", TEXT * rng.randint(1, 20)), None, 0)
        if number % 10 == 5
        else Entry("s", Expired(0.0, "z" * rng.randint(50, 700)), f"slot-{number}", 0)
        for number in range(400)
    ]
    await made.enter(entries)
    replaceable = [entry for entry in entries if entry.slot]
    await made.enter(entry._replace(event=Expired(0.0, "z")) for entry in rng.sample(replaceable, 250))
    await made.add(checkpoint(TEXT.encode() * 1_000), slot="old")
    await made.add(checkpoint(b"clean"), slot="whole")
    return made


async def test_no_byte_of_it_is_left(tmp_path):
    """Neither in the file nor in what is written ahead, while the log is open."""
    made = await filled(tmp_path)
    before = found(tmp_path)
    await made.add(Erased(5.0, ["a"]))
    await made.scrubbed()
    after = found(tmp_path)
    await made.log.stop()

    assert before
    assert after == found(tmp_path) == set()


async def test_the_file_is_written_anew_when_somebody_asks_and_not_before(tmp_path):
    """Many erasures share one rewriting, which may take long; the marker of each waits for it."""
    made = await filled(tmp_path)
    for number in range(3):
        await made.add(Erased(5.0, [f"{number}"]))
    await made.add(Expired(0.0, "later"))
    waiting = unscrubbed(tmp_path)
    await made.scrubbed()
    left = unscrubbed(tmp_path)
    await made.log.stop()

    assert (waiting, left) == (3, 0)


async def test_the_file_is_rewritten_in_its_own_folder(tmp_path):
    """No other place need be writable, whatever the folder is called."""
    folder = tmp_path / "it's here"
    made = await filled(folder)
    await made.log.stop()
    writer = Writer(folder, made.results[-1].seq)
    where = writer._connection.execute("PRAGMA temp_store_directory").fetchone()[0]
    writer.close()

    assert where == str(folder)


async def test_a_dropped_stream_leaves_no_byte(tmp_path):
    """Nothing of its events is left in the file."""
    made = await filled(tmp_path)
    await made.add(None)
    await made.scrubbed()
    left = found(tmp_path)
    await made.log.stop()

    assert left == set()


async def test_a_start_finishes_what_a_crash_interrupted(tmp_path):
    """A process that ends between the commit of an erasure and the cleaning of the bytes leaves them to the next one."""
    made = await filled(tmp_path)
    await made.log.stop()
    writer = Writer(tmp_path, made.results[-1].seq)
    writer.commit([row_of(Entry("s", Erased(5.0, ["a"]), None, 0))])
    writer.close()
    marked = unscrubbed(tmp_path)
    again = Writing(SqliteLog(tmp_path))
    await again.scrubbed()
    cleaned = unscrubbed(tmp_path)
    left = found(tmp_path)
    await again.log.stop()

    assert (marked, cleaned, left) == (1, 0, set())


async def test_a_reader_that_holds_the_file_is_waited_for_and_then_told_of(tmp_path, monkeypatch):
    """While somebody reads an old state its bytes cannot go: that is said, and another try does it."""
    monkeypatch.setattr(writing, "_TRIES", 1)
    made = await filled(tmp_path)
    await made.log.stop()
    writer = Writer(tmp_path, made.results[-1].seq)
    writer._connection.execute("PRAGMA busy_timeout = 50")
    reader = sqlite3.connect(database_of(tmp_path), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    writer.commit([row_of(Entry("s", Erased(5.0, ["a"]), None, 0))])
    with pytest.raises(Unavailable, match="reader"):
        writer.scrub()
    reader.execute("COMMIT")
    writer.scrub()
    left = found(tmp_path)
    writer.close()
    reader.close()

    assert left == set()


async def test_an_erasure_that_cannot_be_stored_changes_nothing(tmp_path):
    """What a failed commit blanked is there again, and the next try goes through."""
    made = await filled(tmp_path)
    await made.log.stop()
    writer = Writer(tmp_path, made.results[-1].seq)
    log = SqliteLog(tmp_path)
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = [str(number) * 1_000 for number in range(1_000)]
    with pytest.raises(StorageFull):
        writer.commit([row_of(Entry("s", Erased(5.0, ["a", *many]), None, 0))])
    kept = log.about("s", "a")[0]
    writer.commit([row_of(Entry("s", Erased(5.0, ["a"]), None, 0))])
    gone = log.about("s", "a")[0]
    writer.close()
    log.close()

    assert kept == asked("a")
    assert gone == blanked([kept])[0]
