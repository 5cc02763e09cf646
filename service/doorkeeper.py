"""What keeps a running server's guard true to the stored keys: new and revoked ones within a second, and when each was last used.

Keys are read and written beside the loop. What cannot be read is tried again, and a door that was closed stays closed meanwhile.
"""

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

    def version(self) -> object:
        """What changes whenever keys are added, revoked or noted; None where no key was ever made."""
        ...

    def all(self) -> Sequence[Key]:
        """Every key ever made, revoked ones too."""
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
        self._version = keys.version()
        guard.load(keys.all(), time.monotonic())

    def start(self) -> None:
        """Begin to look after the keys."""
        self._task = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        """End, and note the last uses, if that can be done."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._note()

    async def look(self) -> None:
        """Take over what changed."""
        version = await asyncio.to_thread(self._keys.version)
        if version == self._version:
            return
        try:
            keys = await asyncio.to_thread(self._keys.all)
        except Unavailable as error:
            self._guard.close()
            _log.error("keys cannot be read, so no new ones are let in", error=str(error))
            return
        before = self._guard.used()
        self._guard.load(keys, time.monotonic())
        self._version = version
        await self._note(before)  # a key that was revoked is not asked again when it was used

    async def _forever(self) -> None:
        noted = time.monotonic()
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self.look()
                if time.monotonic() - noted >= _NOTED:
                    noted = time.monotonic()
                    await self._note()
            except Exception:  # noqa: BLE001 - whatever goes wrong, the next look is taken
                _log.exception("looking after keys failed")

    async def _note(self, used: Mapping[str, float] | None = None) -> None:
        shift = self._clock() - time.monotonic()
        noted = {key_id: at + shift for key_id, at in (self._guard.used() if used is None else used).items()}
        if not noted:
            return
        try:
            await asyncio.to_thread(self._keys.note, noted)
        except Unavailable as error:
            _log.warning("the last uses of keys cannot be noted", error=str(error))
