"""Ctrl-C for work with threads: the first one is seen where nothing is half done. It knows no work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Wish:
    """Whether somebody wants it to end."""

    def __init__(self) -> None:
        """Nobody does yet."""
        self.ending = False

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if so."""
        if self.ending:
            raise KeyboardInterrupt


@contextmanager
def gently() -> Iterator[Wish]:
    """Have the first interrupt noted, for whoever looks; a second one raises where it comes.

    Raised in the middle of a pool's own steps it would leave a thread behind that nobody ends, and be lost in a callback.
    """
    wish = Wish()

    def note(_number: int, _frame: object) -> None:
        wish.check()
        wish.ending = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
