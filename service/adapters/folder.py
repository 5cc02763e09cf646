"""Whose data folder it is. It reads and writes nothing in it but the lock."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from service.core.errors import FolderInUse

_PATIENCE = 10.0  # seconds that what a dead server left running has to finish
_LOOK = 0.02  # seconds between looks


class FolderLock:
    """Holds a data folder, so that two servers never share one; the system lets go of it when the last process that has it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, after what a dead server's writer has still to do; raises `FolderInUse`."""
        self._file = (folder / "lock").open("a+")
        until = time.monotonic() + _PATIENCE
        while not self._taken():
            holder = self._holder()
            if _lives(holder):
                self._file.close()
                message = f"another server (process {holder}) holds the data folder {folder}; stop it or choose another folder with --data"
                raise FolderInUse(message)
            if time.monotonic() > until:
                self._file.close()
                message = f"the log's writer of a server that is gone (process {holder}) still holds the data folder {folder}; end it"
                raise FolderInUse(message)
            time.sleep(_LOOK)
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def fileno(self) -> int:
        """The descriptor: a process that inherits it holds the folder as well."""
        return self._file.fileno()

    def release(self) -> None:
        """Let go."""
        self._file.close()

    def _taken(self) -> bool:
        with contextlib.suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _holder(self) -> str:
        self._file.seek(0)
        return self._file.read().strip() or "unknown"


def _lives(holder: str) -> bool:
    """Whether that process is there: in a new container it can have this one's number, and then it is gone."""
    if not holder.isdecimal():
        return True
    if int(holder) == os.getpid():
        return False
    try:
        os.kill(int(holder), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
