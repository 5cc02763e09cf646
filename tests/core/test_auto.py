"""A model that chooses among several: who learns, who answers, what the log gives again."""

import random

import msgspec
import numpy as np
import pytest

from service.core.auto import AutoModel
from service.core.catalogue import build_model, effective
from service.core.columns import ARRAYS
from service.core.digest import digest
from service.core.erasure import blanked
from service.core.events import Erased, Labelled, Swapped, sample_of
from service.core.freezer import freeze, thaw
from service.core.learner import Learner
from service.core.rebuild import fold, rebuild_of
from service.core.tokens import WORD, is_word
from tests.core.test_learner import Book

RINGS = {"budget": {"rate": 0.2}}


def rings(book, count, seed=1, prefix=""):
    """A stream that no plane divides: is a point within a circle? Answers come at once."""
    rng, right = random.Random(seed), 0
    for number in range(count):
        features = {"x": rng.uniform(-1, 1), "y": rng.uniform(-1, 1)}
        truth = "in" if features["x"] ** 2 + features["y"] ** 2 < 0.6 else "out"
        decision = book.sample(f"{prefix}{number}", features, float(number))
        right += decision.prediction.label == truth
        if decision.query.ask:
            book.label(decision.id, truth, features, float(number))
    return right / count


def auto_of(book):
    """The model that a book's stream serves with."""
    return book.learner.taught.model


class Fixed:
    """A model that says of every vector what stands in one of its columns."""

    def __init__(self, column):
        """Name the column."""
        self.column = column

    def predict_proba_one(self, x):
        """Return certainty."""
        return {int(x[self.column]): 1.0}

    def learn_one(self, x, y):
        """Learn nothing."""


def test_it_is_the_default():
    """`{}` learns with several models, the most trusted of which answers first."""
    book = Book()
    rings(book, 20)

    assert book.learner.config.model.type == "auto"
    assert book.learner.taught.choice.model == "logistic"
    assert [one.model for one in book.learner.taught.choice.candidates] == ["logistic", "knn", "naive-bayes", "hoeffding-tree"]


def test_where_another_model_wins_it_takes_over():
    """Logistic regression cannot divide rings; by its labels another is found that can, nearly as good as if it had been chosen."""
    book, chosen, wrong = Book(RINGS), Book({**RINGS, "model": {"type": "knn"}}), Book({**RINGS, "model": {"type": "logistic"}})
    for each in (book, chosen, wrong):
        rings(each, 1_000)
    choice = book.learner.taught.choice
    accuracies = [rings(each, 500, seed=2, prefix="later-") for each in (book, chosen, wrong)]

    assert choice.model != "logistic"
    assert 20 <= choice.since < auto_of(book).learned
    assert "took over" in choice.why
    assert accuracies[0] > accuracies[1] - 0.05 > accuracies[2] + 0.05


def test_only_the_leader_predicts_where_nobody_is_asked():
    """A decision costs what one model costs."""

    class Silent(Fixed):
        def predict_proba_one(self, x):
            message = "nobody asked"
            raise AssertionError(message)

    auto = AutoModel({"a": Fixed("a"), "b": Silent("b")}, readers=())

    assert auto.predict_proba_one({"a": 1.0, "b": 0.0}) == {1: 1.0}


@pytest.mark.parametrize(("chance", "leading"), [(0.02, "a"), (1.0, "b")])
def test_labels_count_by_the_chance_at_which_they_were_asked(chance, leading):
    """`b` is right where nearly all questions are, `a` about the traffic that was asked about at 2 %: the traffic decides."""
    book, rng = Book({"budget": {"rate": 1.0, "burst": 1_000}}), random.Random(1)
    book.learner.taught.model = AutoModel({"a": Fixed("a"), "b": Fixed("b")}, readers=())
    for number in range(300):
        hard, truth = rng.random() < 0.85, rng.randrange(2)
        features = {"a": truth != hard, "b": truth == hard}
        decision = book.learner.decide(str(number), features, 0.0)
        query = msgspec.structs.replace(decision.query, probability=1.0 if hard else chance)
        book.append(book.learner.question(msgspec.structs.replace(decision, query=query), features))
        event = book.learner.answer(str(number), str(truth), "", features, 0.0, brought=False, labeled_at=None)
        # The vector of scaled numbers is not the point.
        codes = {"0": 0, "1": 1} if book.learner.taught.classes[:1] != ["1"] else {"0": 1, "1": 0}
        said = {"a": float(codes[str(int(features["a"]))]), "b": float(codes[str(int(features["b"]))])}
        book.append(msgspec.structs.replace(event, vector=said))

    assert auto_of(book).contest.leading == leading


def test_labels_that_nobody_asked_for_judge_nobody():
    """They teach, and enter no estimate."""
    book = Book()
    for number in range(100):
        book.label(str(number), "ab"[number % 2], {"x": float(number % 2)}, brought=True)

    assert auto_of(book).contest.judged == 0
    assert auto_of(book).learned == 100


def test_the_log_gives_a_switch_again():
    """A replay, and a state frozen half way and fed the rest, have the same leader since the same label, to the bit."""
    book = Book(RINGS)
    rings(book, 150)
    book.checkpoint()
    half = Learner.of(thaw(freeze(book.learner.learned())))
    rings(book, 850, seed=2, prefix="later-")

    assert auto_of(book).contest.takeover is not None
    assert fold(book.read).fingerprint() == fold(book.read, half).fingerprint() == book.learner.fingerprint()
    assert fold(book.read).taught.choice == book.learner.taught.choice


def swapped(book):
    """Rebuild what is due, swap, and go on."""
    through = book.learner.seq
    book.learner.candidate = rebuild_of(book.learner.superseded, book.read, through)
    book.append(Swapped(0.0, through))
    rings(book, 100, seed=3, prefix="later-")
    return book


def without(book, positions):
    """The model of a fold in which some events never came, nor any swap."""
    kept = [(seq, event) for seq, event in book.log if seq not in positions and not isinstance(event, Swapped | Erased)]
    return fold(lambda after, upto: [item for item in kept if after < item[0] <= upto]).taught.model


def answers(book):
    """The first answers of fifty samples, and their positions."""
    return {event.sample_id: seq for seq, event in book.log if isinstance(event, Labelled)}.items()


def test_corrections_leave_what_the_log_without_the_first_labels_gives():
    """Who leads, and all candidates, are those of a fold that never saw what was corrected."""
    book = Book(RINGS)
    rings(book, 600)
    for sample_id, seq in list(answers(book))[10:60]:
        other = {"in": "out", "out": "in"}[book.log[seq - 1][1].label]
        book.label(sample_id, other, book.log[seq - 1][1].features)
    swapped(book)

    assert len(book.learner.superseded) == 50
    assert fold(book.read).fingerprint() == book.learner.fingerprint()
    assert digest(auto_of(book)) == digest(without(book, book.learner.superseded))


def test_erasures_leave_what_the_log_without_the_samples_gives():
    """The same of samples that are erased: what they said of candidates is gone with what they taught."""
    book = Book(RINGS)
    rings(book, 600)
    gone = dict(list(answers(book))[10:60])
    for sample_id in gone:
        own = {seq: event for seq, event in book.log if sample_of(event) == sample_id}
        for seq, event in zip(own, blanked(own.values()), strict=True):
            book.log[seq - 1] = (seq, event)
    book.append(Erased(0.0, list(gone)))
    swapped(book)

    assert fold(book.read).fingerprint() == book.learner.fingerprint()
    assert digest(auto_of(book)) == digest(without(book, gone.values()))


def test_a_text_is_learned_without_choosing():
    """`{}` is enough for a stream of texts: words teach the linear model, and the others do not see them."""
    book, rng, right = Book({"budget": {"rate": 0.2}}), random.Random(1), 0
    for number in range(600):
        truth = rng.choice(["praise", "blame"])
        words = [
            *rng.choices(["lovely", "grand"] if truth == "praise" else ["awful", "poor"], k=1),
            *(f"w{rng.randrange(300)}" for _ in range(7)),
        ]
        features = {"text": " ".join(rng.sample(words, 8)), "stars": rng.random()}
        decision = book.sample(str(number), features)
        right += number >= 300 and decision.prediction.label == truth
        if decision.query.ask:
            book.label(decision.id, truth, features)
    candidates = auto_of(book).candidates

    assert right / 300 > 0.9
    assert sum(map(is_word, candidates["logistic"]._weights[0].to_dict())) > 100
    assert list(auto_of(book)._narrow) == ["stars"]
    assert auto_of(book).contest.judged > 50
    assert fold(book.read).fingerprint() == book.learner.fingerprint()


def test_where_there_are_only_words_nobody_else_is_judged():
    """Candidates that see nothing would be right as often as the majority."""
    auto = build_model(effective({}).model).model
    for number in range(40):
        x = {f"{WORD}{number % 2}": 1.0}
        auto.judge(x, 0, 1.0)
        auto.learn_one(x, number % 2)

    assert auto.contest.judged == 0
    assert "only words" in auto.choice.why
    assert len(auto.members()) == 1


def test_where_there_is_an_embedding_nobody_else_is_judged():
    """Only the linear model sees it, so that another one would be ahead by chance; a sample without one is judged."""
    auto = build_model(effective({"embeddings": {"vec": 2}}).model).model
    auto.learn_one({"x": 1.0, ARRAYS: {"vec": np.zeros(2, np.float32).tobytes()}}, 0)
    auto.judge({"x": 1.0, ARRAYS: {"vec": np.zeros(2, np.float32).tobytes()}}, 0, 1.0)
    assert auto.contest.judged == 0
    auto.judge({"x": 1.0}, 0, 1.0)

    assert auto.contest.judged == 1


def test_wide_samples_are_narrow_for_most_candidates():
    """A thousand columns are read by the linear model; the others look at the first 128, so that a label stays cheap."""
    auto = build_model(effective({}).model).model
    for number in range(3):
        auto.learn_one({f"x{number * 100 + place}": 1.0 for place in range(100)}, number % 2)

    assert len(auto.candidates["logistic"]._weights[0].to_dict()) == 300
    assert len(auto._narrow) == 128
    assert max(len(of) for of in auto.candidates["naive-bayes"].gaussians.values()) <= 128


def test_a_broken_candidate_loses_and_stops_nobody():
    """What raises while it learns or predicts has erred; the label is learned by the others."""

    class Broken(Fixed):
        def predict_proba_one(self, x):
            raise ArithmeticError

        learn_one = predict_proba_one

    auto = AutoModel({"a": Fixed("a"), "b": Broken("b")}, readers=())
    auto.learn_one({"a": 1.0}, 1)
    for _ in range(50):
        auto.judge({"a": 1.0}, 1, 1.0)

    assert [one.accuracy for one in auto.choice.candidates] == [1.0, 0.0]


def test_the_arms_of_random_asking_choose_as_well():
    """What random asking would have learned is learned by models that choose among several, by its labels alone."""
    book = Book({"budget": {"rate": 0.5}, "exploration": 0.6})
    rings(book, 800)
    first, second = (arm.model for arm in book.learner.taught.arms)

    assert first.learned > second.learned > 0
    assert first.contest.judged >= first.learned - 2
    assert first.contest.leading != "logistic"


def test_its_committee_are_the_candidates():
    """A measure that asks a committee asks them, and nothing learns beside them."""
    book = Book({"query": {"measure": "committee"}})
    rings(book, 200)

    assert book.learner.taught.companion is None
    assert len(book.learner.taught.opinions({"x": 0.1, "y": 0.1})) == 4


def test_it_is_linear_as_long_as_what_answers_is():
    """The gradient of a linear model has a closed form; other leaders have none."""
    auto = build_model(effective({}).model).model
    assert auto.linear
    auto.contest.leader = 1

    assert not auto.linear
