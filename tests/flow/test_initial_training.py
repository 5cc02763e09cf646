"""Labels that are there already: they teach, cost nothing, and leave the start-up grant to what the model is unsure of."""

import random

import pytest


def rows(count, seed):
    """Samples that a line separates."""
    chance = random.Random(seed)
    for _ in range(count):
        x, y = chance.gauss(0, 1), chance.gauss(0, 1)
        yield {"x": x, "y": y}, "yes" if x + y > 0 else "no"


async def imported(house, count):
    """Have labels come that nobody asked for."""
    for number, (features, label) in enumerate(rows(count, 1)):
        await house.flow.label("s", f"old-{number}", label, "u", features=features)


async def streamed(house, count):
    """Have samples come, and every question answered; gives the decisions."""
    decided = []
    for number, (features, label) in enumerate(rows(count, 2)):
        decision = (await house.flow.observe("s", f"{number}", features)).decision
        decided.append(decision)
        if decision.query.ask:
            await house.flow.label("s", f"{number}", label, "u")
    return decided


@pytest.fixture
async def stream(house):
    """A house with the default budget."""
    await house.administration.put("s", {})
    return house


async def test_labels_of_the_past_cost_nothing(stream):
    """They teach, and are no samples, no questions, no evidence; the whole grant is left."""
    await imported(stream, 300)
    learner = stream.learner()
    assert (learner.labels, learner.budget.seen, learner.budget.spent, learner.budget.grant_left) == (300, 0, 0, 50.0)
    assert len(learner.evidence) == 0


async def test_the_budget_holds_after_them_at_every_prefix(stream):
    """Law 6: asked - given back <= rate x seen + burst, whatever was imported before or between."""
    await imported(stream, 100)
    for decision in await streamed(stream, 400):
        view = decision.query.budget
        assert view.asked <= 0.05 * view.seen + 50
        assert decision.query.probability > 0.0 or view.asked >= view.allowed


async def test_a_trained_model_predicts_at_once_and_asks_less(stream, build):
    """No question for want of classes, a sound prediction from the first sample on, and less of the grant spent than by a model without."""
    await imported(stream, 300)
    trained = await streamed(stream, 200)
    other = build()
    await other.administration.put("s", {})
    await streamed(other, 200)
    right = [decision.prediction.label == label for decision, (_, label) in zip(trained, rows(200, 2), strict=True)]
    assert sum(right[:50]) >= 40
    assert "cold-start" not in {decision.query.reason for decision in trained}
    assert stream.learner().budget.asked < other.learner().budget.asked
    assert stream.learner().budget.grant_left > other.learner().budget.grant_left
