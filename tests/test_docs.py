"""The README says what the code does: its worked example is run, its tables are compared with the code."""

import contextlib
import doctest
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest

from loadtest.server import serving
from service.adapters.prometheus import metrics
from service.api.scopes import needed
from service.cli import app
from service.core.catalogue import rule_params
from service.core.config import BudgetSpec, LabelSpec, PoolSpec, QuerySpec, StreamConfig
from service.core.measures import INFORMED, MEASURES, NUMERIC
from service.core.rules import RULES
from service.guard import Scope
from service.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "benchmarks/README.md")]
README = (ROOT / "README.md").read_text()
METHODS = {"get", "put", "post", "patch", "delete"}
FREE = {"probabilities"}  # objects whose keys are the user's own


def examples():
    """The README's commands with the answers that it shows."""
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, answer = part.partition("\n")
            yield command, documents(answer)


def documents(text):
    """The JSON documents that stand one after the other in a text."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found


def shape(value, name=""):
    """A value's keys and kinds of values, all the way down."""
    if isinstance(value, dict):
        return "object" if name in FREE else {key: shape(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def told(value):
    """The words and booleans of an answer, which the README shows exactly; times, figures and cursors are of the moment."""
    if isinstance(value, dict):
        volatile = {
            "asked_at",
            "expires_at",
            "created_at",
            "model_version",  # a rebuild may end at any moment
            "cursor",
            "confidence",
            "value",
            "deviation",
            "probability",
            "utility",
            "threshold",
            "probabilities",
            "reason",
            "until",
            "oldest",
        }
        return {key: told(item) for key, item in value.items() if key not in volatile}
    return [told(item) for item in value] if isinstance(value, list) else value


@contextlib.contextmanager
def readers_server(folder):
    """A fresh server's address, and what its clients add to a curl: README_SERVER and README_HEADER name one that runs already."""
    if url := os.environ.get("README_SERVER"):
        header = os.environ.get("README_HEADER")
        yield url, f" -H {shlex.quote(header)}" if header else ""
    else:
        with serving(folder) as server:
            yield server.url, ""


def test_the_worked_example_gives_exactly_the_shown_shapes(tmp_path):
    """Every curl of the README, run in order against a fresh server, answers as it says."""
    with readers_server(tmp_path) as (url, options):
        for command, expected in examples():
            here = command.replace("localhost:8000", url.removeprefix("http://")).replace("curl -s ", f"curl -s{options} ")
            answer = documents(subprocess.run(["bash", "-c", here], capture_output=True, check=True, timeout=30, text=True).stdout)

            assert shape(answer) == shape(expected), command
            assert told(answer) == told(expected), command


def test_the_python_example_says_what_it_shows(tmp_path):
    """The README's session with the client, run against a fresh server, prints the same."""
    with serving(tmp_path) as server:
        session = "\n".join(re.findall(r"```pycon\n(.*?)```", README, re.DOTALL)).replace("http://localhost:8000", server.url)
        test = doctest.DocTestParser().get_doctest(session, {}, "README.md", "README.md", 0)
        result = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(test, clear_globs=False)
        test.globs["client"].close()

    assert (result.failed, result.attempted > 0) == (0, True)


def rows(heading):
    """The rows of the table under a heading, as cells without their backticks."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip().replace("`", "") for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| ")][1:]


def test_every_setting_is_in_the_table_and_the_other_way_round():
    """Names, variables, options, defaults and meanings are those of the code."""
    serve = next(command for command in app.registered_commands if command.name == "serve" or command.callback.__name__ == "serve")
    options = {name for name in serve.callback.__annotations__ if name != "return"}
    expected = [
        [
            name,
            f"ASKWHEN_{name.upper()}",
            f"--{name.replace('_', '-')}" if name in options else "",
            str(field.default),
            field.description.replace("`", ""),
        ]
        for name, field in Settings.model_fields.items()
    ]

    assert rows("Settings") == expected


def test_every_field_of_the_configuration_is_in_the_table():
    """No field of a stream can be set that the README does not name."""
    named = {name.split(" ")[0] for row in rows("A stream's configuration") for name in row[0].split(", ")}
    fields = {f"budget.{name}" for name in BudgetSpec.__struct_fields__} | {f"labels.{name}" for name in LabelSpec.__struct_fields__}
    fields |= {f"query.{name}" for name in QuerySpec.__struct_fields__}
    fields |= {f"pool.{name}" for name in PoolSpec.__struct_fields__}
    fields |= {*StreamConfig.__struct_fields__} - {"budget", "labels", "query", "pool"}

    assert named == fields - {"budget.currency"}


def test_every_metric_is_in_the_table_and_the_other_way_round():
    """Names and labels of all metrics are those of the code."""
    observer, render = metrics(list, list)
    text = render("")[0].decode()
    exported = {name for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE) if not name.endswith("_created")}

    assert {row[0] for row in rows("Metrics")} == exported
    assert observer is not None


def test_every_path_is_in_the_table_with_its_scopes(tmp_path):
    """And the other way round."""
    with serving(tmp_path) as server:
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    routes = [(method.upper(), path) for path, methods in paths.items() for method in methods if method in METHODS]

    assert sorted(row[:2] for row in rows("Paths")) == sorted([f"{method} {path}", scopes_of(method, path)] for method, path in routes)


def scopes_of(method, path):
    """The scopes that open a path, as the README has them."""
    scopes = needed(method, path)
    if scopes is None:
        return "none"
    return "any" if scopes == frozenset(Scope) else ", ".join(sorted(scopes))


def command_names(group):
    """The names of a group's commands."""
    return [command.name or command.callback.__name__ for command in group.registered_commands]


def test_every_command_is_in_the_table():
    """The command line has no secrets."""
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    for group in app.registered_groups:
        commands |= {f"{group.typer_instance.info.name} {name}" for name in command_names(group.typer_instance)}
    table = {row[0].removeprefix("askwhen ") for row in rows("Running it for real")}

    assert table == commands


def outside_blocks(page):
    """A document's lines that are not in a block of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE).splitlines()


def anchors(page):
    """What a document's headings can be linked by, as GitHub makes it of them."""
    headings = [line.lstrip("# ").lower() for line in outside_blocks(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """Every relative link of the documents is a file of the repository and, where it names one, a heading of it."""
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", "\n".join(outside_blocks(page)))
    targets = [((page.parent / path).resolve() if path else page, anchor) for path, anchor in links]

    assert [path for path, _ in targets if not path.exists()] == []
    assert [(path, anchor) for path, anchor in targets if anchor and anchor not in anchors(path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_prose_fits_the_line(page):
    """Lines of prose have 140 characters at most; tables and blocks of code have what they need."""
    assert [line for line in outside_blocks(page) if len(line) > 140 and not line.lstrip().startswith("|")] == []


def test_every_module_is_on_the_map():
    """ARCHITECTURE.md names every module and package of the service and of its core."""
    content = (ROOT / "ARCHITECTURE.md").read_text()
    modules = {
        path.stem for folder in ("service", "service/core") for path in (ROOT / folder).iterdir() if path.suffix == ".py" or path.is_dir()
    }

    assert {name for name in modules if not name.startswith("__") and not re.search(rf"\b{name}\b", content)} == set()


def test_every_campaign_is_in_the_table_and_in_the_makefile():
    """In the same order, so that what is in one place is found in the other."""
    table = re.findall(r"^\| `make ([a-z-]+)`", (ROOT / "benchmarks" / "README.md").read_text(), re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert table == targets[targets.index(table[0]) : targets.index("clean")]


def test_every_rule_and_measure_is_in_the_tables():
    """Names, and the words for what is asked because of a measure, are those of the code; so are the rules' parameters."""
    table = rows("Rules and measures")
    informed = {**INFORMED, **NUMERIC}
    measures = {row[0]: row[2] for row in table if row[0] in {*MEASURES, *NUMERIC}}
    rules = {row[0]: {name for name in row[2].split(", ") if name} for row in table if row[0] in RULES}

    assert measures == {name: informed[name].reason if name in informed else "uncertain" for name in (*MEASURES, *NUMERIC)}
    assert rules == {name: set(params) for name, params in rule_params().items()}


@pytest.mark.parametrize(
    ("name", "heading"), [("simulate", "What would labels be worth?"), ("whatif", "What would another budget have cost?")]
)
def test_every_option_is_in_the_table(name, heading):
    """And the other way round."""
    command = next(command for command in app.registered_commands if command.callback.__name__ == name)
    options = {f"--{name}" for name in command.callback.__annotations__ if name not in {"file", "stream", "return"}}

    assert {name for row in rows(heading) for name in row[0].split(", ")} == options
