"""A real day against a service's public API: shops post orders, people claim questions and answer, somebody watches.

`locust -f loadtest/locustfile.py --headless -H http://127.0.0.1:8000 --users 20 --day-seconds 90`, or `make loadtest`. `--users` is the
number of shops that post at noon. In the end a summary is printed; the exit code is 1 if anything failed or the budget did not hold.
"""

import heapq
import itertools
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
from locust import FastHttpUser, LoadTestShape, constant, constant_throughput, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtest.day import CLASSES, hour_of, level, order, other, phase, truth
from loadtest.tally import Tally, summary
from loadtest.target import Budget, Target, check, headers

PEOPLE = 6
PACE = 10  # orders a second of a shop
BATCH = 50  # orders of a shop that sends them together
SPAWN = 100  # users that come or go in a second
THINK = 2.0  # seconds that a person needs for an answer, in the mean
LOOK = 0.5  # seconds between two looks for questions
ABSENT = {404, 405, 415}
BUDGET = {"rate": 0.05, "burst": 50, "price": 0.40, "currency": "EUR"}

tally = Tally()
_numbers = itertools.count(1)


@events.init_command_line_parser.add_listener
def options(parser: LocustArgumentParser) -> None:
    """What this scenario can be told besides Locust's own options."""
    parser.add_argument("--day-seconds", type=float, default=90.0, help="how long the day takes")
    parser.add_argument("--key", default="", env_var="ASKWHEN_KEY", is_secret=True, help="API key, where the server asks for one")
    parser.add_argument("--stream", default=f"loadtest-{secrets.token_hex(4)}", help="stream to create and use")
    parser.add_argument("--cleanup", action="store_true", help="delete the stream in the end")
    parser.add_argument("--i-own-this-server", action="store_true", help="load a server that is not on the loopback")


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """Make the stream; the load may go nowhere else."""
    given = environment.parsed_options
    environment.host = check(environment.host or "", owned=given.i_own_this_server)
    try:
        Target(environment.host, given.key).create(given.stream, {"classes": CLASSES, "budget": BUDGET})
    except httpx.HTTPError as error:
        tally.failures["the stream", str(error)] += 1
        environment.runner.quit()


@events.request.add_listener
def count(name: str, response_time: float, exception: Exception | None = None, **_: Any) -> None:
    """Note a request."""
    tally.request(name, response_time, None if exception is None else str(exception))


@events.quitting.add_listener
def tell(environment: Environment, **_: Any) -> None:
    """Look at the account for the last time, print the summary, set the exit code."""
    given = environment.parsed_options
    target = Target(environment.host or "", given.key)
    try:
        tally.budget(target.budget(given.stream))
        if given.cleanup:
            target.remove(given.stream)
    except httpx.HTTPError as error:
        tally.failures["the stream", str(error)] += 1
    print(*summary(tally, given.day_seconds), sep="\n", flush=True)
    environment.process_exit_code = 0 if tally.held else 1


class Day(LoadTestShape):
    """Night, morning, noon, a burst in the evening."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """How many users there are now; None when the day is over."""
        given = self.runner.environment.parsed_options
        if self.get_run_time() >= given.day_seconds:
            return None
        shops = max(1, round(given.num_users * level(hour_of(self.get_run_time(), given.day_seconds))))
        return PEOPLE + 1 + shops, SPAWN


class Caller(FastHttpUser):
    """Somebody who calls the API."""

    abstract = True

    def on_start(self) -> None:
        """Take a number, and random numbers of one's own."""
        given = self.environment.parsed_options
        self.number = next(_numbers)
        self.rng = random.Random(self.number)
        self.stream = f"/v1/streams/{given.stream}"
        self.headers = headers(given.key)

    def call(
        self, method: str, path: str, kind: str | Callable[[Any], str], body: Any = None, *, part: str = "", lines: bool = False
    ) -> Any:
        """Send JSON (or lines of it) and get it; None where that failed, or where the server lacks this `part` of the contract.

        `kind` names the request in the summary, by its answer where that matters.
        """
        media = {"Content-Type": "application/x-ndjson" if lines else "application/json"}
        data = None if body is None else "\n".join(map(json.dumps, body)) if lines else json.dumps(body)
        name = kind if isinstance(kind, str) else "sample, failed"
        with self.client.request(method, path, name, data, catch_response=True, headers=self.headers | media) as response:
            if part and _is_absent(response):
                tally.absent[part] = str(response.status_code)
                response.request_meta["name"] = f"{name} (not available)"
                response.success()
                return None
            if response.status_code == 0:
                response.failure(f"no answer: {type(response.error).__name__}")
                return None
            if not response.ok:
                response.failure(f"{response.status_code} {response.text[:200]}")
                return None
            answer = [json.loads(line) for line in response.text.splitlines()] if lines else _decoded(response)
            if callable(kind):
                response.request_meta["name"] = kind(answer)
            return answer


def _is_absent(response: Any) -> bool:
    """Whether a server lacks a path, a method or a media type; a 404 about a sample is another thing."""
    return response.status_code in ABSENT and (response.status_code != 404 or _decoded(response)["detail"] == "Not Found")


def _decoded(response: Any) -> Any:
    return response.json() if "json" in response.headers.get("content-type", "") else response.text


class Shop(Caller):
    """Posts orders, some twice after a hiccup of the network, some together."""

    wait_time = constant_throughput(PACE)

    def on_start(self) -> None:
        """Begin with the first order."""
        super().on_start()
        self.orders = 0

    def order(self) -> dict[str, Any]:
        """The next order, at this hour."""
        self.orders += 1
        return {"id": f"{self.number}-{self.orders}", "features": order(self.rng, self.hour)}

    @property
    def hour(self) -> float:
        """The time of the day."""
        return hour_of(self.environment.shape_class.get_run_time(), self.environment.parsed_options.day_seconds)

    @task(98)
    def post(self) -> None:
        """One order; one in fifty goes out again, and must get the same answer."""
        sample = self.order()
        answer = self.call("POST", f"{self.stream}/samples", lambda got: f"sample, {'' if got['query']['ask'] else 'not '}asked", sample)
        if answer is None:
            return
        self.note(sample, answer)
        if self.rng.random() < 0.02:
            again = self.call("POST", f"{self.stream}/samples", "sample, again", sample)
            if again is not None and again != answer | {"replayed": True}:
                tally.failures["sample, again", "another answer than the first one"] += 1

    @task(2)
    def post_together(self) -> None:
        """Many orders in one request, a line each; singly where the server does not take lines."""
        samples = [self.order() for _ in range(BATCH)]
        part, kind = "NDJSON batches of samples", f"{BATCH} samples in lines"
        answers = None if part in tally.absent else self.call("POST", f"{self.stream}/samples", kind, samples, part=part, lines=True)
        if answers is None:
            return
        if [answer.get("id") for answer in answers] != [sample["id"] for sample in samples]:
            tally.failures[kind, "not one good answer a line, in order"] += 1
            return
        for sample, answer in zip(samples, answers, strict=True):
            self.note(sample, answer)

    def note(self, sample: dict[str, Any], answer: dict[str, Any]) -> None:
        """Count what came back."""
        tally.samples[answer["query"]["reason"]] += 1
        tally.asked += answer["query"]["ask"]
        tally.prediction(phase(self.hour), answer["prediction"]["label"], truth(sample["id"], sample["features"]))


class Person(Caller):
    """Claims questions and answers them after a while: mostly right, sometimes wrong and then corrected, twice, or not at all."""

    fixed_count = PEOPLE
    wait_time = constant(0.1)

    def on_start(self) -> None:
        """Begin with an empty desk."""
        super().on_start()
        self.name = f"person-{self.number}"
        self.desk: list[tuple[float, str, str, Callable[[str, str], None]]] = []  # (when, sample, truth, what)
        self.taken: set[str] = set()
        self.looked_at = 0.0

    @task
    def work(self) -> None:
        """Do what is due; with a nearly empty desk take more."""
        now = time.monotonic()
        if self.desk and self.desk[0][0] <= now:
            _, sample_id, right, act = heapq.heappop(self.desk)
            act(sample_id, right)
        elif len(self.desk) < 5 and self.looked_at < now - LOOK:
            self.looked_at = now
            for question in self.take():
                self.taken.add(question["sample_id"])
                self.later(question["sample_id"], truth(question["sample_id"], question["features"]), self.fate())

    def take(self) -> list[dict[str, Any]]:
        """Some questions: claimed, or where the server does not hand out any, drawn from the open ones."""
        part = "claims (questions are drawn from the list instead)"
        if part not in tally.absent:
            body = {"labeler": self.name, "limit": 10, "lease": 60}
            claimed = self.call("POST", f"{self.stream}/queries/claim", "claim", body, part=part)
            return [] if claimed is None else [question for question in claimed["queries"] if question["sample_id"] not in self.taken]
        listed = self.call("GET", f"{self.stream}/queries?limit=100", "list of questions")
        waiting = [] if listed is None else [question for question in listed["queries"] if question["sample_id"] not in self.taken]
        return self.rng.sample(waiting, min(5, len(waiting)))

    def fate(self) -> Callable[[str, str], None]:
        """What becomes of a question."""
        return self.rng.choices((self.answer, self.mistake, self.err, self.answer_twice, self.skip), (86, 5, 2, 3, 4))[0]

    def later(self, sample_id: str, right: str, act: Callable[[str, str], None]) -> None:
        """Put something on the desk."""
        heapq.heappush(self.desk, (time.monotonic() + self.rng.expovariate(1 / THINK), sample_id, right, act))

    def answer(self, sample_id: str, right: str) -> str | None:
        """The right answer; gives its outcome."""
        return self.label(sample_id, right, "right")

    def err(self, sample_id: str, right: str) -> None:
        """A wrong answer that nobody finds."""
        self.label(sample_id, other(right), "wrong")

    def mistake(self, sample_id: str, right: str) -> None:
        """A wrong answer, noticed later."""
        self.label(sample_id, other(right), "wrong at first")
        self.later(sample_id, right, lambda of, label: self.label(of, label, "corrected"))

    def answer_twice(self, sample_id: str, right: str) -> None:
        """The right answer, sent again because its 200 was lost."""
        if self.answer(sample_id, right) is not None and self.label(sample_id, right, "sent again") != "duplicate":
            tally.failures["label", "the same label again was no duplicate"] += 1

    def skip(self, sample_id: str, _: str) -> None:
        """No answer: somebody else may know."""
        body = {"labeler": self.name, "reason": "unclear"}
        part = "skips"
        if part not in tally.absent and self.call("POST", f"{self.stream}/queries/{sample_id}/skip", "skip", body, part=part) is not None:
            tally.people["skipped"] += 1

    def label(self, sample_id: str, label: str, how: str) -> str | None:
        """Post a label; gives its outcome."""
        body = {"sample_id": sample_id, "label": label, "labeler": self.name}
        answer = self.call("POST", f"{self.stream}/labels", "label", body)
        if answer is None:
            return None
        tally.people[how] += 1
        tally.labels[answer["outcome"]] += 1
        return str(answer["outcome"])


class Monitor(Caller):
    """A dashboard: the stream with its account, what waits, the metrics."""

    fixed_count = 1
    wait_time = constant(1.0)

    @task
    def look(self) -> None:
        """Read everything once, and check the account."""
        stream = self.call("GET", self.stream, "GET stream")
        if stream is not None:
            tally.budget(Budget.of(stream))
        self.call("GET", f"{self.stream}/queries?order=oldest&limit=50", "GET queries")
        metrics = self.call("GET", "/metrics", "GET metrics")
        if metrics is not None and "askwhen_samples_total" not in metrics:
            tally.failures["GET metrics", "no askwhen_samples_total"] += 1
