"""Whose data folder it is. It reads and writes nothing in it but the lock."""

import fcntl
import os
from pathlib import Path

from service.core.errors import FolderInUse


class FolderLock:
    """Holds a data folder, so that two servers never share one; the system lets go of it when the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; raises `FolderInUse`."""
        self._file = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            message = f"another server (process {holder}) holds the data folder {folder}; stop it or choose another folder with --data"
            raise FolderInUse(message) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let go."""
        self._file.close()
