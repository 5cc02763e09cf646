"""Kill the server at random moments under load, again and again, and check that nothing that it acknowledged is lost or there twice.

Each round posts samples and labels (late, twice, at once, corrected) and erases some, then ends the server with SIGKILL, or makes its
commits fail first. Afterwards the log is read: every acknowledged question and label is in it once, of an erased sample nothing but its
question, and no byte of the folder has its features; `askwhen verify` must find the serving state's transcript and the budget in order.
Everything stays on the loopback and is bounded in count and time.
"""

import argparse
import asyncio
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from loadtest.server import Server

STREAM = "orders"
CLIENTS = 8
ERASE = 0.03  # erasures a sample
LONGEST = 2.5  # seconds of load in a round
LABELS = ("ok", "fraud", "unclear")
TINY = 8_192  # bytes that a file may have while commits are made to fail
WARM = 40  # answers in a round at the least


class Ledger:
    """What the server acknowledged."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.asked: set[str] = set()
        self.labels: dict[str, str] = {}
        self.doubtful: set[str] = set()
        self.erased: dict[str, float] = {}  # what was acknowledged as erased, and its amount
        self.leaving: set[str] = set()  # what an erasure was sent for
        self.counts: Counter[str] = Counter()


class Client:
    """One upstream service and one labelling tool at once."""

    def __init__(self, http: httpx.AsyncClient, ledger: Ledger, rng: random.Random, prefix: str) -> None:
        """Take its own random numbers; ids begin with `prefix`."""
        self._http = http
        self._ledger = ledger
        self._rng = rng
        self._prefix = prefix
        self._open: list[tuple[str, str]] = []
        self._amounts: dict[str, float] = {}

    async def run(self) -> None:
        """Post until the server is gone."""
        try:
            number = 0
            while True:
                number += 1
                await self._sample(f"{self._prefix}-{number}")
                if self._open and self._rng.random() < 0.5:
                    await self._label(*self._open.pop(self._rng.randrange(len(self._open))))
                if self._amounts and self._rng.random() < ERASE:
                    await self._erase(*self._amounts.popitem())
        except httpx.TransportError:
            return

    async def _sample(self, sample_id: str) -> None:
        amount = self._rng.gauss(0, 1)
        truth = LABELS[(amount > 0) + (amount > 1.5)]
        body = {"id": sample_id, "features": {"amount": amount, "noise": self._rng.random(), "country": self._rng.choice("ABC")}}
        answer = await self._http.post(f"/v1/streams/{STREAM}/samples", json=body)
        if answer.status_code != httpx.codes.OK:
            raise AssertionError(f"a sample got {answer.status_code}: {answer.text}")
        query = answer.json()["query"]
        self._ledger.counts[query["reason"]] += 1
        if query["ask"]:
            self._ledger.asked.add(sample_id)
            self._amounts[sample_id] = amount
            self._open.append((sample_id, truth))

    async def _label(self, sample_id: str, truth: str) -> None:
        label = self._rng.choice(LABELS) if self._rng.random() < 0.1 else truth
        copies = self._rng.choice((1, 1, 1, 3))
        await asyncio.gather(*(self._post(sample_id, label) for _ in range(copies)))
        if label != truth and sample_id not in self._ledger.doubtful:
            await self._post(sample_id, truth)

    async def _erase(self, sample_id: str, amount: float) -> None:
        self._open = [item for item in self._open if item[0] != sample_id]
        self._ledger.leaving.add(sample_id)
        answer = await self._http.delete(f"/v1/streams/{STREAM}/samples/{sample_id}")
        if answer.status_code in {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.INSUFFICIENT_STORAGE}:
            self._ledger.counts["erasure refused"] += 1
            return
        if answer.status_code != httpx.codes.OK:
            raise AssertionError(f"an erasure got {answer.status_code}: {answer.text}")
        self._ledger.counts["erased"] += 1
        self._ledger.erased[sample_id] = amount

    async def _post(self, sample_id: str, label: str) -> None:
        self._ledger.doubtful.add(sample_id)
        answer = await self._http.post(f"/v1/streams/{STREAM}/labels", json={"sample_id": sample_id, "label": label, "labeler": "loop"})
        if answer.status_code in {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.INSUFFICIENT_STORAGE}:
            self._ledger.counts["label refused"] += 1
            return
        if answer.status_code != httpx.codes.OK:
            raise AssertionError(f"a label got {answer.status_code}: {answer.text}")
        self._ledger.counts[answer.json()["outcome"]] += 1
        self._ledger.labels[sample_id] = label
        self._ledger.doubtful.discard(sample_id)


async def load(server: Server, ledger: Ledger, rng: random.Random, number: int, *, failing: bool) -> None:
    """Post from several clients at once until the server is killed at a random moment."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30.0) as http:
        if number == 1:
            (await http.put(f"/v1/streams/{STREAM}", json={"budget": {"rate": 0.3, "burst": 20}})).raise_for_status()
        clients = [Client(http, ledger, random.Random(rng.random()), f"r{number}c{index}") for index in range(CLIENTS)]
        work = asyncio.gather(*(client.run() for client in clients))
        try:
            await warmed_up(ledger, work)
            await asyncio.wait({work}, timeout=rng.uniform(0.0, LONGEST))
            if failing:
                await fail_commits(server, http, ledger, rng)
        finally:
            await asyncio.to_thread(server.kill)
            await work


async def warmed_up(ledger: Ledger, work: "asyncio.Future[Any]") -> None:
    """Wait until this round's load is under way, so that a kill always hits one."""
    before = ledger.counts.total()
    while ledger.counts.total() < before + WARM and not work.done():
        await asyncio.wait({work}, timeout=0.05)


async def fail_commits(server: Server, http: httpx.AsyncClient, ledger: Ledger, rng: random.Random) -> None:
    """Let every write fail for a while, see that samples are answered all the same, then let them pass and see that asking goes on."""
    server.limit_files(TINY)
    refused = ledger.counts["unavailable"]
    await asyncio.sleep(rng.uniform(0.5, LONGEST))
    (await http.get("/readyz")).raise_for_status()
    if ledger.counts["unavailable"] == refused:
        raise AssertionError("commits failed, and no sample was answered as unavailable")
    server.limit_files(-1)
    before = len(ledger.asked)
    await asyncio.sleep(LONGEST)
    if len(ledger.asked) == before:
        raise AssertionError("commits pass again, and nothing is asked any more")


def events(data: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The log's events of one kind, in order, as plain objects."""
    connection = sqlite3.connect(f"file:{data / 'askwhen.db'}?mode=ro", uri=True)
    try:
        for (body,) in connection.execute("SELECT body FROM events WHERE kind = ? ORDER BY seq", (kind,)):
            yield msgspec.msgpack.decode(body)
    finally:
        connection.close()


def check(data: Path, ledger: Ledger) -> list[str]:
    """What contradicts the acknowledgements; empty if nothing does."""
    asked = Counter(event["decision"]["id"] for event in events(data, "asked"))
    standing: dict[str, str] = {}
    doubtful = ledger.doubtful | ledger.leaving
    faults = [f"the question {sample_id} was asked {count} times" for sample_id, count in asked.items() if count > 1]
    faults += [f"the question {sample_id} is lost" for sample_id in ledger.asked - asked.keys()]
    for event in events(data, "labelled"):
        if standing.get(event["sample_id"]) == event["label"] and not event["erased"]:
            faults.append(f"the label of {event['sample_id']} stands there twice")
        standing[event["sample_id"]] = event["label"]
    for sample_id, label in ledger.labels.items():
        if sample_id not in doubtful and standing.get(sample_id) != label:
            faults.append(f"the label of {sample_id} is {standing.get(sample_id)}, not {label}")
    faults += remains(data, ledger)
    verdict = subprocess.run([sys.executable, "-m", "service", "verify", "--data", str(data)], capture_output=True, text=True, check=False)
    return faults if verdict.returncode == 0 else [*faults, f"verify: {verdict.stdout}{verdict.stderr}"]


def remains(data: Path, ledger: Ledger) -> list[str]:
    """What is left of erased samples: in the log, or in any byte of the folder."""
    events_of = [event for kind in ("asked", "labelled") for event in events(data, kind)]
    held = {event.get("sample_id") or event["decision"]["id"] for event in events_of if event["features"]}
    faults = [f"the erased sample {sample_id} is still in the log" for sample_id in ledger.erased.keys() & held]
    content = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    for sample_id, amount in ledger.erased.items():
        if any(needle in content for needle in (struct.pack(">d", amount), struct.pack("<d", amount), str(amount).encode())):
            faults.append(f"the erased sample {sample_id} is still in the folder's bytes")
    return faults


def main() -> int:
    """Run the rounds; 0 if every one of them held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        for number in range(1, arguments.rounds + 1):
            failing = number % 4 == 0
            server = Server(data, *(("--config", str(_often(Path(folder)))) if number % 2 else ())).ready()
            asyncio.run(load(server, ledger, rng, number, failing=failing))
            faults = check(data, ledger)
            what = "commits failed, killed" if failing else "killed"
            figures = f"{len(ledger.asked):6} questions {len(ledger.labels):6} labels {len(ledger.erased):5} erased"
            print(f"round {number:3}: {what:22} {figures}", *faults[:5], flush=True)
            if faults:
                return 1
    print("nothing lost, nothing twice:", dict(ledger.counts))
    return 0


def _often(folder: Path) -> Path:
    path = folder / "often.toml"
    path.write_text("snapshot_labels = 50\nsnapshot_seconds = 0.5\n")
    return path


if __name__ == "__main__":
    raise SystemExit(main())
