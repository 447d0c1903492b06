"""Whether the machine has anything else to do: what is measured beside that says nothing of it."""

import os
import time

import psutil  # type: ignore[import-untyped]

SPARE_CORES = 0.25  # that others may keep busy of those that the model computes with


class CrowdedError(Exception):
    """Others worked on the machine while it was measured."""


class Neighbours:
    """Counts the processor time of all that is not this program, since it was last asked.

    Args:
        threads: cores that the model computes with; the rest of the machine is anyone's.

    """

    def __init__(self, threads: int) -> None:
        self._allowed = max(0, (os.cpu_count() or threads) - threads) + SPARE_CORES
        self._asked = self._others = 0.0

    def too_busy(self) -> bool:
        """Whether others have kept more cores busy since the last call than are spare.

        Blocks for some milliseconds. So they have if there was no call before.
        """
        now, others = time.monotonic(), _machine() - _own()
        seconds, used = now - self._asked, others - self._others
        is_first, self._asked, self._others = not self._asked, now, others
        return is_first or used > self._allowed * seconds

    def require_quiet(self) -> None:
        """See that the machine had little else to do since the last call; blocks.

        Raises:
            CrowdedError: it had.

        """
        if self.too_busy():
            raise CrowdedError


def _machine() -> float:
    """Seconds in which cores worked, for the host's other guests too."""
    times = psutil.cpu_times()
    spent = times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "steal", 0.0)
    return float(spent)


def _own() -> float:
    """Seconds of this process and all it has started, also of those that are gone."""
    total, me = 0.0, psutil.Process()
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue  # it ended just now
        total += times.user + times.system + times.children_user + times.children_system
    return float(total)
