"""What keeps a running server's guard true to the stored keys: new and revoked ones within a second, and when each was last used."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from service.core.errors import Unavailable
from service.guard import Guard, Key
from service.ports import Clock

PERIOD = 1.0  # seconds between looks at the stored keys
_NOTED = 30.0  # seconds between writes of when keys were used

_log = structlog.get_logger("askwhen.keys")


class Keys(Protocol):
    """Where keys are stored."""

    def all(self) -> Sequence[Key]:
        """Every key ever made, revoked ones too."""
        ...

    def changed(self) -> bool:
        """Whether keys were added or revoked since the last call."""
        ...

    def note(self, used: Mapping[str, float]) -> None:
        """Note when keys were last used, by id, in seconds since 1970."""
        ...


class Doorkeeper:
    """One task beside the requests."""

    def __init__(self, keys: Keys, guard: Guard, clock: Clock) -> None:
        """Load the keys at once; raises `Unavailable` where they cannot be read."""
        self._keys = keys
        self._guard = guard
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.look()

    def look(self) -> None:
        """Take over what changed."""
        if self._keys.changed():
            self._note()  # a key that was revoked is not asked again when it was used
            self._keys.changed()  # that was us; what others change from here on is read below
            self._guard.load(self._keys.all(), time.monotonic())

    def start(self) -> None:
        """Begin to look after the keys."""
        self._task = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        """End, and note the last uses."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._note()

    async def _forever(self) -> None:
        noted = time.monotonic()
        while True:
            await asyncio.sleep(PERIOD)
            try:
                self.look()
                if time.monotonic() - noted >= _NOTED:
                    noted = time.monotonic()
                    self._note()
            except Unavailable as error:
                _log.warning("keys unavailable", error=str(error))

    def _note(self) -> None:
        shift = self._clock() - time.monotonic()
        used = {key_id: at + shift for key_id, at in self._guard.used().items()}
        if used:
            self._keys.note(used)
