"""The pool: which samples are kept, how many, how many bytes, and for how long."""

import pytest

from service.core.config import PoolSpec
from service.core.pool import MOST_BYTES, Pool


def filled(spec, count, utility=lambda number: 0.5, width=1, seed=1):
    """A pool that was offered so many samples, a second apart."""
    pool = Pool(spec, seed)
    for number in range(count):
        pool.offer(f"{number}", {"x": float(number), "t": "y" * width}, utility(number), float(number))
    return pool


def numbers(pool):
    """Which samples are there."""
    return sorted(int(sample_id) for sample_id, _ in pool.items())


def test_everything_is_kept_until_it_is_full():
    """The first ones stay, with their features."""
    pool = filled(PoolSpec(10), 10)

    assert numbers(pool) == list(range(10))
    assert pool.get("3").features == {"x": 3.0, "t": "y"}
    assert (pool.size.samples, pool.oldest, "3" in pool, "11" in pool) == (10, 0.0, True, False)


def test_a_reservoir_keeps_all_with_the_same_probability():
    """Up to 50 times its size; over 300 pools, each tenth of the samples has a tenth of the places."""
    counts = [0] * 10
    for seed in range(300):
        for number in numbers(filled(PoolSpec(20), 200, seed=seed)):
            counts[number // 20] += 1

    assert all(abs(count - 600) < 100 for count in counts)


def test_a_reservoir_forgets():
    """After many times its size only a few of the samples are old ones."""
    pool = filled(PoolSpec(50), 20_000)

    kept = numbers(pool)
    assert len(kept) == 50
    assert 15_000 < sum(kept) / 50 < 19_000
    assert sum(number >= 20_000 - 50 * 50 for number in kept) > 20


def test_useful_ones_are_kept():
    """Those of the highest utility, while their age is about the same."""
    pool = filled(PoolSpec(10, "useful"), 200, utility=lambda number: 0.9 if number % 20 == 7 else 0.1)

    assert numbers(pool) == list(range(7, 200, 20))


def test_usefulness_fades():
    """A sample of the past gives way to one that is half as useful."""
    pool = filled(PoolSpec(10, "useful"), 1_000, utility=lambda number: 0.9 if number < 10 else 0.45)

    assert min(numbers(pool)) > 100


@pytest.mark.parametrize("keep", ["reservoir", "useful"])
def test_it_is_bounded_in_bytes(keep):
    """Large samples leave room for fewer, and one that is too large stays out."""
    pool = filled(PoolSpec(10_000, keep), 400, width=30_000)
    before = pool.size
    for number in range(100):
        pool.offer(f"large{number}", {"t": "y" * 70_000}, 1.0, 0.0)

    assert 100 < before.samples < 150
    assert before.bytes <= MOST_BYTES
    assert pool.size == before


@pytest.mark.parametrize("keep", ["reservoir", "useful"])
def test_what_leaves_makes_room(keep):
    """A sample that was let go is gone with its bytes, and the next one comes in."""
    pool = filled(PoolSpec(10, keep), 100)
    gone = numbers(pool)[:4]
    pool.discard(map(str, gone))
    pool.discard(["unknown"])

    assert not set(gone) & set(numbers(pool))
    assert pool.size.samples == 6
    pool.offer("new", {"x": 1.0, "t": "y"}, 0.5, 0.0)
    assert "new" in pool
    pool.discard([sample_id for sample_id, _ in pool.items()])
    assert (pool.size, pool.oldest, len(pool)) == ((0, 0), None, 0)


@pytest.mark.parametrize("keep", ["reservoir", "useful"])
def test_another_configuration_holds_at_once(keep):
    """A smaller size lets samples go, 0 all of them, and another choice goes on with what is there."""
    pool = filled(PoolSpec(100), 100, utility=lambda number: number / 100)
    pool.configure(PoolSpec(10, keep))
    assert len(pool) == 10
    pool.offer("new", {}, 1.0, 0.0)
    assert len(pool) == 10
    pool.configure(PoolSpec(0, keep))
    pool.offer("newer", {}, 1.0, 0.0)

    assert len(pool) == 0


def test_samples_of_an_age_are_found():
    """By the time at which they were passed over."""
    assert sorted(filled(PoolSpec(10), 10).older(3.0)) == ["0", "1", "2"]


def test_an_id_that_comes_again_stands_once():
    """With its newest features."""
    pool = Pool(PoolSpec(10), 1)
    for number in range(3):
        pool.offer("a", {"x": number}, 0.5, 0.0)

    assert (len(pool), pool.get("a").features) == (1, {"x": 2})
