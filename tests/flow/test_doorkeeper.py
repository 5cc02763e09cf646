"""The guard of a running server follows the stored keys, and stays closed where they cannot be read."""

import pytest

from service.core.errors import Unavailable
from service.doorkeeper import Doorkeeper
from service.guard import Guard, Scope, Unauthorized, new_key
from service.testing import ManualClock

READ = frozenset({Scope.READ})


class Stored:
    """Keys in memory that can be out of reach, or not be written."""

    def __init__(self):
        """None yet."""
        self.keys = []
        self.changes = 0
        self.noted = {}
        self.readable = self.writable = True

    def version(self):
        """How often they changed."""
        return self.changes

    def all(self):
        """All keys."""
        if not self.readable:
            raise Unavailable("the file is locked")
        return list(self.keys)

    def note(self, used):
        """Keep when they were used."""
        if not self.writable:
            raise Unavailable("the disk is full")
        self.noted |= used

    def change(self, *keys):
        """Store these keys instead."""
        self.keys, self.changes = list(keys), self.changes + 1


@pytest.fixture
def stored():
    """Where keys are stored."""
    return Stored()


@pytest.fixture
def guard():
    """A guard that knows nobody."""
    return Guard()


@pytest.fixture
def keeper(stored, guard):
    """Who looks after both."""
    return Doorkeeper(stored, guard, ManualClock())


def enters(guard, text):
    """Whether a key opens the door."""
    try:
        guard.admit(f"Bearer {text}".encode(), READ, 1.0)
    except Unauthorized:
        return False
    return True


async def test_new_and_revoked_keys_are_taken_over(stored, guard, keeper):
    """From the first key on everybody needs one."""
    assert guard.open
    text, key = new_key("a", READ, 0.0)
    stored.change(key)
    await keeper.look()
    assert (guard.open, enters(guard, text), enters(guard, "other")) == (False, True, False)
    stored.change()
    await keeper.look()
    assert not enters(guard, text)


async def test_a_change_that_could_not_be_read_is_read_later(stored, guard, keeper):
    """A revoked key is out as soon as the file can be read again."""
    text, key = new_key("a", READ, 0.0)
    stored.change(key)
    await keeper.look()
    stored.change()
    stored.readable = False
    await keeper.look()
    stored.readable = True
    await keeper.look()

    assert not enters(guard, text)


async def test_a_door_closes_where_the_first_keys_cannot_be_read(stored, guard, keeper):
    """There are keys, so nobody comes in without one."""
    stored.change(new_key("a", READ, 0.0)[1])
    stored.readable = False
    await keeper.look()

    assert not guard.open


async def test_a_closed_door_stays_closed_when_its_keys_are_gone(stored, guard, keeper):
    """A file that vanished opens nothing."""
    stored.change(new_key("a", READ, 0.0)[1])
    await keeper.look()
    stored.change()
    await keeper.look()

    assert not guard.open


async def test_uses_that_cannot_be_noted_stop_nothing(stored, guard, keeper):
    """Neither new keys nor the end of the server."""
    text, key = new_key("a", READ, 0.0)
    stored.change(key)
    await keeper.look()
    assert enters(guard, text)
    stored.writable = False
    stored.change(key, new_key("b", READ, 0.0)[1])
    await keeper.look()
    await keeper.stop()
    assert not stored.noted
    stored.writable = True
    assert enters(guard, text)
    await keeper.stop()

    assert stored.noted.keys() == {key.id}
