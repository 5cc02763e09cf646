"""The contract of a log, over every adapter and its fake."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sqlite3

import pytest

from service.adapters import folder as holding
from service.adapters.sqlite import SqliteLog, SqliteReader, backup, database_of
from service.adapters.sqlite.log import row_of
from service.adapters.sqlite.writer import Writer
from service.core.errors import FolderInUse, IncompatibleData, StorageFull, Unavailable
from service.core.events import Expired, Labelled, Withdrawn
from service.ports import Entry
from service.testing import InMemoryLog


class Inbox:
    """Collects results."""

    def __init__(self):
        """Expect nothing yet."""
        self.results = []
        self._arrived = asyncio.Event()

    def __call__(self, results, writing):
        """Take results in."""
        assert writing >= 0
        self.results += results
        self._arrived.set()

    async def wait(self, count):
        """Wait for so many results in all; fails after ten seconds."""
        async with asyncio.timeout(10):
            while len(self.results) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.results


@pytest.fixture(params=["sqlite", "memory"])
async def log(request, tmp_path):
    """Every log there is."""
    made = SqliteLog(tmp_path) if request.param == "sqlite" else InMemoryLog()
    yield made
    await made.stop()


def entry(stream, ticket, *, slot=None, kind=Expired):
    """An entry like any other."""
    return Entry(stream, kind(float(ticket), f"sample-{ticket}"), slot, ticket)


async def test_results_come_in_log_order(log):
    """Positions rise over all streams, and every entry gets its own."""
    inbox = Inbox()
    log.start(inbox)
    for ticket in range(200):
        log.submit([entry("ab"[ticket % 2], ticket)])
    results = await inbox.wait(200)

    assert [result.entry.ticket for result in results] == list(range(200))
    assert [result.seq for result in results] == sorted({result.seq for result in results})
    assert not any(result.error for result in results)


async def test_a_stream_is_read_in_order_between_positions(log):
    """Reading gives one stream's events behind one position up to another."""
    inbox = Inbox()
    log.start(inbox)
    for ticket in range(10):
        log.submit([entry("ab"[ticket % 2], ticket)])
    positions = [result.seq for result in await inbox.wait(10) if result.entry.stream == "a"]
    found = list(log.read("a", positions[0], positions[3]))

    assert [seq for seq, _ in found] == positions[1:4]
    assert [event.sample_id for _, event in found] == ["sample-2", "sample-4", "sample-6"]
    assert log.streams() == ["a", "b"]


async def test_events_are_found_by_position_in_their_own_stream_only(log):
    """A position of another stream holds nothing."""
    inbox = Inbox()
    log.start(inbox)
    log.submit([entry("a", 1)])
    seq = (await inbox.wait(1))[0].seq

    assert [event and event.sample_id for event in log.get("a", [seq, seq + 1])] == ["sample-1", None]
    assert log.get("b", [seq]) == [None]


async def test_an_entry_replaces_the_earlier_one_in_its_slot(log):
    """Checkpoints do not pile up; other events and other streams' slots stay."""
    inbox = Inbox()
    log.start(inbox)
    for ticket, (stream, slot) in enumerate([("a", "s"), ("a", None), ("b", "s"), ("a", "s")]):
        log.submit([entry(stream, ticket, slot=slot)])
    await inbox.wait(4)

    assert [event.sample_id for _, event in log.read("a", 0, 99)] == ["sample-1", "sample-3"]
    assert [event.sample_id for _, event in log.read("b", 0, 99)] == ["sample-2"]


def test_entries_that_are_written_together_replace_one_another_in_a_slot(tmp_path):
    """Of those of one statement the last one stands, at its own position, and so it does where one stood in the slot before."""
    SqliteLog(tmp_path).close()
    writer = Writer(tmp_path, 0)
    entries = [entry("a", ticket, slot="s" if ticket % 2 else None) for ticket in range(30)]
    firsts = [writer.commit([row_of(each) for each in entries[first : first + 10]]) for first in (0, 10, 20)]
    writer.close()
    log = SqliteLog(tmp_path)
    found = [(seq, event.sample_id) for seq, event in log.read("a", 0, 99)]
    log.close()

    assert firsts == [1, 11, 21]
    assert found == [(each.ticket + 1, each.event.sample_id) for each in entries if each.slot is None or each is entries[-1]]


async def test_dropping_a_stream_erases_it_and_reuses_no_position(log):
    """What comes after a drop stands behind what was there before."""
    inbox = Inbox()
    log.start(inbox)
    log.submit([entry("a", 1)])
    log.submit([Entry("a", None, None, 2)])
    log.submit([entry("a", 3, kind=Withdrawn)])
    results = await inbox.wait(3)

    assert [event.sample_id for _, event in log.read("a", 0, 99)] == ["sample-3"]
    assert results[2].seq > results[0].seq


async def test_an_event_that_cannot_be_written_fails_alone(log):
    """Its result comes back from where it is submitted, and those that were submitted with it are stored."""
    inbox = Inbox()
    log.start(inbox)
    refused = log.submit([entry("a", 1), Entry("a", Labelled(0.0, "x", "y", "", 1, {"n": 10**30}, {}), None, 2), entry("a", 3)])
    await inbox.wait(2)

    assert [(result.entry.ticket, result.seq, type(result.error)) for result in refused] == [(2, 0, ValueError)]
    assert [(result.entry.ticket, result.error) for result in inbox.results] == [(1, None), (3, None)]
    assert [event.sample_id for _, event in log.read("a", 0, 99)] == ["sample-1", "sample-3"]


async def test_what_is_submitted_together_is_committed_together(tmp_path):
    """Entries of one call share a sync, in parts of a thousand."""
    counts = []
    log = SqliteLog(tmp_path)
    log.start(lambda results, _: counts.append(len(results)))
    log.submit([entry("a", ticket) for ticket in range(2_000)])
    await log.stop()

    assert counts == [1_024, 976]


def test_a_batch_that_was_reported_as_failed_is_not_there(tmp_path):
    """A commit that landed although it failed does not stand in the way of the next one, nor in its place, nor stay without one."""
    SqliteLog(tmp_path).close()
    found = []
    for rows in ([row_of(entry("a", 7))], []):
        before = Writer(tmp_path, len(found))
        before.commit([row_of(entry("a", 99))])
        before.close()
        after = Writer(tmp_path, len(found))
        if rows:
            after.commit(rows)
        after.close()
        log = SqliteLog(tmp_path)
        found = [event.sample_id for _, event in log.read("a", 0, 99)]
        log.close()

        assert found == ["sample-7"]


def test_no_event_is_written_over(tmp_path):
    """A position that is taken is an error of the new batch, and stays one: what was acknowledged is there."""
    SqliteLog(tmp_path).close()
    writer, other = Writer(tmp_path, 0), Writer(tmp_path, 1)
    writer.commit([row_of(entry("a", 0))])
    other.commit([row_of(entry("a", 1))])
    for ticket in (5, 6):
        with pytest.raises(Unavailable):
            writer.commit([row_of(entry("a", ticket, slot="s"))])
    other.commit([row_of(entry("a", 2))])
    other.close()
    log = SqliteLog(tmp_path)
    found = [event.sample_id for _, event in log.read("a", 0, 99)]
    log.close()

    assert found == [f"sample-{ticket}" for ticket in range(3)]


async def test_closing_writes_what_is_queued(tmp_path):
    """Nothing that was submitted is lost on a clean end."""
    inbox = Inbox()
    log = SqliteLog(tmp_path)
    log.start(inbox)
    for ticket in range(500):
        log.submit([entry("a", ticket)])
    await log.stop()

    assert len(inbox.results) == 500
    reader = SqliteReader(database_of(tmp_path))
    assert len(list(reader.read("a", 0, 9_999))) == 500
    reader.close()


def test_a_full_disk_fails_the_batch_and_then_goes_on(tmp_path):
    """SQLite's own word for a full disk comes out as such; nothing of the batch is stored; with room again it goes on."""
    SqliteLog(tmp_path).close()
    writer = Writer(tmp_path, 0)
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = row_of(Entry("a", Expired(0.0, "x" * 100_000), None, 1))
    with pytest.raises(StorageFull, match="disk is full"):
        writer.commit([big])
    first = writer.commit([big])
    writer.close()

    assert first == 1


async def test_a_writer_that_is_killed_fails_what_it_had_and_another_goes_on(tmp_path):
    """Nothing that was acknowledged is lost, what was reported as failed is not there, and the folder is free in the end."""
    inbox = Inbox()
    log = SqliteLog(tmp_path)
    log.start(inbox)
    log.submit([entry("a", 0)])
    await inbox.wait(1)
    process = log._scribe._process
    process.send_signal(signal.SIGSTOP)
    log.submit([entry("a", 1)])
    scrubbed = log.scrubbed()
    process.kill()
    await inbox.wait(2)
    log.submit([entry("a", 2)])
    results = await inbox.wait(3)
    found = [event.sample_id for _, event in log.read("a", 0, 99)]
    await log.stop()
    SqliteLog(tmp_path).close()

    assert [type(result.error) for result in results] == [type(None), Unavailable, type(None)]
    assert found == ["sample-0", "sample-2"]
    with pytest.raises(Unavailable, match="ended"):
        await scrubbed


async def test_a_writer_that_was_killed_leaves_a_log_that_stops(tmp_path):
    """Nobody has to send anything more for that."""
    inbox = Inbox()
    log = SqliteLog(tmp_path)
    log.start(inbox)
    log._scribe._process.send_signal(signal.SIGSTOP)
    log.submit([entry("a", 0)])
    log._scribe._process.kill()
    await inbox.wait(1)
    await log.stop()

    assert isinstance(inbox.results[0].error, Unavailable)
    SqliteLog(tmp_path).close()


async def test_positions_go_on_after_a_restart(tmp_path):
    """A new run continues behind the last one, even where its last events were replaced."""
    for run in (1, 2):
        inbox = Inbox()
        log = SqliteLog(tmp_path)
        log.start(inbox)
        log.submit([entry("a", 1, slot="s")])
        assert (await inbox.wait(1))[0].seq == run
        await log.stop()


@pytest.mark.parametrize(
    "look",
    [
        lambda reader: list(reader.read("a", 0, 9)),
        lambda reader: reader.get("a", [1]),
        lambda reader: reader.about("a", "sample-1"),
        lambda reader: reader.erased("a"),
        lambda reader: reader.streams(),
        lambda reader: reader.last("a"),
    ],
    ids=["read", "get", "about", "erased", "streams", "last"],
)
def test_a_log_that_cannot_be_read_is_unavailable(tmp_path, look):
    """Whichever way it is read; whoever asked is told to come again."""
    SqliteLog(tmp_path).close()
    reader = SqliteReader(database_of(tmp_path))
    look(reader)
    with contextlib.closing(sqlite3.connect(database_of(tmp_path))) as connection:
        connection.execute("DROP TABLE events")
    with pytest.raises(Unavailable, match="cannot be read"):
        look(reader)
    reader.close()


def test_two_servers_never_share_a_folder(tmp_path, monkeypatch):
    """The second one is told who holds the folder."""
    monkeypatch.setattr(holding, "_PATIENCE", 0.05)
    log = SqliteLog(tmp_path)
    with pytest.raises(FolderInUse, match="still holds the data folder"):
        SqliteLog(tmp_path)
    log.close()
    SqliteLog(tmp_path).close()


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    """An old askwhen does not touch a new log, and says why."""
    SqliteLog(tmp_path).close()
    connection = sqlite3.connect(database_of(tmp_path))
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(IncompatibleData, match="newer"):
        SqliteLog(tmp_path)


def test_a_file_of_an_older_version_is_refused(tmp_path):
    """A log that knows no erasures is not written on."""
    SqliteLog(tmp_path).close()
    connection = sqlite3.connect(database_of(tmp_path))
    connection.execute("PRAGMA user_version = 1")
    connection.close()

    with pytest.raises(IncompatibleData, match="older"):
        SqliteLog(tmp_path)


def test_a_foreign_file_is_refused(tmp_path):
    """A database of something else is left alone."""
    connection = sqlite3.connect(database_of(tmp_path))
    connection.execute("CREATE TABLE other (x)")
    connection.close()

    with pytest.raises(IncompatibleData, match="not a log"):
        SqliteLog(tmp_path)


async def test_a_backup_is_the_log_of_one_moment(tmp_path):
    """A copy that is made while the server writes can be opened and read like the log itself."""
    inbox = Inbox()
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    log = SqliteLog(tmp_path / "from")
    log.start(inbox)
    for ticket in range(50):
        log.submit([entry("a", ticket)])
    await inbox.wait(50)
    backup(database_of(tmp_path / "from"), database_of(tmp_path / "to"))
    log.submit([entry("a", 50)])
    await log.stop()
    copy = SqliteLog(tmp_path / "to")
    found = list(copy.read("a", 0, 999))
    copy.close()

    assert len(found) == 50
    with pytest.raises(Unavailable, match="exists already"):
        backup(database_of(tmp_path / "from"), database_of(tmp_path / "to"))


def test_a_folder_of_a_living_server_is_refused_at_once(tmp_path):
    """Whoever holds it is named, and nobody waits."""
    held = (tmp_path / "lock").open("a+")
    fcntl.flock(held, fcntl.LOCK_EX)
    held.write(str(os.getppid()))
    held.flush()
    with pytest.raises(FolderInUse, match=f"another server \\(process {os.getppid()}\\)"):
        SqliteLog(tmp_path)
    held.close()
