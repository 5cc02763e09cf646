"""`askwhen simulate`: as its user runs it, what it refuses, and what it makes of what it found."""

import gzip
import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from river import metrics as river_metrics
from typer.testing import CliRunner

from service.cli import app
from service.core.evaluation import Estimate
from service.core.rules import RULES
from service.simulate import queried, scores
from service.simulate.files import as_json, write_whole
from service.simulate.plan import BUDGETS, EVERY, SEEDS, Job, Options, Plan
from service.simulate.pool import processes
from service.simulate.source import samples, source, survey
from service.simulate.verdict import Study, accuracy_with, needed
from service.simulate.words import headline, sentences
from service.simulate.work import Found, found
from service.tabular import BadFile

FIELDS = {
    *("rule", "model", "budget", "seed", "delay", "n", "accuracy", "kappa", "macro_f1", "labels", "rate"),
    *("accuracy_estimate", "accuracy_low", "accuracy_high", "accuracy_naive", "microseconds_per_decision"),
}
HOSTILE = "<script>alert(1)</script>"
ARGUMENTS = ["--rule", "logit", "--rule", "random", "--budget", "0.05", "--budget", "10%", "--seed", "0", "--seed", "7", "--price", "0.4"]
NAME = "<b>orders & co.csv"


def rows(n=400, seed=0):
    """A stream that a line separates, with a string column and missing cells."""
    chance = random.Random(seed)
    for number in range(n):
        a, b = chance.gauss(0, 1), chance.gauss(0, 1)
        yield f"{a},{'' if number % 9 == 0 else b},{'red' if a > 0 else 'blue'},{HOSTILE if a + b > 0 else 'ok'}"


def write(path, lines, header="a,b,colour,class"):
    """A CSV file."""
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A small comparison, run from outside with everything it can write."""
    folder = tmp_path_factory.mktemp("simulate")
    path = write(folder / NAME, rows())
    writes = ["--json", str(folder / "runs.json"), "--report", str(folder / "page.html")]
    command = [sys.executable, "-m", "service", "simulate", str(path), *ARGUMENTS, *writes]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300), folder


@pytest.fixture(scope="module")
def records(done):
    """Its records."""
    return json.loads((done[1] / "runs.json").read_text())


@pytest.fixture(scope="module")
def page(done):
    """Its page."""
    return (done[1] / "page.html").read_text()


# --- as a user runs it -------------------------------------------------------------------------------------------------------


def test_it_ends_with_tables_a_recommendation_and_where_the_files_are(done):
    """Everything a terminal shows, in plain text where it is none."""
    result, folder = done
    assert result.returncode == 0, result.stderr
    assert "label: column 'class', 2 classes" in result.stderr
    words = " ".join(result.stdout.split())
    assert re.search(r"With \d+(\.\d)? % of the labels \(\d+ of 400\) rule (logit|random) reaches an accuracy of", words)
    assert "At 0.40 a label that is" in words
    assert "instead of 160.00 for every label" in words
    assert str(folder / "runs.json") in words
    assert "\x1b" not in result.stdout


def test_a_record_a_run_in_the_order_asked_for(records):
    """Rules by budgets by seeds, each with every promised field."""
    assert [(one["rule"], one["budget"], one["seed"]) for one in records] == [
        (rule, budget, seed) for rule in ("logit", "random") for budget in (0.05, 0.1) for seed in (0, 7)
    ]
    assert all(one.keys() >= FIELDS for one in records)
    assert {one["n"] for one in records} == {400}
    assert {one["model"] for one in records} == {"auto"}


def test_records_are_those_of_the_services_own_core(done, records):
    """A run that is made here, from the same file, has the same figures: accuracy is over all samples."""
    origin = source(done[1] / NAME, None, None)
    run = queried(list(samples(origin)), {"query": {"rule": "logit"}, "budget": {"rate": 0.1}}, seed=7)
    record = next(one for one in records if (one["rule"], one["budget"], one["seed"]) == ("logit", 0.1, 7))
    assert (record["accuracy"], record["labels"], record["learned"]) == (run.accuracy, run.labels, run.learned)
    assert record["rate"] == run.labels / 400
    assert record["kappa"] == scores.kappa(run.confusion)
    told = run.estimate
    assert [record[f"accuracy_{name}"] for name in ("estimate", "low", "high", "naive")] == [told.accuracy, told.low, told.high, told.naive]
    assert told.low < told.accuracy < told.high


def test_the_same_again_gives_the_same_records(done, records, tmp_path):
    """But for the time that decisions took; in another number of processes, to JSON lines."""
    again = tmp_path / "again.jsonl"
    result = CliRunner().invoke(app, ["simulate", str(done[1] / NAME), *ARGUMENTS, "--jobs", "1", "--json", str(again)])
    assert result.exit_code == 0, result.output
    repeated = [json.loads(line) for line in again.read_text().splitlines()]
    assert [untimed(one) for one in repeated] == [untimed(one) for one in records]


def untimed(record):
    """What must repeat."""
    return {name: value for name, value in record.items() if name != "microseconds_per_decision"}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are looked up in /proc")
def test_an_interrupt_stops_everything_at_once_and_writes_nothing(tmp_path):
    """Ctrl-C, which a terminal sends to the whole group, ends runs of minutes, and leaves no process, file or traceback behind."""
    path = write(tmp_path / "long.csv", rows(20_000))
    slow = ["--model", "adaptive-random-forest", "--budget", "1", "--jobs", "2"]
    command = [sys.executable, "-m", "service", "simulate", str(path), *slow, "--json", str(tmp_path / "runs.json")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        try:
            # Two workers, and a process of multiprocessing's own.
            assert within_a_while(lambda: len(children(running.pid)) == 3)
            assert all(map(is_deaf, children(running.pid)))
            os.killpg(running.pid, signal.SIGINT)
            said = running.communicate(timeout=30)[1]
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == 130, said
    assert "interrupted; nothing was written" in said
    assert "Traceback" not in said
    assert [one.name for one in tmp_path.iterdir()] == ["long.csv"]
    assert within_a_while(lambda: is_gone(running.pid))


def test_what_ends_the_block_early_leaves_no_process_and_no_thread():
    """Neither a worker nor the thread that watches over them."""
    before = set(threading.enumerate())

    def interrupted():
        with processes(2, int) as pool:
            pool.submit(time.sleep, 600)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert multiprocessing.active_children() == []
    assert set(threading.enumerate()) == before


def children(process):
    """The processes that a process has started."""
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def is_deaf(process):
    """Whether an interrupt of the whole group passes a process by."""
    status = Path(f"/proc/{process}/status").read_text()
    masks = re.findall(r"Sig(?:Blk|Ign):\s+(\w+)", status)
    return any(int(mask, 16) & 1 << (signal.SIGINT - 1) for mask in masks)


def is_gone(group):
    """Whether no process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def within_a_while(holds):
    """Whether it comes to hold."""
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


# --- the page ----------------------------------------------------------------------------------------------------------------

VOID = {"meta", "link", "br"}


class Reader(HTMLParser):
    """Checks that every element is closed in its order; keeps elements, ids and text."""

    def __init__(self, content):
        super().__init__()
        self.open, self.elements, self.ids, self.text = [], [], [], ""
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        """Enter."""
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        """Note."""
        self.elements.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        """Leave."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Read."""
        self.text += data


def test_the_page_is_well_formed_and_has_all_its_parts(page):
    """Words first, then plots, tables, and how it was made."""
    reader = Reader(page)
    tags = [tag for tag, _ in reader.elements]
    assert (tags.count("svg"), tags.count("table")) == (4, 2)
    parts = ["What labels are worth on", "rule", "What labels buy", "along the stream", "confidence can be trusted"]
    parts += ["bought labels alone tell", "Accuracy by budget", "With a budget of", "How it was made", "askwhen simulate"]
    places = [reader.text.index(part) for part in parts]
    assert places == sorted(places)
    assert len(set(reader.ids)) == len(reader.ids)


def test_the_page_needs_no_network(page):
    """Nothing is loaded from anywhere, and the page forbids it itself."""
    attributes = [attribute for _, attributes in Reader(page).elements for attribute in attributes.items()]
    loads = [value for name, value in attributes if name in {"src", "href", "xlink:href"}]
    assert [value for value in loads if not value.startswith(("#", "data:,"))] == []
    assert "url(http" not in page
    assert "default-src 'none'" in page


def test_the_page_follows_the_readers_light_and_window(page):
    """Plots have the page's colours and fonts, not their own; a phone is told its width."""
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.search(r"#0{3}1\d\d|DejaVu", drawings)
    assert set(re.findall(r"(?:fill|stroke): (#\w+)", drawings)) == set()


def test_what_comes_from_the_file_is_escaped(page):
    """A class and a file called like elements are text."""
    assert "script" not in [tag for tag, _ in Reader(page).elements]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>orders" not in page
    assert NAME in Reader(page).text


# --- what is refused ---------------------------------------------------------------------------------------------------------

GOOD = ["1,x", "2,y", "3,x", "4,y"]


def refused(arguments):
    """The sentence that a refused command ends with."""
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.csv", None, "none.csv cannot be read"),
        ("table.xlsx", "a", "is no table: its name ends in none of .csv"),
        ("empty.csv", "", "has no rows"),
        ("header.csv", "a,label\n", "has no rows"),
        ("one.csv", "a,label\n1,x\n2,x\n", "column 'label' says 'x' in every row"),
        ("alone.csv", "label\nx\ny\n", "no column beside the label"),
        ("same.csv", "a,label\n1,0.5\n2,0.5\n", "column 'label' says 0.5 in every row"),
        ("gap.csv", "a,label\n1,x\n2,\n", "line 3: there is no label"),
        ("nan.csv", "a,label\n1,x\n2,nan\n", "line 3: there is no label"),
        ("wild.csv", "a,label\n1e200,x\n2,y\n", "line 2: column 'a': numbers are finite and of a magnitude of at most 1e100"),
        ("long.csv", "a,label\n1,x,3\n", "line 2 has more cells"),
        ("mixed.jsonl", '{"a": 1, "y": "x"}\n{"a": 1, "y": 1.5}\n', "line 2: the label 1.5 is a number with a fraction"),
        ("null.jsonl", '{"a": 1, "y": null}\n', "line 1: there is no label"),
        ("nested.jsonl", '{"a": {}, "y": "x"}\n', "line 1: column 'a': a feature is a number, a boolean, a string or null, not an object"),
        ("broken.jsonl", '{"a": 1', "line 1: not a JSON object"),
        ("text.csv.gz", "a,label\n", "cannot be read"),
    ],
)
def test_files_of_no_use(tmp_path, name, content, said):
    """Each is refused with where and why, and nothing is written."""
    path, written = tmp_path / name, tmp_path / "runs.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert said in refused([path, "--json", written])
    assert not written.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--label", "verdict"], "has no column 'verdict'; there are a, label"),
        (["--rule", "logitt"], "--rule: there is no rule 'logitt'; did you mean 'logit'?"),
        (["--model", "logstic"], "--model: there is no model 'logstic'; did you mean 'logistic'?"),
        (["--model", '{"type": }'], "--model: this is no JSON object"),
        (["--model", '{"kind": "knn"}'], "--model: Object contains unknown field `kind`"),
        (["--model", '{"type": "logistic", "params": {"drift": 9}}'], "--model: drift: this lies between 0 and 1"),
        (["--model", "text"], "--model: field: there is no column 'text' with text"),
        (["--measure", "margins"], "--measure: there is no measure 'margins'; did you mean 'margin'?"),
        (["--budget", "5"], "for 5 % give 0.05 or 5%"),
        (["--budget", "0"], "--budget: a budget of 0 buys nothing"),
        (["--budget", "nan"], "is no share"),
        (["--lost", "some"], "is no share"),
        (["--delay", "-1"], "--delay"),
        (["--price", "nan"], "--price"),
        (["--json", "nowhere/runs.json"], "there is no folder nowhere"),
    ],
)
def test_options_of_no_use(tmp_path, options, said):
    """Each is refused by name, before anything runs."""
    assert said in refused([write(tmp_path / "rows.csv", GOOD, "a,label"), *options])


def test_a_file_is_not_written_over_itself(tmp_path):
    """What is read stays."""
    path = write(tmp_path / "rows.csv", GOOD, "a,label")
    assert "is the file that is read" in refused([path, "--json", path])


# --- files as streams --------------------------------------------------------------------------------------------------------


def test_labels_are_found_by_name_or_stand_last(tmp_path):
    """label, target, class, y in any case, else the last column; a name that is given wins."""
    for header, found_there in (("x,Target,z", "Target"), ("y,x,CLASS", "CLASS"), ("a,b,c", "c")):
        assert source(write(tmp_path / "f.csv", ["1,2,3"], header), None, None).label == found_there
    assert source(tmp_path / "f.csv", "a", None).label == "a"


def test_every_kind_of_file_gives_the_same_stream(tmp_path):
    """CSV, gzipped CSV, JSON lines and Parquet, missing values included."""
    expected = [({"a": 1.5, "b": "red"}, "x", None), ({"a": None, "b": "blue"}, "y", None)]
    text = "a,b,y\n1.5,red,x\n,blue,y\n"
    (tmp_path / "f.csv").write_text(text, encoding="utf-8")
    with gzip.open(tmp_path / "f.csv.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    lines = [json.dumps({**features, "y": label}) for features, label, _ in expected]
    (tmp_path / "f.jsonl").write_text("\n".join(lines), encoding="utf-8")
    columns = {"a": [1.5, float("nan")], "b": ["red", "blue"], "y": ["x", "y"]}
    parquet.write_table(pa.table(columns), tmp_path / "f.parquet")
    for name in ("f.csv", "f.csv.gz", "f.jsonl", "f.parquet"):
        assert list(samples(source(tmp_path / name, None, None))) == expected, name


def vectors(path, n=300, length=8):
    """A file whose rows have an array that tells the class, and a number that does not."""
    chance = random.Random(0)
    lines = []
    for number in range(n):
        side = chance.choice((-1, 1))
        lines.append({"vec": [side * 0.5 + chance.gauss(0, 0.4) for _ in range(length)], "x": number, "label": "ab"[side > 0]})
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(lines), path)
    else:
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_arrays_of_a_file_are_embeddings(tmp_path, name):
    """They are declared by themselves, learned, and named in the configuration that is recommended."""
    path = vectors(tmp_path / name)
    arguments = ["simulate", str(path), "--rule", "logit", "--budget", "0.1", "--seed", "0", "--jobs", "1", "--json", str(tmp_path / "o")]
    answer = CliRunner().invoke(app, arguments)
    (record,) = json.loads((tmp_path / "o").read_text())

    assert answer.exit_code == 0
    assert record["accuracy"] > 0.75
    assert '"embeddings":{"vec":8}' in answer.stdout.replace("\n", "")


def test_arrays_of_no_use_are_refused_with_their_line(tmp_path):
    """Of another length than the first row's, or for a model that takes none."""
    path = vectors(tmp_path / "rows.jsonl")
    assert "takes no embeddings" in refused([str(path), "--model", "knn"])
    with path.open("a") as file:
        file.write('{"vec": [1.0], "x": 1, "label": "a"}\n')

    assert "line 301: column 'vec': this embedding is an array of 8 numbers" in refused([str(path)])


def test_whole_numbers_are_classes(tmp_path):
    """Integers and booleans, and in CSV what was written as 1.0, for a table with a gap once had it."""
    path = tmp_path / "f.jsonl"
    path.write_text('{"a": 1, "y": 1}\n{"a": 2, "y": true}\n', encoding="utf-8")
    assert [label for _, label, _ in samples(source(path, None, None))] == ["1", "true"]
    assert survey(source(write(tmp_path / "f.csv", ["1,0.0", "2,1.0"], "a,y"), None, None)).classes == {"0.0": 1, "1.0": 1}


def test_rows_bound_what_is_read_and_the_rest_is_mentioned(tmp_path):
    """The first rows alone are looked at, whatever follows."""
    path = write(tmp_path / "f.csv", [*GOOD, "5,0.5"], "a,label")
    seen = survey(source(path, None, 4))
    assert (seen.rows, seen.cut, seen.classes) == (4, True, {"x": 2, "y": 2})
    with pytest.raises(BadFile, match="line 6"):
        survey(source(path, None, None))


def test_prose_is_noticed(tmp_path):
    """A column of sentences calls for another model; words alone do not."""
    lines = ["red,the cat sat on the mat,x", "blue,a dog barked at the moon,y"]
    assert survey(source(write(tmp_path / "f.csv", lines, "a,b,label"), None, None)).prose == ["b"]


# --- the plan ----------------------------------------------------------------------------------------------------------------


def test_by_default_every_rule_is_compared(tmp_path):
    """With four budgets and three seeds; random asking goes further, and every label is there once."""
    plan = Plan(Options(tmp_path / "f.csv"))
    assert plan.rules == tuple(RULES)
    assert len(plan.asked_for) == len(RULES) * len(BUDGETS) * len(SEEDS)
    more = set(plan.jobs) - set(plan.asked_for)
    assert more == {Job(EVERY, 1.0, 0), *(Job("random", budget, seed) for budget in (0.2, 0.4) for seed in SEEDS)}


def test_the_command_of_the_report_does_the_same_again(tmp_path):
    """Every option that changes a figure is in it."""
    options = Options(tmp_path / "a b.csv", "y", '{"type": "knn"}', ["logit"], "entropy", [0.05], 10, 0.2, [3], 0.5, 0.4, rows=100)
    words = options.command()
    for part in ("a b.csv'", "--label y", """'{"type": "knn"}'""", "--rule logit", "--measure entropy", "--budget 0.05"):
        assert part in words
    for part in ("--delay 10", "--lost 0.2", "--seed 3", "--exploration 0.5", "--price 0.4", "--rows 100"):
        assert part in words


# --- figures -----------------------------------------------------------------------------------------------------------------


def test_agreement_and_class_balance_are_rivers():
    """On a few hundred pairs of labels with uneven classes."""
    chance = random.Random(3)
    pairs = [(chance.choice("aaab"), chance.choice("aabc")) for _ in range(300)] + [("c", "c")] * 5
    confusion, kappa, f1 = {}, river_metrics.CohenKappa(), river_metrics.MacroF1()
    for true, said in pairs:
        confusion[true, said] = confusion.get((true, said), 0) + 1
        kappa.update(true, said)
        f1.update(true, said)
    assert scores.kappa(confusion) == pytest.approx(kappa.get())
    assert scores.macro_f1(confusion) == pytest.approx(f1.get())


def test_no_prediction_is_a_miss_and_no_class():
    """It lowers agreement and the F1 of its class, and adds none."""
    assert scores.macro_f1({("a", None): 1, ("a", "a"): 1, ("b", "b"): 2}) == pytest.approx((2 / 3 + 1) / 2)
    assert scores.kappa({("a", None): 4}) == 0.0


def test_runs_keep_what_scores_need():
    """Confusion and confidences come from the same predictions as accuracy."""
    chance = random.Random(5)
    stream = [({"a": value}, "hi" if value > 0 else "lo") for value in (chance.gauss(0, 1) for _ in range(300))]
    run = queried(stream, {})
    hits = sum(count for (true, said), count in run.confusion.items() if true == said)
    assert (sum(run.confusion.values()), hits) == (300, sum(run.correct))
    bins = scores.reliability(run.confidences, run.correct)
    assert sum(one.samples for one in bins) == 300 - sum(count for (_, said), count in run.confusion.items() if said is None)
    assert all(0 <= one.confidence <= 1 for one in bins)
    assert found(run).course[-1] == (300, run.accuracy_last(scores.window_of(300)))


def test_calibration_error_weighs_by_samples():
    """A tenth of the samples, half a unit off."""
    bins = scores.reliability([0.95] * 90 + [0.55] * 10, [1] * 90 + [0] * 10)
    assert scores.calibration_error(bins) == pytest.approx(0.9 * 0.05 + 0.1 * 0.55)


# --- the verdict -------------------------------------------------------------------------------------------------------------


NOTHING = Estimate(1_000, 1.0, 50, 50, None, None, None, None, None, "too few labels")


def one_run(accuracy, labels, n=1_000):
    """A run with these figures."""
    return Found(n, accuracy, 0.5, 0.5, labels, labels, 10.0, NOTHING, [(n, accuracy)], [scores.Bin(n, accuracy, accuracy)])


def study(curves, every=0.95, seeds=(0, 1, 2), **options):
    """A study of rules with these accuracies under budgets of 5 and 10 %; the seeds differ a little, alike for all rules."""
    rules = [name for name in curves if name != "random"] or ["random"]
    plan = Plan(Options(Path("f.csv"), rules=rules, budgets=(0.05, 0.1), seeds=seeds, **options))
    runs = {Job(EVERY, 1.0, 0): one_run(every, 1_000)}
    for rule, accuracies in curves.items():
        for budget, accuracy in zip((0.05, 0.1, 0.2, 0.4), accuracies, strict=False):
            for seed in seeds:
                runs[Job(rule, budget, seed)] = one_run(accuracy + seed / 1_000, round(1_000 * budget))
    return Study(plan, runs)


RANDOM_CURVE = (0.70, 0.80, 0.85, 0.90)


def test_the_truly_best_rule_is_recommended():
    """The highest mean accuracy, wherever it stands in the list; a rule as good is named, one that is worse is not."""
    found_best = study({"random": RANDOM_CURVE, "split": (0.75, 0.84), "quantile": (0.81, 0.86), "logit": (0.75, 0.8)})
    assert [one.rule for one in found_best.standings] == ["quantile", "split", "logit"]
    assert (found_best.advice.rule, found_best.advice.rivals) == ("quantile", [])
    tied = study({"random": RANDOM_CURVE, "split": (0.81, 0.86), "quantile": (0.81, 0.86)})
    assert (tied.advice.rule, tied.advice.rivals) == ("split", ["quantile"])


def test_the_budget_is_the_least_that_is_nearly_as_good_as_every_label():
    """Within a point; failing that, the largest."""
    assert study({"random": RANDOM_CURVE, "logit": (0.945, 0.949)}).advice.point.budget == 0.05
    assert study({"random": RANDOM_CURVE, "logit": (0.80, 0.85)}).advice.point.budget == 0.1


def test_savings_are_read_between_the_points():
    """On a scale of doublings, and only where the points reach."""
    assert needed([(100, 0.7), (400, 0.8)], 0.65).at_most
    assert needed([(100, 0.7), (400, 0.8)], 0.85) is None
    assert accuracy_with([(100, 0.7), (400, 0.8)], 50) == 0.7
    assert accuracy_with([(100, 0.7), (400, 0.8)], 900) == 0.8


def test_the_words_say_what_was_found(tmp_path):
    """Accuracy, random asking, every label, savings and money."""
    one = study({"random": RANDOM_CURVE, "logit": (0.80, 0.85)}, price=2.0)
    seen = survey(source(write(tmp_path / "f.csv", ["1,x", "2,y"], "a,label"), None, None))
    assert headline(one) == (
        "With 10 % of the labels (100 of 1,000) rule logit reaches an accuracy of 85.1 %; "
        "random asking for as many labels reaches 80.1 %, every label gives 95.0 %."
    )
    said = sentences(one, seen, one.plan.options)
    assert said[0] == "To reach what random asking reaches with 10 % of the labels (80.1 %) it needs at most 5 %."
    assert said[1] == "To be as good, random asking needs 20 %."
    configuration = re.search(r"configure a stream as (.*); its start-up grant of 50 labels", said[-1])[1]
    assert json.loads(configuration)["query"]["rule"] == "logit"
    assert said[2] == "At 2.00 a label that is 200.00 instead of 2,000.00 for every label, and 400.00 for random asking that is as good."


def test_the_words_admit_what_is_no_use(tmp_path):
    """No rule better than random, none better than the most frequent class, one seed only."""
    seen = survey(source(write(tmp_path / "f.csv", ["1,x"] * 9 + ["2,y"], "a,label"), None, None))
    poor = study({"random": RANDOM_CURVE, "logit": (0.71, 0.81), "split": (0.6, 0.6)}, every=0.85, seeds=(0,))
    said = " ".join(sentences(poor, seen, poor.plan.options))
    assert "That is no better than always saying 'x' (90.0 %)" in said
    assert "One seed does not tell" in said


def test_random_asking_alone_is_compared_with_nothing(tmp_path):
    """Where no other rule was run the words do not say that none was better."""
    seen = survey(source(write(tmp_path / "f.csv", ["1,x", "2,y"], "a,label"), None, None))
    alone, beaten = study({"random": RANDOM_CURVE}), study({"random": RANDOM_CURVE, "logit": (0.6, 0.6)})
    beaten.plan.rules = ("random", "logit")
    assert "No rule does better" not in " ".join(sentences(alone, seen, alone.plan.options))
    assert "No rule does better" in " ".join(sentences(beaten, seen, beaten.plan.options))


# --- writing -----------------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    """Where writing fails the file that was there stays, and nothing lies beside it."""
    path = tmp_path / "f.json"
    write_whole(path, b"old")
    with pytest.raises(TypeError):
        write_whole(path, "no bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_records_are_an_array_or_lines():
    """Both hold one a line."""
    assert json.loads(as_json([{"a": 1}, {"a": 2}], lines=False)) == [{"a": 1}, {"a": 2}]
    assert as_json([{"a": 1}, {"a": 2}], lines=True) == b'{"a":1}\n{"a":2}\n'


def test_an_ending_that_another_thread_takes_waits_as_well():
    """A signal that the main thread blocks is Python's all the same where a library's thread has it open."""
    code = """
import os, signal, threading, time
from service.simulate.pool import deaf
threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
ended = []
try:
    with deaf():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        ended.append("inside")
except KeyboardInterrupt:
    ended.append("after")
print(ended)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "['inside', 'after']\n", done.stderr
