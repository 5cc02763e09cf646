"""`askwhen whatif`: what a log says of other configurations, what it must not say, and how its user sees it."""

import json
import random
import subprocess
import sys
from itertools import pairwise
from statistics import fmean

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.what_if import Case, Real, complaints, logged
from loadtest.server import serving
from service.adapters.sqlite import SqliteLog
from service.cli import app
from service.core.catalogue import effective
from service.core.errors import Invalid
from service.core.evaluation.evidence import UNKNOWN
from service.core.events import Configured, Expired, Retracted, Withdrawn
from service.core.learner import Learner
from service.simulate import queried
from service.whatif.finding import Figures, Finding, Variances, between, exactly, noise, paired
from service.whatif.judge import Judge
from service.whatif.past import Answer, Past, Question
from service.whatif.plan import Alternative, Options, alternatives
from service.whatif.replay import AsLogged, Behind, Replay, Told

ROWS = 3_000
RATE = 0.10
SEEDS = 6


def pairs(rows=ROWS, seed=0):
    """A stream that a line separates, not quite."""
    chance = random.Random(seed)
    made = []
    for _ in range(rows):
        features = {name: chance.gauss(0, 1) for name in "abc"}
        made.append((features, "yes" if features["a"] + 0.7 * features["b"] + chance.gauss(0, 0.4) > 0 else "no"))
    return made


STREAM = pairs()
CONFIG = {"budget": {"rate": RATE, "price": 0.5}}


def past_of(log):
    """The past that events tell."""
    return Past(lambda: enumerate(log, 1))


@pytest.fixture(scope="module")
def log():
    """What a stream wrote at 10 %."""
    return logged(STREAM, CONFIG, seed=1)[0]


@pytest.fixture(scope="module")
def judge(log):
    """Who tells of it."""
    return Judge(past_of(log), 4, lambda: None)


def ask(judge, **patch):
    """What it says of a patch."""
    return judge.find(Alternative("it", patch))


# What stands in the log is what was


def test_the_same_configuration_gives_what_was(judge):
    """With nothing changed every replay keeps every question, so accuracy, interval and labels are the stream's own, to the bit."""
    found, now = ask(judge, budget={"rate": RATE}), judge.now
    assert found.exact
    assert (found.accuracy, found.low, found.high, found.labels) == pytest.approx((now.accuracy, now.low, now.high, now.labels), abs=1e-12)
    assert (found.change, found.support) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert now.money == found.money == 0.5 * now.labels


def test_a_replay_predicts_what_was_predicted(log):
    """Every question is predicted before its answer is learned: the same model says what the log says it said."""
    past = past_of(log)
    told = Told(1, past.created[1], anew=False)
    for moment in past.moments:
        if isinstance(moment, Question):
            assert told.meet(moment) == moment.event.decision.prediction
        else:
            told.hear(moment)
    assert told.taught.classes in (["yes", "no"], ["no", "yes"])


def test_with_the_streams_own_coins_the_same_is_asked(log):
    """Its own coins and rule keep all questions; coins that lie anywhere below the propensities do so, too."""
    past = past_of(log)
    for chance in (None, random.Random(3)):
        replay = Replay(1, past.created[1], anew=False, chance=chance)
        for moment in past.moments:
            _ = replay.meet(moment) if isinstance(moment, Question) else replay.hear(moment)
        assert replay.pace == list(range(1, len(past.view.rows) + 1))
        assert replay.support == pytest.approx(1.0)


def test_every_sample_goes_by(log):
    """Between questions the samples that were not asked move the account, so that it ends where the stream's did."""
    past = past_of(log)
    replay = AsLogged(1, past.created[1], anew=False, chance=random.Random(3), measure=None)
    for moment in past.moments:
        if isinstance(moment, Question):
            replay.meet(moment)
            assert replay.budget.seen == moment.event.mark.seen


# What would have been


def test_a_smaller_budget_buys_fewer_labels_and_knows_less(judge):
    """At 3 % it buys what a real run buys, and is at most as accurate as with all labels."""
    found = ask(judge, budget={"rate": 0.03})
    real = [queried(STREAM, {"budget": {"rate": 0.03}}, seed=seed) for seed in range(SEEDS)]
    assert not found.exact
    assert found.labels == pytest.approx(fmean(run.labels for run in real), rel=0.15)
    assert found.low < found.accuracy < found.high
    assert sum(found.low <= run.accuracy <= found.high for run in real) >= SEEDS - 1
    assert found.change <= 0.03
    assert found.money == 0.5 * found.labels


def test_random_asking_within_exploration_is_exact():
    """Every propensity is at least exploration's share, so random asking below it is estimated without bias: the mean over logs tells."""
    patch = {"budget": {"rate": 0.03}, "query": {"rule": "random"}}
    found = [ask(Judge(past_of(logged(STREAM, CONFIG, seed=seed)[0]), 4, lambda: None), **patch) for seed in range(SEEDS)]
    real = fmean(queried(STREAM, {**CONFIG, **patch}, seed=seed).accuracy for seed in range(SEEDS))
    assert all(one.exact for one in found)
    assert fmean(one.accuracy for one in found) == pytest.approx(real, abs=0.03)
    assert [one.low <= real <= one.high for one in found].count(True) >= SEEDS - 1


def test_another_model_learns_the_same_labels(log, judge):
    """A model alone changes no question: as many labels, and what it says is its own."""
    found = ask(judge, model={"type": "naive-bayes"})
    assert (found.exact, found.labels, found.support) == (True, judge.now.labels, 1.0)
    assert found.accuracy != judge.now.accuracy


def test_other_preprocessing_makes_vectors_anew():
    """A pipeline has no vectors in the log: it gets them from raw features, and is about as good."""
    short = STREAM[:800]
    past = past_of(logged(short, CONFIG, seed=1)[0])
    pipeline = [{"class": "preprocessing.MinMaxScaler"}, {"class": "linear_model.LogisticRegression"}]
    alternative = Alternative("it", {"model": {"pipeline": pipeline}})
    assert past.must_vectorise(alternative.of(past.config, past.config.model))
    assert not past.must_vectorise(past.config)
    assert Judge(past, 2, lambda: None).find(alternative).accuracy > 0.6


def with_a_model(config, rows=800):
    """The past of a stream whose samples bring what a model of the caller's own says, right in 9 of 10."""
    chance, seq, log = random.Random(3), 1, []
    created = Configured(0.0, effective({**CONFIG, **config}), bytes(16))
    learner = Learner(seq, created)
    log.append(created)
    for place, (features, label) in enumerate(STREAM[:rows]):
        likely = label if chance.random() < 0.9 else {"yes": "no", "no": "yes"}[label]
        stated = {name: 0.9 if name == likely else 0.1 for name in ("no", "yes")}
        decision = learner.decide(f"{place}", features, float(place), probabilities=stated)
        if not decision.query.ask:
            continue
        log.append(learner.question(decision, features, probabilities=stated))
        learner.apply(len(log), log[-1])
        log.append(learner.answer(decision.id, label, "", features, float(place), brought=False, labeled_at=None, probabilities=stated))
        learner.apply(len(log), log[-1])
    return past_of([*log, learner.checkpointed(1, float(rows), None)])


@pytest.mark.parametrize(("model", "other"), [("logistic", "external"), ("external", "logistic"), ("external", "naive-bayes")])
def test_what_a_model_of_the_callers_own_said_counts(model, other):
    """Another model is given it as evidence, and it may be judged itself; it is right in 9 of 10."""
    judge = Judge(with_a_model({"model": {"type": model}}), 2, lambda: None)
    found = ask(judge, model={"type": other})
    assert found.accuracy == pytest.approx(0.9, abs=0.08)


def test_without_it_nothing_is_said_of_such_a_model(judge):
    """Samples that state nothing say nothing of how right a model of the caller's own would be."""
    found = ask(judge, model={"type": "external"})
    assert found.accuracy is None
    assert "without the probabilities" in found.reason


def test_such_a_stream_warms_up_in_a_replay_as_it_did():
    """While what it relays is not to be trusted it asks at random: a replay under the same configuration keeps every question."""
    judge = Judge(with_a_model({"model": {"type": "external", "params": {"warmup": 40}}}), 2, lambda: None)
    found, now = ask(judge, budget={"rate": RATE}), judge.now
    assert (found.accuracy, found.labels) == (pytest.approx(now.accuracy), now.labels)
    assert found.support == pytest.approx(1.0, abs=1e-12)


def test_another_measure_is_made_of_the_logs_predictions():
    """Least confidence of two classes is half the margin's utility: the log is asked with that, not with the margin."""
    past = past_of(logged(STREAM[:1_000], CONFIG, seed=1)[0])
    question = next(one for one in past.moments if isinstance(one, Question) and one.event.decision.prediction.probabilities)
    replay = AsLogged(1, past.created[1], anew=False, chance=None, measure=lambda probabilities: 0.25)
    assert replay._judge(question.event, None, {}).query.utility == 0.25


def test_what_comes_behind_learns_in_order():
    """It learns the first questions only, as many as allowed; an answer that came before its question's turn is learned then."""
    past = past_of(logged(STREAM[:1_000], CONFIG, seed=1)[0])
    questions = [one for one in past.moments if isinstance(one, Question)]
    pace = [0] * 10 + [4] * (len(questions) - 10)
    behind = Behind(1, past.created[1], anew=False, pace=pace)
    for moment in past.moments:
        _ = behind.meet(moment) if isinstance(moment, Question) else behind.hear(moment)
    assert list(behind.queries.samples) == [one.event.sample_id for one in questions[:4]]
    assert behind.labels == 4


# What the past is


def events(*steps):
    """A log in which samples 0, 1, 2 … are asked as the steps say: `ask`, `answer`, or an event made of a sample's id."""
    created = Configured(0.0, effective({"budget": {"rate": 1.0}}), b"k" * 16)
    learner, made = Learner(1, created), [created]
    for number, (name, sample, *more) in enumerate(steps, 1):
        if name == "ask":
            made.append(learner.question(learner.decide(sample, {"x": float(number)}, float(number)), {"x": float(number)}))
        elif name == "answer":
            features = {"x": float(number)}
            made.append(learner.answer(sample, more[0], more[1], features, float(number), brought=False, labeled_at=None))
        else:
            made.append(name(float(number), sample, *more))
        learner.apply(len(made), made[-1])
    return made


def test_only_answers_that_stand_are_there():
    """A correction stands at its own place, what was retracted is gone, and so is a question that nobody was shown."""
    steps = [("ask", one) for one in "abc"]
    steps += [("answer", "a", "yes", "u"), ("answer", "a", "no", "u"), ("answer", "b", "no", "u"), (Retracted, "b", "u"), (Withdrawn, "c")]
    past = past_of(events(*steps))
    answers = [(one.event.sample_id, one.event.label) for one in past.moments if isinstance(one, Answer)]
    assert answers == [("a", "no")]
    assert [one.event.sample_id for one in past.moments if isinstance(one, Question)] == ["a", "b"]
    assert [truth != UNKNOWN for truth in past.view.rows.truths] == [True, False, False]


def test_questions_without_an_answer_count_and_teach_nothing():
    """They are asked again, at the utility that they had, and expire."""
    steps = [("ask", one) for one in "abcdef"]
    steps += [("answer", one, "yes" if one in "ab" else "no", "u") for one in "abcd"] + [(Expired, "e")]
    past = past_of(events(*steps))
    replay = Replay(1, past.created[1], anew=False, chance=None)
    for moment in past.moments:
        if isinstance(moment, Question):
            replay.meet(moment)
        elif isinstance(moment, Answer):
            replay.hear(moment)
        else:
            replay.fold(moment)
    assert (replay.kept, replay.labels, list(replay.queries.open)) == (6, 4, ["f"])


def test_labels_that_nobody_asked_for_are_learned_in_every_replay(log):
    """Initial training is kept, whatever the budget."""
    created = log[0]
    learner = Learner(1, created)
    brought = [
        learner.answer(f"old-{n}", label, "", features, 0.0, brought=True, labeled_at=None)
        for n, (features, label) in enumerate(STREAM[:50])
    ]
    past = past_of([created, *brought])
    replay = Replay(1, created, anew=False, chance=None)
    for moment in past.moments:
        replay.hear(moment)
    assert replay.labels == 50


# What the log cannot say


@pytest.mark.parametrize(
    "patch",
    [
        {"budget": {"rate": 0.2}},
        {"query": {"rule": "random"}},
        {"query": {"rule": "periodic"}},
        {"exploration": 0.05},
        {"query": {"params": {"start": -8.0, "gain": 0.0}}},
    ],
)
def test_what_propensities_do_not_support_is_refused(judge, patch):
    """More labels, another rule, a lower threshold: refused with what the log would support."""
    found = ask(judge, **patch)
    assert found.accuracy is found.low is found.labels is None
    assert found.support < 0.75
    assert "stand in the log" in found.reason
    assert "random asking at up to 3 %" in found.reason


def test_a_measure_that_needs_all_samples_is_refused(judge):
    """The log has no utilities of a density."""
    assert "'density'" in ask(judge, query={"measure": "density"}).reason


def test_a_log_that_says_nothing_says_nothing_of_anything_else():
    """Few answers, or traffic that had no chance: the reason is the evaluation's."""
    few = Judge(past_of(logged(STREAM[:3], CONFIG, seed=1)[0]), 2, lambda: None)
    capped = Judge(past_of(logged(STREAM[:1_000], {"budget": {"rate": RATE, "labels": 40}}, seed=1)[0]), 2, lambda: None)
    assert ask(few, budget={"rate": 0.05}).reason == "too few labels"
    assert ask(capped, model={"type": "naive-bayes"}).reason == "not covered"


# Figures


def run(accuracy, labels=100):
    """Figures of a replay."""
    return Figures(accuracy, 50.0, 0.5, labels)


SURE = Variances(0.0, 0.0)


def test_what_lies_between_is_allowed_for():
    """The likely value is a quarter of the way up, and the interval's upper end that of half of the way."""
    found = between(run(0.8), run(0.9), 0.82, SURE)
    assert found.accuracy == pytest.approx(0.825)
    assert (found.low, found.high) == pytest.approx((exactly(run(0.8), 0.82, SURE).low, exactly(run(0.85), 0.82, SURE).high))
    assert (found.change, found.change_low, found.change_high) == pytest.approx((0.005, -0.02, 0.03))
    assert between(run(0.8), run(0.7), 0.82, SURE) == exactly(run(0.8), 0.82, SURE)


def test_runs_that_differ_widen_the_interval():
    """Replays that share half of their labels vary by half of what real runs do."""
    assert noise([run(0.8)], 0.5) == 0.0
    assert noise([run(0.8), run(0.82)], 0.5) == pytest.approx(0.0002 * 1.5 / 0.5)
    wider = [exactly(run(0.8), 0.8, Variances(spread, 0.0)) for spread in (0.0, 0.001, 0.01)]
    assert all(more.low < less.low and more.high > less.high and more.change_high > less.change_high for less, more in pairwise(wider))


def test_a_change_counts_only_what_differs():
    """Where both are right alike nothing is unsure; what differs at a chance of 1/10 has the variance 90, and one more may be unseen."""
    same = np.array([0.5, -0.5])
    assert paired(same, same, np.array([0.1, 0.1]), 100.0) == 0.0
    assert paired(np.array([0.5, 0.5]), same, np.array([0.1, 0.1]), 100.0) == pytest.approx(2 * 90.0 / 100.0**2)


# The options


def test_options_combine():
    """Two budgets and two models are four alternatives; a patch is merged in."""
    made = list(
        alternatives(Options("s", None, budgets=[0.01, 0.02], models=["knn", '{"type": "logistic"}'], patches=['{"exploration": 0}']))
    )
    assert next(one.words for one in made) == 'budget 1 %, knn, {"exploration": 0}'
    assert made[-1].patch == {"budget": {"rate": 0.02}, "model": {"type": "logistic"}, "exploration": 0}
    assert [one.same_questions for one in made] == [False] * 4
    assert [one.same_questions for one in alternatives(Options("s", None, models=["knn"]))] == [True]


@pytest.mark.parametrize("options", [{}, {"patches": ["[1]"]}, {"models": ["{"]}])
def test_what_is_no_question_is_refused(options):
    """Nothing at all, and what is no JSON object."""
    with pytest.raises(Invalid):
        list(alternatives(Options("s", None, **options)))


# The command


@pytest.fixture
async def folder(build, tmp_path):
    """A data folder with a stream of 800 samples at 20 %."""
    house = build(SqliteLog(tmp_path))
    await house.administration.put("s", {"budget": {"rate": 0.2, "price": 0.4, "currency": "EUR"}})
    for number, (features, label) in enumerate(STREAM[:800]):
        answer = await house.flow.observe("s", f"{number}", features)
        if answer.decision.query.ask:
            await house.flow.label("s", f"{number}", label, "u")
    await house.stop()
    return tmp_path


def invoke(*words):
    """Run the command line."""
    return CliRunner().invoke(app, ["whatif", *map(str, words)], terminal_width=200)


async def test_the_command_says_it_in_words_and_as_json(folder, tmp_path):
    """A row for now and one an alternative, with money; the same in the file, beside the patch."""
    path = tmp_path / "found.json"
    result = invoke("s", "--data", folder, "--budget", "5%", "--budget", "0.1", "--replays", 2, "--json", path)
    assert result.exit_code == 0, result.output
    for words in ("800 samples", "now", "budget 5 %", "budget 10 %", "EUR", "as late as they did"):
        assert words in result.output
    told = json.loads(path.read_text())
    assert [one["patch"] for one in told["alternatives"]] == [{"budget": {"rate": 0.05}}, {"budget": {"rate": 0.1}}]
    assert told["alternatives"][0]["labels"] < told["alternatives"][1]["labels"] < told["now"]["labels"]
    assert told["alternatives"][0]["money"] == pytest.approx(0.4 * told["alternatives"][0]["labels"])


async def test_it_refuses_with_two(folder):
    """What is not supported is said in a sentence, beside what is."""
    result = invoke("s", "--data", folder, "--budget", "5%", "--budget", "50%", "--replays", 2)
    assert result.exit_code == 2
    assert "budget 50 %: refused" in result.output
    assert "budget 5 %" in result.output
    assert "at budgets up to 20 %" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope", "--budget", "1%"], "there is no stream 'nope'"),
        (["s"], "say what would be otherwise"),
        (["s", "--rule", "fuzzy"], "--rule: there is no rule 'fuzzy'"),
        (["s", "--model", "loggistic"], "did you mean 'logistic'"),
        (["s", "--patch", "{"], "--patch: this is no JSON object"),
        (["s", "--budget", "1%", "--json", "/nowhere/x.json"], "there is no folder"),
    ],
)
async def test_what_is_wrong_is_said(folder, words, said):
    """In one sentence, with the exit code 2."""
    result = invoke(*words, "--data", folder)
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_it_reads_beside_a_running_server(tmp_path):
    """The server goes on, and its log is proven afterwards."""
    with serving(tmp_path) as server, httpx.Client(base_url=f"{server.url}/v1/streams") as client:
        client.put("s", json={"budget": {"rate": 0.5, "burst": 200}})
        for number, (features, label) in enumerate(STREAM[:300]):
            if client.post("s/samples", json={"id": f"{number}", "features": features}).json()["query"]["ask"]:
                client.post("s/labels", json={"sample_id": f"{number}", "label": label})
        command = [sys.executable, "-m", "service", "whatif", "s", "--data", str(tmp_path), "--model", "naive-bayes"]
        told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert client.post("s/samples", json={"features": {"a": 0.1}}).is_success
    assert told.returncode == 0, told.stderr
    assert "naive-bayes" in told.stdout
    assert CliRunner().invoke(app, ["verify", "--data", str(tmp_path)]).exit_code == 0


# The benchmark's verdict


def test_the_benchmark_complains():
    """Of intervals that do not hold, of too many refusals, and of an answer that no log supports."""
    told = Finding("it", 0.8, 0.75, 0.85, 0.0, -0.15, 0.15, labels=10)
    good, off, gone = (Case("s", "budget", 0.1, 0.8, told, [Real(accuracy, 10)]) for accuracy in (0.8, 0.9, 0.8))
    assert complaints([good] * 9 + [off], short=False) == []
    assert "hold" in complaints([good] * 8 + [off] * 2, short=False)[0]
    refused = gone._replace(finding=Finding("it", reason="no"))
    assert "were answered" in complaints([good, refused, refused], short=False)[0]
    assert "was answered" in complaints([good, good._replace(kind="refused")], short=False)[0]
