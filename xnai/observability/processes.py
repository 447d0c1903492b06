"""Memory of the processes and space on the disk, looked at beside the event loop."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from xnai.aio import Background, sleep_to_tick
from xnai.observability.metrics import Metrics

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


def held(role: Role) -> int:
    """Bytes of memory that the processes of a role hold; 0 where the system does not tell."""
    return sum(resident(pid) for pid in tuple(_children[role]))


class Machine:
    """Looks every few seconds; a disk that hangs holds up nobody.

    Args:
        metrics: where the figures go.
        folder: on the disk that is looked at.

    """

    def __init__(self, metrics: Metrics, folder: Path) -> None:
        self._metrics = metrics
        self._folder = folder
        self._looking = Background(self._look_again, "machine")

    def start(self) -> None:
        """Begin to look in a task of its own."""
        self._looking.start()

    async def stop(self) -> None:
        """Look no longer."""
        await self._looking.stop()

    async def _look_again(self) -> None:
        while True:
            await asyncio.to_thread(self.look)
            await sleep_to_tick(_SECONDS)

    def look(self) -> None:
        """Read the figures; blocks as long as the disk does."""
        memory = self._metrics.memory_bytes
        memory.labels("server").set(resident(os.getpid()))
        for role in _children:
            memory.labels(role).set(held(role))
        with contextlib.suppress(OSError):
            self._metrics.disk_free_bytes.set(shutil.disk_usage(self._folder).free)
