"""Measures that ask more than probabilities: each formula with numbers worked by hand, and what every measure promises."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import ensemble, forest, linear_model, multiclass, naive_bayes, tree

from service.core.catalogue import build_model
from service.core.companions import Committee, LastLabels, members_of
from service.core.config import ModelSpec
from service.core.digest import digest
from service.core.freezer import freeze, thaw
from service.core.measures import INFORMED
from service.core.measures.change import ModelChange, augmented_norm, expected_output_gradient
from service.core.measures.cognitive import Cognitive
from service.core.measures.committee import Consensus, Divergence, LossRange, SoftVoteEntropy, VoteEntropy
from service.core.measures.density import Density
from service.core.measures.epistemic import epistemic, plausibility
from service.core.measures.probabilistic import expected_gain
from service.core.measures.ranks import Ranks
from service.core.models import Logistic
from service.core.taught import Taught, is_linear
from service.core.vectoriser import Plain

KEEN = {"a": 0.5, "b": 0.5}


def taught_with(companion=None, model=None):
    """A model that knows two classes, with a companion that learned the same labels."""
    taught = Taught(1, naive_bayes.GaussianNB() if model is None else model, Plain(), companion)
    for number in range(20):
        taught.teach({"x": float(number % 5), "y": float(number % 3)}, "ab"[number % 2])
    return taught


# Committees


SPLIT = [{"a": 0.9, "b": 0.1}, {"a": 0.8, "b": 0.2}, {"a": 0.2, "b": 0.8}]


def test_vote_entropy_by_hand():
    """Two votes to one over two classes: -(2/3 log2 2/3 + 1/3 log2 1/3) = 0.9183 (Settles 2009, section 3.2)."""
    assert VoteEntropy().of(SPLIT) == pytest.approx(0.9182958340544896)
    assert VoteEntropy().of(SPLIT[:2]) == 0.0


def test_soft_vote_entropy_by_hand():
    """The consensus is (1.9/3, 1.1/3), whose entropy is 0.9480 bits."""
    assert SoftVoteEntropy().of(SPLIT) == pytest.approx(0.9480782, abs=1e-6)


def test_the_consensus_is_a_soft_vote():
    """The mean is (1.9/3, 1.1/3): 1 - 0.8/3."""
    assert Consensus().of(SPLIT) == pytest.approx(1.0 - 0.8 / 3.0)


def test_divergence_is_ranked_among_the_last():
    """Members that differ more than on all samples before have a utility near 1, however small the divergence."""
    measure, taught = Divergence(), taught_with(Committee(naive_bayes.GaussianNB, 5))
    for _ in range(9):
        measure._ranks.observe(0.0)
    assert measure.observe("s", {"x": 2.5, "y": 1.0}, KEEN, taught) == pytest.approx(0.95)


def test_disagreement_is_the_mean_divergence_from_the_consensus():
    """H(mean) - mean H equals the mean KL divergence of the members from their mean, in bits for two classes."""
    mean = {"a": 1.9 / 3, "b": 1.1 / 3}
    divergences = [sum(p * math.log2(p / mean[name]) for name, p in opinion.items()) for opinion in SPLIT]
    assert Divergence().of(SPLIT) == pytest.approx(sum(divergences) / 3)


def test_members_that_agree_on_a_toss_up_do_not_disagree():
    """Pure noise has full soft vote entropy, and neither divergence nor a range of losses."""
    noise = [KEEN, KEEN, KEEN]
    assert SoftVoteEntropy().of(noise) == pytest.approx(1.0)
    assert Divergence().of(noise) == pytest.approx(0.0)
    assert LossRange().of(noise) == 0.0


def test_opposite_certainties_disagree_most():
    """Two members that are each certain of another class: divergence, votes and losses are as far apart as they get."""
    extremes = [{"a": 1.0, "b": 0.0}, {"a": 0.0, "b": 1.0}]
    assert [measure().of(extremes) for measure in (Divergence, VoteEntropy, LossRange)] == pytest.approx([1.0, 1.0, 1.0])


def test_loss_range_is_the_widest_range_of_a_class():
    """Probabilities of a between 0.2 and 0.9: losses differ by 0.7."""
    assert LossRange().of(SPLIT) == pytest.approx(0.7)


def test_a_bagged_committee_is_the_same_every_time_and_its_members_differ():
    """Its Poisson draws are seeded; what the members learned is not the same."""
    first, second = (Committee(naive_bayes.GaussianNB, 5) for _ in range(2))
    for committee in (first, second):
        for number in range(30):
            committee.learn({"x": float(number % 7)}, number % 2)
    assert digest(first) == digest(second) == digest(thaw(freeze(first)))
    assert len({member.predict_proba_one({"x": 3.0})[0] for member in first.members}) > 1


def test_a_committees_draws_are_poisson_with_mean_one():
    """Of 20,000 draws 36.8 % are 0, 36.8 % are 1, 18.4 % are 2, within four standard deviations (Oza and Russell 2001)."""
    committee = Committee(naive_bayes.GaussianNB, 1)
    draws = [committee._draw() for _ in range(20_000)]
    for value, share in ((0, math.exp(-1)), (1, math.exp(-1)), (2, math.exp(-1) / 2)):
        assert draws.count(value) / 20_000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000))


def test_every_member_knows_every_class():
    """The first label of a class is learned by all members, whatever the draw."""
    committee = Committee(naive_bayes.GaussianNB, 10)
    for code in range(3):
        committee.learn({"x": float(code)}, code)
    assert all(set(member.predict_proba_one({"x": 1.0})) == {0, 1, 2} for member in committee.members)


def test_an_ensemble_is_its_own_committee():
    """Forests and bagging are asked for their own members; other models get a bagged committee."""
    forests = [forest.ARFClassifier(seed=1), ensemble.BaggingClassifier(tree.HoeffdingTreeClassifier(), seed=1)]
    assert [VoteEntropy().companion(lambda made=made: made) for made in forests] == [None, None]
    assert isinstance(VoteEntropy().companion(naive_bayes.GaussianNB), Committee)
    taught = taught_with(model=forests[0])
    assert len(members_of(taught.model, None)) == len(taught.opinions({"x": 1.0, "y": 1.0})) == 10


def test_without_members_the_margin_stands_in():
    """Where no committee has been taught yet, the utility is 1 - (p1 - p2)."""
    assert VoteEntropy().observe("s", {"x": 1.0}, {"a": 0.7, "b": 0.3}, taught_with()) == pytest.approx(0.6)


# Expected model change


def test_expected_gradient_by_hand():
    """Binary with p = 0.8: 2 x 0.8 x 0.2 x sqrt(2); |(2, 1, 1)| = sqrt(6) with the intercept's 1."""
    assert expected_output_gradient({"a": 0.8, "b": 0.2}) == pytest.approx(0.32 * math.sqrt(2.0))
    assert augmented_norm({"x": 2.0, "y": 1.0}) == pytest.approx(math.sqrt(6.0))
    assert expected_output_gradient({"a": 1.0, "b": 0.0}) == 0.0


def test_expected_gradient_is_that_of_the_log_loss():
    """The closed form equals the expectation over classes of the softmax gradient's length, element by element."""
    p, x = [0.5, 0.3, 0.2], [2.0, -1.0, 1.0]
    lengths = [math.sqrt(sum(((p[j] - (j == c)) * value) ** 2 for j in range(3) for value in x)) for c in range(3)]
    expected = sum(chance * length for chance, length in zip(p, lengths, strict=True))
    closed = expected_output_gradient(dict(zip("abc", p, strict=True))) * augmented_norm({"x": 2.0, "y": -1.0})
    assert closed == pytest.approx(expected)


def test_model_change_counts_features_for_linear_models_only():
    """Of two equally unsure samples the longer one moves a linear model more; a tree has no such gradient."""
    utilities = {}
    for name, model in (("linear", Logistic(0.05, 0.0)), ("tree", tree.HoeffdingTreeClassifier())):
        measure, taught = ModelChange(), taught_with(model=model)
        measure.observe("a", {"x": 0.1}, KEEN, taught)
        utilities[name] = measure.observe("b", {"x": 5.0}, KEEN, taught)
    assert utilities == {"linear": 0.75, "tree": 0.5}


@pytest.mark.parametrize(
    ("model", "linear"),
    [
        (Logistic(0.05, 0.0), True),
        (linear_model.LogisticRegression(), True),
        (multiclass.OneVsRestClassifier(linear_model.LogisticRegression()), True),
        (linear_model.SoftmaxRegression(), True),
        (naive_bayes.GaussianNB(), False),
        (forest.ARFClassifier(), False),
    ],
)
def test_which_models_are_linear(model, linear):
    """Generalised linear models are, one against the rest as well."""
    assert is_linear(model) is linear


def test_ranks_count_equals_half():
    """Among equals everyone is in the middle, and old numbers leave."""
    ranks = Ranks(3)
    assert [ranks.observe(1.0) for _ in range(5)] == [0.5] * 5
    assert [ranks.observe(2.0) for _ in range(3)] == [0.875, 0.75, 0.625]


def test_a_length_that_is_no_number_ranks_as_nothing():
    """Certainty about a vector of infinite length, 0 x inf, does not spoil the ranks of others."""
    measure, taught = ModelChange(recent=2), taught_with(model=Logistic(0.05, 0.0))
    for _ in range(5):
        measure.observe("wild", {"x": 1e200}, {"a": 1.0, "b": 0.0}, taught)
        assert 0.0 <= measure.observe("tame", {"x": 1.0}, KEEN, taught) <= 1.0


# Density


def test_density_lowers_what_is_far_from_all():
    """With neighbours at distance 1 as usual, one at distance 4 counts a quarter, to the power beta."""
    for beta in (1.0, 2.0):
        measure, taught = Density(recent=50, neighbours=1, beta=beta), taught_with()
        measure.observe("a", {"x": 0.0}, KEEN, taught)
        near = measure.observe("b", {"x": 1.0}, KEEN, taught)
        measure._surroundings._usual = 1.0
        far = measure.observe("c", {"x": 5.0}, KEEN, taught)
        assert near == 1.0
        assert far == pytest.approx((1.06 / 4.0) ** beta)  # usual moved by 0.02 x (4 - 1)


def test_density_needs_uncertainty_as_well():
    """In the middle of all samples a certain prediction is worth nothing."""
    measure, taught = Density(), taught_with()
    for number in range(30):
        measure.observe(str(number), {"x": 1.0}, KEEN, taught)
    assert measure.observe("s", {"x": 1.0}, {"a": 1.0, "b": 0.0}, taught) == 0.0


# Cognitive dual query


def test_cognitive_by_hand():
    """Four places on a line (Liu et al. 2023): who becomes a remembered sample's nearest neighbour passes, who does not is worth 0."""
    measure, taught = Cognitive(memories=10), taught_with()
    utilities = [measure.observe(str(x), {"x": x}, {"a": 0.6, "b": 0.4}, taught) for x in (0.0, 4.0, 9.0, 3.0)]
    # 0 is the first; 4 is the first neighbour of 0; 9 is nearer to nobody than 0 to 4; 3 is nearer to both 0 and 4.
    assert utilities == [0.0, pytest.approx(0.4), 0.0, pytest.approx(0.4)]
    assert [memory.recalls for memory in measure._about] == [2, 1, 0, 0]
    assert [memory.nearest for memory in measure._about] == [3.0, 1.0, 5.0, 1.0]


def test_cognitive_forgets_the_weakest():
    """The strength is exp(-t / (recalls + 1)): of two as old, the one that was never recalled goes."""
    measure, taught = Cognitive(memories=3), taught_with()
    for x in (0.0, 1.0, 50.0, 200.0):
        measure.observe(str(x), {"x": x}, KEEN, taught)
    # At 200 (t = 3): 0.0 was recalled at 1 (exp(-2/2)), 1.0 never (exp(-2)), 50 never (exp(-1)).
    assert measure._window.rows[:, 0].tolist() == [0.0, 50.0, 200.0]


def test_cognitive_without_uncertainty_is_the_random_variant():
    """With a weight of 0 whatever passes the gate has utility 1, however certain."""
    measure, taught = Cognitive(weight=0.0), taught_with()
    measure.observe("a", {"x": 0.0}, KEEN, taught)
    assert measure.observe("b", {"x": 1.0}, {"a": 1.0, "b": 0.0}, taught) == 1.0


# Probabilistic


def test_expected_gain_of_ignorance_by_hand():
    """No labels and one to come, prior a each: the second class wins half the time, then by 1 of 2a + 1: 0.5 / 1.002."""
    assert expected_gain([0.0, 0.0], 1) == pytest.approx(0.5 / 1.002)


def test_expected_gain_by_hand():
    """Frequencies (1, 0), prior 1: only two labels for the second class turn it: P = 1x2/(3x4) = 1/6, by (3 - 2) / 5, over m = 2."""
    assert expected_gain([1.0, 0.0], 2, prior=1.0) == pytest.approx(1.0 / 60.0)
    assert expected_gain([1.0, 0.0], 1, prior=1.0) == 0.0


def test_expected_gain_falls_with_evidence():
    """More labels around are worth less, whether they agree or not."""
    assert expected_gain([0.0, 0.0], 2) > expected_gain([1.0, 1.0], 2) > expected_gain([20.0, 20.0], 2) > expected_gain([40.0, 1.0], 2)


# Epistemic


def test_plausibility_meets_its_bound():
    """With n1 = 1, n0 = 0 likelihood is t: t = 2t - 1 at 1 for ours; 1 - t = 2t - 1 at 2/3 for the other: 1/3 (Nguyen et al. 2019)."""
    assert plausibility(1.0, 0.0) == pytest.approx(1.0, abs=1e-6)
    assert plausibility(0.0, 1.0) == pytest.approx(1.0 / 3.0, abs=1e-6)
    assert epistemic(1.0, 0.0) == pytest.approx(1.0 / 3.0, abs=1e-6)


def test_plausibility_of_one_each():
    """n1 = n0 = 1: 4 t (1 - t) = 2t - 1 at t = (1 + sqrt(5)) / 4, where 2t - 1 = 0.618."""
    assert plausibility(1.0, 1.0) == pytest.approx((math.sqrt(5.0) - 1.0) / 2.0, abs=1e-6)


def test_noise_that_is_known_is_not_worth_asking():
    """A toss-up that was seen often is epistemically as certain as a clear answer; few labels are not."""
    assert epistemic(0.0, 0.0) == 1.0
    assert epistemic(2.0, 2.0) > 0.4
    assert epistemic(500.0, 500.0) < 0.1
    assert epistemic(500.0, 0.0) < 0.01


def test_evidence_counts_what_is_near():
    """Labels at the place count whole, far ones not at all, and the window forgets the oldest."""
    evidence = LastLabels(4)
    for x, code in ((9.0, 0), (0.0, 1), (0.0, 1), (10.0, 0), (10.0, 0)):
        evidence.learn({"x": x}, code)
    assert evidence.frequencies({"x": 0.0}, 2, 0.25) == pytest.approx([0.0, 2.0], abs=1e-6)
    assert evidence.frequencies({"x": 10.0}, 3, 0.25) == pytest.approx([2.0, 0.0, 0.0], abs=1e-6)


# Every measure


def made(name):
    """A measure, and a model that learned with its companion."""
    measure = INFORMED[name]()
    return measure, taught_with(measure.companion(lambda: build_model(ModelSpec(type="naive-bayes")).model))


wild = st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.text(max_size=3)
vectors = st.dictionaries(st.sampled_from("xyz"), wild, max_size=3)
chances = (st.floats(0.0, 1.0) | st.sampled_from([0.0, 1.0])).map(
    lambda p: {"a": p * (1.0 + 1e-10), "b": 1.0 - p}
)  # as off as a sum may be


@pytest.mark.parametrize("name", INFORMED)
@settings(max_examples=25, deadline=None)
@given(seen=st.lists(st.tuples(vectors, chances), max_size=15))
def test_every_measure_gives_a_utility(name, seen):
    """Whatever the vectors, utilities lie in [0, 1], but for a rounding, which the policy cuts off."""
    measure, taught = made(name)
    for number, (vector, probabilities) in enumerate(seen):
        assert -1e-9 <= measure.observe(str(number), vector, probabilities, taught) <= 1.0 + 1e-9


@pytest.mark.parametrize("name", INFORMED)
def test_every_measure_continues_from_its_state(name):
    """A measure that was restored from another one's state goes on as that one does, windows that have come round included."""
    (measure, taught), twin, chance = made(name), INFORMED[name](), random.Random(1)
    for number in range(450):
        p = chance.random()
        measure.observe(str(number), {"x": chance.gauss(0, 1), "y": chance.random()}, {"a": p, "b": 1 - p}, taught)
    twin.restore(measure.state())
    assert twin.state() == measure.state()
    for number in range(300):
        p, vector = chance.random(), {"x": chance.gauss(0, 1), "new": chance.random()}
        arguments = (f"later-{number}", vector, {"a": p, "b": 1 - p}, taught)
        assert twin.observe(*arguments) == measure.observe(*arguments)


@pytest.mark.parametrize("name", INFORMED)
def test_what_a_measure_keeps_is_bounded(name):
    """After thousands of samples with ever new columns the state is no larger than after a thousand."""
    measure, taught = made(name)
    sizes = []
    for number in range(3_000):
        measure.observe(str(number), {f"c{number}": 1.0, "x": float(number % 7)}, KEEN, taught)
        if number in (1_000, 2_999):
            sizes.append(len(measure.state()))
    assert sizes[1] <= sizes[0] + 64
    assert sizes[1] < 40_000


@pytest.mark.parametrize("name", INFORMED)
def test_every_measure_takes_note_of_what_nothing_is_known_about(name):
    """Without probabilities the utility is 1."""
    measure, taught = made(name)
    assert measure.observe("s", {"x": 1.0}, {}, taught) == 1.0


@pytest.mark.parametrize("name", INFORMED)
def test_every_measure_has_a_word(name):
    """What is asked because of it says so, and not with the word of another kind."""
    assert INFORMED[name].reason not in {"uncertain", "exploration", "cold-start", "random", "periodic"}


@pytest.mark.parametrize("name", ["density", "cognitive", "probabilistic"])
def test_what_is_forgotten_is_in_no_state(name):
    """Samples that are taken out leave no trace among the rows, also when the window has come round."""
    measure, taught = made(name)
    for number in range(333):
        measure.observe(str(number), {"x": 77.0 if number > 330 else float(number % 5)}, KEEN, taught)
    window = measure._window if name == "cognitive" else measure._surroundings._window
    assert 77.0 in window.rows[:, 0].tolist()
    measure.forget(["331", "332", "never"])
    assert 77.0 not in window.rows[:, 0].tolist()
    measure.observe("next", {"x": 1.0}, KEEN, taught)
