"""Contenders take turns: the measurement itself.

Other programs, the clock of the processor and the temperature change over seconds. Contenders that are measured one
after the other would each get another machine, so each has many short turns instead. What disturbs a repetition makes
it longer and never shorter: the minimum over all turns is what the contender can do.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

WARM_UP = 2
"""Repetitions that are not measured: the contender before has had the caches."""

REPETITIONS = 5
"""However long one repetition takes, a turn has as many as this."""

PAUSE = 0.02
"""Seconds between turns, in which the threads of the contender before stop spinning and go to sleep."""


@dataclass
class Timing:
    """Seconds of one repetition."""

    minimum: float
    median: float
    repetitions: int


Timer = Callable[[float], Timing]
"""Takes a turn of so many seconds."""


@dataclass(frozen=True)
class Schedule:
    rounds: int
    seconds: float
    """The length of a turn."""


def timer(step: Callable[[], object]) -> Timer:
    """Repeats a step of this process until the turn is over, as `timing.rs` does on the other side."""

    def turn(seconds: float) -> Timing:
        for _ in range(WARM_UP):
            step()
        times = []
        start = time.perf_counter()
        while len(times) < REPETITIONS or time.perf_counter() - start < seconds:
            before = time.perf_counter()
            step()
            times.append(time.perf_counter() - before)
        return Timing(min(times), statistics.median(times), len(times))

    return turn


def alternate(timers: dict[str, Timer], schedule: Schedule) -> dict[str, Timing]:
    """Gives each contender one turn a round; each round begins with another one."""
    names = list(timers)
    turns: dict[str, list[Timing]] = {name: [] for name in names}
    for round_number in range(schedule.rounds):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE)
            turns[name].append(timers[name](schedule.seconds))
    return {
        name: Timing(
            min(turn.minimum for turn in taken),
            statistics.median(turn.median for turn in taken),
            sum(turn.repetitions for turn in taken),
        )
        for name, taken in turns.items()
    }
