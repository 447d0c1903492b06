"""Memory of the processes and space on the disk, looked at beside the event loop."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from xnai.telemetry.figures import Metrics

Role = Literal["model", "parser"]

_SECONDS = 5.0  # between two looks
_STATM = "/proc/{pid}/statm"  # Linux; elsewhere memory is not told

_children: dict[Role, set[int]] = {"model": set(), "parser": set()}


@contextmanager
def watched(role: Role, pid: int) -> Iterator[None]:
    """Count a process among those of its role while the block runs."""
    _children[role].add(pid)
    try:
        yield
    finally:
        _children[role].discard(pid)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if it is gone or the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = Path(_STATM.format(pid=pid)).read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


class Machine:
    """Looks every few seconds; a disk that hangs holds up nobody.

    Args:
        metrics: where the figures go.
        folder: on the disk that is looked at.

    """

    def __init__(self, metrics: Metrics, folder: Path) -> None:
        self._metrics = metrics
        self._folder = folder
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look in a task of its own."""
        if self._task is None:
            self._task = asyncio.create_task(self._look_again(), name="machine")

    async def stop(self) -> None:
        """Look no longer."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _look_again(self) -> None:
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(_SECONDS)

    def look(self) -> None:
        """Read the figures; blocks as long as the disk does."""
        memory = self._metrics.memory_bytes
        memory.labels("server").set(resident(os.getpid()))
        for role, pids in _children.items():
            memory.labels(role).set(sum(resident(pid) for pid in tuple(pids)))
        with contextlib.suppress(OSError):
            self._metrics.disk_free_bytes.set(shutil.disk_usage(self._folder).free)
