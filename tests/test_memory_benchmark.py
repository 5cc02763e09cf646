"""The memory benchmark's verdict: growth is told from a level reached early, and from the workshop's memory."""

from benchmarks.memory import MIB, Look, growth


def looks(size):
    """Ten minutes of looks at a server whose memory is a function of time; the workshop grows all the while."""
    return [Look(float(at), size(at), at * MIB) for at in range(0, 602, 2)]


def test_a_server_that_grows_is_told():
    """A tenth of a MiB a second is 30 of 260 MiB in the last half."""
    share, hourly = growth(looks(lambda at: 200 * MIB + at * MIB // 10))

    assert (round(share, 2), round(hourly / MIB)) == (0.12, 360)


def test_a_level_that_is_reached_in_the_first_half_is_flat():
    """Warming up is no growth."""
    share, _ = growth(looks(lambda at: min(at, 250) * MIB))

    assert share == 0.0
