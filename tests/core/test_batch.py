"""What is picked together: useful samples that differ from one another, the same ones every time."""

import numpy as np

from service.core.batch import WIDTH, Table, pick


def rows_of(vectors):
    """Vectors as rows."""
    table = Table()
    for vector in vectors:
        table.add(vector)
    return table.rows()


def clouds(centres, count, seed=0):
    """Samples around centres, one cloud after the other."""
    generator = np.random.default_rng(seed)
    return rows_of([{"x": x + a, "y": y + b} for x, y in centres for a, b in generator.normal(0, 0.05, (count, 2))])


def test_one_of_each_cloud_is_picked():
    """While nothing is known, a batch stands for all samples."""
    rows = clouds([(0, 0), (3, 0), (0, 3), (-3, -3)], 50)

    assert sorted(place // 50 for place in pick(rows, [1.0] * 200, 4, 1)) == [0, 1, 2, 3]


def test_large_groups_of_equal_samples_are_asked_about_more_often():
    """Where there are fewer kinds of samples than questions, by the square root of their number."""
    rows = rows_of([{"x": 0.0}] * 80 + [{"x": 3.0}] * 20)

    picked = pick(rows, [1.0] * 100, 10, 1)

    assert len(set(picked)) == 10
    assert sum(place < 80 for place in picked) == 7


def test_outliers_are_not_what_a_batch_is_about():
    """A few samples far from all others and from one another get few of the questions or none."""
    rows = rows_of(
        [{"x": x, "y": y} for x, y in np.random.default_rng(0).normal(0, 1, (500, 2))] + [{"z": float(n)} for n in range(40, 50)]
    )

    assert sum(place >= 500 for place in pick(rows, [1.0] * 510, 30, 1)) <= 1


def test_what_is_sure_is_not_asked():
    """A cloud without utility gets no question while there are others."""
    rows = clouds([(0, 0), (3, 0), (0, 3)], 50)

    assert all(place >= 50 for place in pick(rows, [0.0] * 50 + [0.8] * 100, 6, 1))


def test_it_repeats_and_never_twice_the_same():
    """The same seed gives the same batch."""
    rows = clouds([(0, 0), (1, 1)], 100)
    utilities = np.random.default_rng(3).random(200).tolist()

    assert pick(rows, utilities, 20, 7) == pick(rows, utilities, 20, 7)
    assert len(set(pick(rows, utilities, 20, 7))) == 20


def test_all_are_picked_where_there_are_no_more():
    """The most useful first; of nothing nothing."""
    rows = clouds([(0, 0)], 3)

    assert pick(rows, [0.1, 0.9, 0.5], 5, 1) == [1, 2, 0]
    assert pick(rows_of([]), [], 5, 1) == []
    assert max(pick(rows_of([{}] * 8), [1.0] * 8, 3, 1)) < 8


def test_many_columns_share_places():
    """Rows are of one width, however many words there are, and string values are columns."""
    rows = rows_of([{f"w{number}": 1.0, "c": "blue"} for number in range(3 * WIDTH)])

    assert rows.shape[0] == 3 * WIDTH
    assert rows.shape[1] <= WIDTH
