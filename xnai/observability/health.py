"""How the parts of a server are doing, known beforehand: whoever looks waits for nothing.

A part is looked at by a task in the background, never by the request that wants to know; a look
that hangs makes its part ``down`` and goes on hanging alone.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from xnai.aio import cancel_and_wait, in_thread, sleep_to_tick
from xnai.errors import DATA_READ_ONLY, DISK_LOW, PART_FAILED, PART_SILENT, XnaiError
from xnai.observability.loop_lag import LoopLag
from xnai.sqlite.errors import cannot_be_written

PartState = Literal["unknown", "ready", "degraded", "down"]
Look = Callable[[], Awaitable[str]]

LIMIT_SECONDS = 3.0  # without an outcome of a look, its part is down
EVERY_SECONDS = 5.0  # between two looks
DISK_LEAST = 500_000_000  # bytes; less is told
_WRITE_EVERY = 60.0  # seconds between two looks whether the disk takes anything at all
DISK_NEEDED = 20_000_000  # bytes; with less nothing can be stored

_log = structlog.get_logger(__name__)


class PartDegraded(Exception):  # noqa: N818 - the part works, so it is no error
    """Raised by a look: the part does its work, but not all of it, or not for long."""

    def __init__(self, error: XnaiError) -> None:
        self.error = error
        super().__init__(error.message)


@dataclass(slots=True)
class Part:
    """What is known of one part; times are seconds since the epoch.

    ``error`` is why it is not ready; ``last_error`` and ``last_error_at`` outlive it.
    """

    name: str
    state: PartState = "unknown"
    since: float = 0.0
    detail: str = ""
    error: XnaiError | None = None
    last_error: str = ""
    last_error_at: float = 0.0
    next_look: float | None = None  # of time.monotonic(); None while one is under way

    @property
    def next_look_in(self) -> float | None:
        """Seconds to the next look."""
        return None if self.next_look is None else max(0.0, self.next_look - time.monotonic())

    def become(self, state: PartState, detail: str = "", error: XnaiError | None = None) -> None:
        """Note what a look, or the part itself, has shown."""
        if state != self.state:
            self.since = time.time()
            log = _log.info if state == "ready" else _log.warning
            if (self.state, state) != ("unknown", "ready"):
                code = error.code if error else None
                log("part_changed", part=self.name, state=state, code=code, reason=detail)
        self.state, self.detail, self.error = state, detail, error
        if error is not None:
            self.last_error, self.last_error_at = error.code, time.time()

    def failed(self, error: XnaiError) -> None:
        """Note an error that the part got over."""
        self.last_error, self.last_error_at = error.code, time.time()


class Health:
    """The parts of one server, and the tasks that look at them.

    Args:
        lag: measures the event loop.
        every: seconds between two looks at a part.
        limit: seconds without an outcome after which a part counts as down.

    """

    def __init__(
        self, lag: LoopLag | None = None, every: float = EVERY_SECONDS, limit: float = LIMIT_SECONDS
    ) -> None:
        self.loop_lag = lag or LoopLag()
        self.parts: dict[str, Part] = {}
        self._every = every
        self._limit = limit
        self._looks: dict[str, tuple[Look, float, float]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running = False

    def add(
        self, name: str, look: Look | None = None, every: float = 0.0, limit: float = 0.0
    ) -> Part:
        """Know of a part from now on.

        Args:
            name: as it is shown.
            look: returns words for people, or raises XnaiError or ``PartDegraded``; None for a part
                that says itself how it is doing.
            every: seconds between two looks; 0: as for the others.
            limit: seconds without an outcome after which it is down; 0: as for the others.

        """
        part = self.parts[name] = Part(name, since=time.time())
        if look is not None:
            self._looks[name] = (look, every or self._every, limit or self._limit)
            if self._running:
                self._begin(name)
        return part

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._running = True
        for name in self._looks:
            self._begin(name)

    async def stop(self) -> None:
        """Stop looking; a look that hangs in a thread is left to it."""
        self._running = False
        tasks, self._tasks = self._tasks, {}
        await cancel_and_wait(*tasks.values())

    def _begin(self, name: str) -> None:
        if name not in self._tasks:
            watching = self._watch(self.parts[name], *self._looks[name])
            self._tasks[name] = asyncio.create_task(watching, name=f"health-{name}")

    async def _watch(self, part: Part, look: Look, every: float, limit: float) -> None:
        while True:
            part.next_look = None
            await self._look(part, look, limit)
            part.next_look = time.monotonic() + every
            await sleep_to_tick(every)

    async def _look(self, part: Part, look: Look, limit: float) -> None:
        """Look once, however long it takes; being silent is an outcome, too."""
        looking = asyncio.ensure_future(look())
        began = time.monotonic()
        try:
            while not (await asyncio.wait({looking}, timeout=limit))[0]:
                error = XnaiError(PART_SILENT, part=part.name, seconds=time.monotonic() - began)
                part.become("down", error.message, error)
            self._conclude(part, looking)
        finally:
            looking.cancel()

    def _conclude(self, part: Part, looking: "asyncio.Future[str]") -> None:
        if looking.cancelled():  # what was looked at is being closed
            return
        try:
            part.become("ready", looking.result())
        except PartDegraded as exc:
            part.become("degraded", exc.error.message, exc.error)
        except XnaiError as exc:
            part.become("down", exc.message, exc)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the part is not well
            error = XnaiError(PART_FAILED, part=part.name, reason=type(exc).__name__)
            part.become("down", error.message, error)


def disk_look(folder: Path, keep: Callable[[], str]) -> Look:
    """A look at the room that is left where the program writes.

    ``keep`` blocks; it sees to the room that is kept for deleting, and says so in words.
    """
    next_try = 0.0

    def measure() -> tuple[int, str]:
        nonlocal next_try
        if time.monotonic() >= next_try:
            if cannot_be_written(folder):
                raise XnaiError(DATA_READ_ONLY, folder=folder)
            next_try = time.monotonic() + _WRITE_EVERY
        return shutil.disk_usage(folder).free, keep()

    async def look() -> str:
        free, kept = await in_thread(measure)
        words = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.0f} MB"  # noqa: PLR2004
        error = XnaiError(DISK_LOW, free=words, kept=kept)
        if free < DISK_NEEDED:
            raise error
        if free < DISK_LEAST:
            raise PartDegraded(error)
        return f"{words} free"

    return look
