"""How long a process waits for a processor: what tells a busy machine from a process that hangs."""

import contextlib
import time
from pathlib import Path

_TASKS = "/proc/{pid}/task"  # Linux; elsewhere nothing is known, and nobody seems to wait


_WAITED = 0.1  # of the time in which it waits, this part counts against it all the same
_OF_LATE = 10  # looks


class ProcessorWait:
    """Looks at one process, time and again.

    A machine that has no time for it makes it slow, and to kill it for that would make it slower.
    ``counting`` is which part of the time has counted against it of late.
    """

    def __init__(self, pid: int) -> None:
        self.counting = 1.0
        self._tasks = Path(_TASKS.format(pid=pid))
        self._looked_at = time.monotonic()
        self._waited = _waited(self._tasks)

    def counts(self) -> float:
        """Return which part of the time since the last look counts against a process that hangs."""
        counts = 1 - (1 - _WAITED) * self.share()
        self.counting += (counts - self.counting) / _OF_LATE
        return counts

    def share(self) -> float:
        """Return for which part of the time since the last look it waited, from 0 to 1.

        That of the thread which waited the most. One that sleeps does not wait, nor does one that
        was stopped or is at work.
        """
        before, began = self._waited, self._looked_at
        self._waited, self._looked_at = _waited(self._tasks), time.monotonic()
        most = max((now - before.get(task, 0) for task, now in self._waited.items()), default=0)
        return min(1.0, most / 1e9 / max(1e-3, self._looked_at - began))


def _waited(tasks: Path) -> dict[str, int]:
    """Return the nanoseconds that each thread has waited for a processor since it began."""
    found = {}
    with contextlib.suppress(OSError):
        for task in tasks.iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                told = (task / "schedstat").read_text(encoding="ascii")
                found[task.name] = int(told.split()[1])
    return found
