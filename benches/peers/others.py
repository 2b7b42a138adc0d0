"""How much of the processors other programs used.

Numbers from a busy machine mean little, above all with several threads: one that waits for another at a barrier waits
for whatever program has the other's processor.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


def watch(processes: Iterable[int]) -> Callable[[], float]:
    """Begins to watch; the returned function gives the share of all processors that neither this process nor these
    others used, but somebody did."""
    own = [os.getpid(), *processes]

    def used_by_others() -> float:
        return busy() - sum(map(used, own))

    start, used_before = time.perf_counter(), used_by_others()

    def share() -> float:
        elapsed = (time.perf_counter() - start) * os.cpu_count()
        return max(used_by_others() - used_before, 0.0) / elapsed

    return share


def busy() -> float:
    """Seconds that all processors have worked, and those in which another machine had them."""
    _, user, nice, system, _idle, _waiting, *rest = Path("/proc/stat").read_text().splitlines()[0].split()
    interrupts_and_stolen = rest[:3]
    return TICK * sum(map(int, (user, nice, system, *interrupts_and_stolen)))


def used(process: int) -> float:
    """Seconds that a process with all its threads has worked."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return TICK * (int(user) + int(system))
