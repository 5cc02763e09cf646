"""How a process in the background begins. It imports nothing of weight: whatever does must give way to the server already."""

import multiprocessing
import os
import threading

_NICE = 10  # the server goes first


def settle_in() -> None:
    """Give way to the server: on Linux altogether while it has work, elsewhere as far as being nice goes."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(_NICE)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
