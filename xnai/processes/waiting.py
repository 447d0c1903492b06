"""How long a process waits for a processor: what tells a busy machine from a process that hangs."""

import contextlib
import time
from pathlib import Path

_TASKS = "/proc/{pid}/task"  # Linux; elsewhere nothing is known, and nobody seems to wait


class ProcessorWait:
    """Looks at one process, time and again."""

    def __init__(self, pid: int) -> None:
        self._tasks = Path(_TASKS.format(pid=pid))
        self._looked_at = time.monotonic()
        self._waited = _waited(self._tasks)

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
