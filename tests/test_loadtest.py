"""The load test is a stranger to the service: it knows the public API, loads no foreign server, and tells when something did not hold."""

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest import day, run
from loadtest.server import free_port
from loadtest.tally import Tally, summary
from loadtest.target import Budget, ForeignServer, check

FOLDER = Path(__file__).parent.parent / "loadtest"
HELD = Budget(seen=100, asked=57, given_back=2, rate=0.05, burst=50)
BROKEN = HELD._replace(asked=58)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_it_imports_nothing_of_the_service(path):
    """What it needs to know stands in the contract."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]

    assert [module for module in modules if module.split(".")[0] == "service"] == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://127.8.0.1", "http://localhost:8000", "http://[::1]:8000"])
def test_the_loopback_may_be_loaded(url):
    """One's own machine needs no word."""
    assert check(url, owned=False) == url.rstrip("/")


@pytest.mark.parametrize("url", ["http://10.0.0.1", "https://example.com", "http://127.0.0.1.example.com", "http://0.0.0.0", "nonsense"])
def test_other_addresses_are_refused_unless_owned(url):
    """Nobody's server is loaded by mistake."""
    with pytest.raises(ForeignServer, match="--i-own-this-server"):
        check(url, owned=False)

    assert check(url, owned=True) == url


def test_a_refused_address_ends_the_run_at_once():
    """Exit code 2, before anything is sent."""
    assert run.main(["--url", "http://192.0.2.1"]) == 2


def test_where_nobody_answers_the_run_ends_at_once(capsys):
    """Exit code 2, and the reason."""
    assert run.main(["--url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert capsys.readouterr().err.startswith("loadtest: ")


def test_without_wrk_the_ceiling_says_how_to_get_it():
    """A missing program is no failure of the service."""
    command = [sys.executable, "-m", "loadtest.ceiling"]
    done = subprocess.run(command, env={"PATH": ""}, cwd=FOLDER.parent, capture_output=True, text=True, check=False)

    assert (done.returncode, "apt-get install wrk" in done.stdout) == (0, True)


def test_a_budget_holds_up_to_its_line():
    """Asked less given back may equal rate x seen + burst, and not exceed it."""
    assert (HELD.held, BROKEN.held) == (True, False)


def test_a_budget_is_read_from_a_stream():
    """The account and the configuration of one answer."""
    config = {"budget": {"rate": 0.05, "burst": 50}}

    assert Budget.of({"summary": {"seen": 100, "asked": 57, "given_back": 2}, "config": config}) == HELD


def loaded():
    """A tally of a load where all held."""
    tally = Tally()
    tally.request("sample, not asked", 2.0, None)
    tally.budget(HELD)
    return tally


def test_a_load_holds_if_nothing_failed():
    """The summary ends with the verdict."""
    assert loaded().held
    assert list(summary(loaded(), 1.0))[-1] == "all held"


def test_a_failure_a_broken_budget_or_no_load_at_all_does_not_hold():
    """Each of them is enough."""
    failed, broke = loaded(), loaded()
    failed.request("label", 3.0, "503 busy")
    broke.budget(BROKEN)

    assert [failed.held, broke.held, Tally().held] == [False, False, False]
    assert "FAILED 1 x label: 503 busy" in list(summary(failed, 1.0))
    assert any(line.startswith("BROKEN") for line in summary(broke, 1.0))


def test_what_a_server_lacks_is_said():
    """A part that was not exercised does not look like one that held."""
    tally = loaded()
    tally.absent["skips"] = "404"

    assert "not available (404): skips" in list(summary(tally, 1.0))


def test_accuracy_counts_predictions_only():
    """Before the first label there is none to be right."""
    tally = loaded()
    for label in ("ok", "fraud", "ok", "ok", None):
        tally.prediction("noon", label, "ok")

    assert "accuracy  75.0% of 4 predictions (noon 75.0%); 1 had none yet" in list(summary(tally, 1.0))


def test_a_day_has_a_quiet_night_and_a_burst():
    """The curve is continuous outside the burst, which is five times noon."""
    hours = [index / 10 for index in range(241)]
    calm = [day.level(hour) for hour in hours if day.phase(hour) != "burst"]

    assert (max(calm), min(calm), day.level(19.5)) == (1.0, day.NIGHT, 5.0)
    assert {day.phase(hour) for hour in hours} == {"night", "morning", "noon", "afternoon", "burst", "evening"}


def test_truth_is_in_the_order_and_drifts():
    """Whoever reads an order gets the same truth; the same order is another thing in the evening; both classes are common."""
    rng = random.Random(1)
    orders = [day.order(rng, 9.0) for _ in range(500)]
    morning = [day.truth("x", features) for features in orders]
    evening = [day.truth("x", features | {"hour": 22.0}) for features in orders]

    assert morning == [day.truth("x", dict(features)) for features in orders]
    assert 50 < sum(first != second for first, second in zip(morning, evening, strict=True)) < 450
    assert 100 < morning.count("fraud") < 400
