"""What a server and the processes that it started use, and on which core the latter run, from Linux' /proc."""

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def move(server: int, core: int) -> None:
    """Move what the server started to a core, thread by thread; the server itself stays."""
    for process in _started_by(server):
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def used(server: int) -> float:
    """CPU seconds of a server and what it started."""
    times = [_stat(Path(f"/proc/{process}"))[11:13] for process in (server, *_started_by(server))]
    return sum(int(user) + int(system) for user, system in times) / _TICK


def busy(core: int) -> float:
    """CPU seconds that a core was at work for anybody since the machine's start, time stolen by other guests included."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(ticks) for ticks in line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICK


def _started_by(process: int) -> list[int]:
    """The processes below one, all the way down."""
    parents = {int(folder.name): int(_stat(folder)[1]) for folder in Path("/proc").iterdir() if folder.name.isdecimal()}
    below = {process}
    while found := {child for child, parent in parents.items() if parent in below} - below:
        below |= found
    return sorted(below - {process})


def _stat(folder: Path) -> list[str]:
    """A process's figures behind its name, as proc(5) numbers them from 3 on; zeros for one that is gone."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["0"] * 50
