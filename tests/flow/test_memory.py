"""The answers that a server remembers: how many, which go first, and that nothing of a forgotten one is left."""

import asyncio
import gc

import pytest

from service.core.records import BudgetView, Decision, Prediction, Query
from service.streams import Memory


class Kept(dict):
    """Features that can be found among all objects."""


def put(memory, stream, sample_id, number):
    """Have an answer remembered."""
    query = Query(False, 0.1, "confident", 0.5, None, "logit", BudgetView(1, 0, 50, 0))
    decision = Decision(sample_id, 0, Prediction(None, None, {}), query)
    memory.put(stream, decision, {"x": number}, Kept(x=number))


def alive():
    """The numbers of the features that anybody still holds."""
    gc.collect()
    return {found["x"] for found in gc.get_objects() if isinstance(found, Kept)}


@pytest.fixture
def memory():
    """A memory of four answers."""
    return Memory(4)


def test_the_oldest_answers_go_first(memory):
    """Over all streams; what is kept is what was put last."""
    for number in range(6):
        put(memory, "st"[number % 2], f"{number}", number)

    assert [memory.get("st"[number % 2], f"{number}") is not None for number in range(6)] == [False] * 2 + [True] * 4
    assert alive() == {2, 3, 4, 5}


def test_nothing_is_left_of_what_was_dropped(memory):
    """Its features are held by nobody, at once, and the others stay."""
    for number in range(3):
        put(memory, "s", f"{number}", number)
    memory.drop("s", "1")
    memory.drop("s", "nobody")

    assert (memory.get("s", "1"), alive()) == (None, {0, 2})


def test_nothing_is_left_of_a_stream_that_was_forgotten(memory):
    """And a new one of its name remembers its own answers for as long as any other."""
    put(memory, "s", "a", 0)
    put(memory, "t", "a", 1)
    memory.forget("s")
    left = alive()
    for number in range(2, 5):
        put(memory, "s", "abc"[number - 2], number)

    assert left == {1}
    assert alive() == {1, 2, 3, 4}
    put(memory, "s", "d", 5)
    assert alive() == {2, 3, 4, 5}


async def test_a_long_streams_answers_go_in_turns():
    """Others have the loop in between, and in the end nothing is left."""
    memory = Memory(10_000)
    for number in range(5_000):
        put(memory, "s", f"{number}", number)
    memory.forget("s")
    first, gone = len(alive()), memory.get("s", "0") is None
    for _ in range(10):
        await asyncio.sleep(0)

    assert (gone, first, alive()) == (True, 4_000, set())


@pytest.mark.parametrize("drop", [True, False])
def test_an_id_that_comes_again_is_remembered_from_then_on(memory, drop):
    """Whether it was dropped or answered anew: the turn of its first answer does not take the second away."""
    for number in range(2):
        put(memory, "s", "a", number)
        if drop and not number:
            memory.drop("s", "a")
    for number in range(2, 5):
        put(memory, "s", f"{number}", number)
    after = alive()
    put(memory, "s", "5", 5)

    assert after == {1, 2, 3, 4}
    assert alive() == {2, 3, 4, 5}
    assert not memory._streams["s"].gone
