"""Rounds that only count if the machine was otherwise idle.

Spin-waiting servers lose most of their speed to one busy neighbour (see neighbour.py), so a
disturbed round would flatter whoever is measured against them.
"""

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psutil

QUIET_CORES = 0.1
ATTEMPTS_A_ROUND = 3
PATIENCE_SECONDS = 60.0

Figures = Mapping[str, float]
Rows = dict[str, dict[str, list[float]]]


class Neighbours:
    """CPU time that went to none of this process and its descendants, the host's share included."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._others = _machine() - _own()

    def cores(self) -> float:
        """Cores that others kept busy since this object was made."""
        used = _machine() - _own() - self._others
        return max(0.0, used / (time.monotonic() - self._began))


def _machine() -> float:
    times = psutil.cpu_times()
    spent = times.user + times.nice + times.system + times.irq + times.softirq
    return float(spent + getattr(times, "steal", 0.0))


def _own() -> float:
    """Seconds of the living and of the dead that were waited for."""
    total, me = 0.0, psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


@dataclass(slots=True)
class Round:
    """What each server did in one round, and how busy the neighbours were at worst (cores)."""

    number: int
    figures: dict[str, Figures] = field(default_factory=dict)
    noise: float = 0.0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch the neighbours for as long as the block runs."""
        neighbours = Neighbours()
        yield
        self.noise = max(self.noise, neighbours.cores())


def wait_until_quiet(patience: float) -> None:
    """Return after a second in which the neighbours were idle, or when ``patience`` ends."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        neighbours = Neighbours()
        time.sleep(1)
        if neighbours.cores() <= QUIET_CORES:
            return


class Rounds:
    """Yields rounds until ``wanted`` of them were quiet, or patience ends.

    With ``noisy`` all rounds count: their ratios say little, but a busy machine can try a bench.
    """

    def __init__(self, wanted: int, *, noisy: bool = False) -> None:
        self._wanted = wanted
        self._limit = math.inf if noisy else QUIET_CORES
        self._taken: list[Round] = []

    def __iter__(self) -> Iterator[Round]:
        """Rounds to be filled in."""
        for number in range(self._wanted * ATTEMPTS_A_ROUND):
            if self._limit == QUIET_CORES:
                wait_until_quiet(PATIENCE_SECONDS)
            current = Round(number)
            yield current
            self._taken.append(current)
            quiet = sum(one.noise <= self._limit for one in self._taken)
            words = "" if current.noise <= self._limit else ", too many: not counted"
            print(f"round {number + 1}: others used {current.noise:.2f} cores{words}", flush=True)
            if quiet >= self._wanted:
                return
        print(f"the machine is busy: the {self._wanted} quietest rounds count", flush=True)

    def rows(self) -> Rows:
        """Figure -> server -> its value in each round that counts."""
        counted = sorted(self._taken, key=lambda one: one.noise)[: self._wanted]
        rows: Rows = defaultdict(lambda: defaultdict(list))
        for one in sorted(counted, key=lambda one: one.number):
            for name, figures in one.figures.items():
                for figure, value in figures.items():
                    rows[figure][name].append(value)
        return rows
