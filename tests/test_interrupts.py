"""Ctrl-C for work with threads."""

import signal

import pytest

from service.demo.interrupts import gently


def test_the_first_interrupt_waits_for_who_looks_and_the_second_does_not():
    """Nothing is raised where it comes, but where the work looks; then as ever."""
    before = signal.getsignal(signal.SIGINT)
    with gently() as wish:
        wish.check()
        signal.raise_signal(signal.SIGINT)
        assert wish.ending
        with pytest.raises(KeyboardInterrupt):
            wish.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    assert signal.getsignal(signal.SIGINT) is before
