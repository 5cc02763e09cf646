"""The contract of the workshop over the real process and its fake, and of snapshots, which are a cache and nothing more."""

import asyncio
import itertools
import random

import pytest

from service import workshop
from service.adapters.snapshots import FileSnapshots
from service.adapters.sqlite import SqliteLog
from service.adapters.workshop import ProcessWorkshop
from service.audit import verify
from service.core.rebuild import rebuild_of
from service.core.tokens import column_of
from service.engine import Engine
from service.testing import InlineWorkshop, RecordingObserver


def engine_over(log, shop):
    """A started engine."""
    engine = Engine(log, shop, [RecordingObserver()], lambda: b"k" * 16)
    engine.start([])
    return engine


async def lived(folder, count=60, model="logistic"):
    """A data folder that a server worked on: samples, labels, a correction."""
    log = SqliteLog(folder)
    engine = engine_over(log, InlineWorkshop(log))
    await engine.administration.put("s", {"budget": {"rate": 1}, "model": {"type": model}})
    rng = random.Random(1)
    for number in range(count):
        x = rng.gauss(0, 1)
        await engine.flow.observe("s", str(number), {"x": x, "kind": rng.choice("ab")})
        await engine.flow.label("s", str(number), "pos" if x > 0 else "neg")
    await engine.flow.label("s", "3", "other")
    while engine.streams["s"].learner.rebuild_from:
        engine.upkeep.wake.set()
        await asyncio.sleep(0.01)
    await engine.stop()
    return engine.streams["s"].learner


@pytest.fixture(scope="module")
def anyio_backend():
    """One loop for the module, so that the process is spawned once."""
    return "asyncio"


@pytest.mark.parametrize("kind", ["process", "inline"])
async def test_a_rebuilt_model_is_the_fold_without_what_was_superseded(tmp_path, kind):
    """What the workshop sends predicts the same bits as a rebuild here."""
    learner = await lived(tmp_path)
    log = SqliteLog(tmp_path)
    shop = ProcessWorkshop(tmp_path, workshop.snapshot, workshop.rebuild) if kind == "process" else InlineWorkshop(log)
    sent = await shop.rebuild("s", learner.superseded, learner.anchor)
    here = rebuild_of(learner.superseded, lambda after, upto: log.read("s", after, upto), learner.anchor, learner.anchor)
    shop.close()
    log.close()
    probes = [{"x": float(x), column_of("kind", kind): 1.0} for x, kind in itertools.product(range(-2, 3), "ab")]

    assert [sent.predict(probe) for probe in probes] == [here.predict(probe) for probe in probes]
    assert [sent.predict(probe) for probe in probes] == [learner.taught.predict(probe) for probe in probes]


@pytest.mark.parametrize("model", ["logistic", "adaptive-random-forest"])
async def test_a_snapshot_of_the_process_is_the_serving_state(tmp_path, model):
    """A start from the snapshot is a start from the log, to the bit, and the audit agrees."""
    learner = await lived(tmp_path, model=model)
    shop = ProcessWorkshop(tmp_path, workshop.snapshot, workshop.rebuild)
    await shop.snapshot("s")
    shop.close()
    log = SqliteLog(tmp_path)
    snapshot = FileSnapshots(tmp_path).load("s", log)
    loaded = workshop.load(log, FileSnapshots(tmp_path), "s")
    log.close()
    (finding,) = verify(tmp_path)

    assert snapshot is not None
    assert loaded.fingerprint() == learner.fingerprint()
    assert (finding.faults, finding.snapshots) == ([], 1)
    assert finding.transcripts >= 1


@pytest.mark.parametrize("damage", ["torn", "other bits", "other version", "other log"])
async def test_a_snapshot_that_does_not_fit_counts_as_absent(tmp_path, damage):
    """The log is the truth: with any damage to the snapshot the state is folded from the log."""
    learner = await lived(tmp_path)
    workshop.snapshot(str(tmp_path), "s")
    (path,) = FileSnapshots(tmp_path).paths("s")
    content = path.read_bytes()
    if damage == "torn":
        path.write_bytes(content[:-100])
    elif damage == "other bits":
        path.write_bytes(content[:-10] + bytes(10))
    elif damage == "other version":
        path.write_bytes(content.replace(b'"river":"', b'"river":"9', 1))
    else:
        path.write_bytes(content.replace(b'"anchor":"', b'"anchor":"0', 1))
    log = SqliteLog(tmp_path)
    snapshot = FileSnapshots(tmp_path).load("s", log)
    loaded = workshop.load(log, FileSnapshots(tmp_path), "s")
    log.close()

    assert snapshot is None
    assert loaded.fingerprint() == learner.fingerprint()


async def test_the_audit_finds_a_state_that_the_log_does_not_give(tmp_path):
    """A model that was tampered with while it served is found out from the log alone."""
    log = SqliteLog(tmp_path)
    engine = engine_over(log, InlineWorkshop(log))
    await engine.administration.put("s", {"budget": {"rate": 1}})
    for number in range(20):
        await engine.flow.observe("s", str(number), {"x": float(number % 2)})
        await engine.flow.label("s", str(number), str(number % 2))
    engine.streams["s"].learner.taught.teach({"x": 1.0}, "0")
    await engine.flow.observe("s", "late", {"x": 1.0})
    await engine.flow.label("s", "late", "1")
    await engine.stop()
    (finding,) = verify(tmp_path)

    assert any("served another state" in fault for fault in finding.faults)


async def test_the_audit_finds_a_forged_snapshot(tmp_path):
    """A snapshot that holds a label too many is found out."""
    await lived(tmp_path)
    log = SqliteLog(tmp_path)
    snapshots = FileSnapshots(tmp_path)
    learner = workshop.load(log, snapshots, "s")
    learner.taught.teach({"x": 1.0}, "neg")
    snapshots.save("s", learner, log)
    log.close()
    (finding,) = verify(tmp_path)

    assert any("snapshot" in fault for fault in finding.faults)


async def test_forgetting_a_stream_removes_its_snapshots(tmp_path):
    """Nothing of a deleted stream stays in the folder."""
    await lived(tmp_path)
    workshop.snapshot(str(tmp_path), "s")
    await ProcessWorkshop(tmp_path, workshop.snapshot, workshop.rebuild).forget("s", 2**62)

    assert FileSnapshots(tmp_path).paths("s") == []


async def test_forgetting_waits_for_the_snapshot_that_is_being_written(tmp_path):
    """What is on its way when snapshots are to go is gone too when they are."""
    learner = await lived(tmp_path)
    shop = ProcessWorkshop(tmp_path, workshop.snapshot, workshop.rebuild)
    written = asyncio.create_task(shop.snapshot("s"))
    await asyncio.sleep(0)
    await shop.forget("s", learner.anchor + 1)
    done = written.done() or await written
    shop.close()

    assert done
    assert FileSnapshots(tmp_path).paths("s") == []


class Erasing:
    """A log that tells of an erasure from the second question on, or from the first."""

    def __init__(self, reader, answers):
        """Stand before a log."""
        self._reader = reader
        self._answers = iter(answers)

    def __getattr__(self, name):
        """Be that log."""
        return getattr(self._reader, name)

    def erased(self, stream):
        """The next answer."""
        return next(self._answers)


async def test_a_snapshot_from_before_an_erasure_counts_as_absent(tmp_path):
    """It may hold what was erased."""
    learner = await lived(tmp_path)
    workshop.snapshot(str(tmp_path), "s")
    log = SqliteLog(tmp_path)
    snapshots = FileSnapshots(tmp_path)
    loaded = [snapshots.load("s", Erasing(log, [position])) for position in (learner.anchor, learner.anchor + 1)]
    every = [list(snapshots.all("s", Erasing(log, [position]))) for position in (learner.anchor, learner.anchor + 1)]
    log.close()

    assert [snapshot is not None for snapshot in loaded] == [True, False]
    assert [len(found) for found in every] == [1, 0]


async def test_a_fold_that_saw_an_erasure_come_leaves_no_snapshot(tmp_path, monkeypatch):
    """It may have read what was erased before it was."""
    await lived(tmp_path)
    opened = workshop.SqliteReader
    monkeypatch.setattr(workshop, "SqliteReader", lambda path: Erasing(opened(path), [0, 0, 5]))
    workshop.snapshot(str(tmp_path), "s")

    assert FileSnapshots(tmp_path).paths("s") == []


async def test_a_start_tidies_up_after_a_crash(tmp_path):
    """Snapshots from before an erasure, half-written ones and those of deleted streams go; the others stay."""
    await lived(tmp_path)
    workshop.snapshot(str(tmp_path), "s")
    folder = tmp_path / "snapshots"
    (path,) = FileSnapshots(tmp_path).paths("s")
    for name in ("s/00000000000000000001.snapshot", "s/00000000000000000002.new", "gone/00000000000000000003.snapshot"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    FileSnapshots(tmp_path).tidy({"s": 2})

    assert [found for found in folder.rglob("*") if found.is_file()] == [path]
    assert not (folder / "gone").exists()
