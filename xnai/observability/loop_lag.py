"""How late the event loop is, and where its thread is when it does not turn."""

import asyncio
import sys
import threading
import time
import traceback
from collections import deque
from pathlib import PurePath
from types import FrameType
from typing import Self

import structlog

from xnai.aio import Background
from xnai.observability import metrics
from xnai.observability.instruments import Histogram

log = structlog.get_logger(__name__)

_DEPTH = 15  # innermost calls that are named
_RECENT_SECONDS = 10.0
_WAITING = frozenset({"select", "poll", "_poll"})


class LoopLag:
    """Measures by how much the event loop oversleeps; an async context, or start and stop."""

    def __init__(self, histogram: Histogram | None = None, interval: float = 0.25) -> None:
        self._histogram = histogram or metrics.event_loop_lag
        self._interval = interval  # seconds
        self._samples: deque[float] = deque(maxlen=max(1, round(_RECENT_SECONDS / interval)))
        self._sampling = Background(self._sample, "event-loop-lag")

    @property
    def last(self) -> float:
        """The newest sample, in seconds."""
        return self._samples[-1] if self._samples else 0.0

    @property
    def longest(self) -> float:
        """The longest lag of the last ten seconds, in seconds."""
        return max(self._samples, default=0.0)

    def start(self) -> None:
        """Begin to sample in a task of its own."""
        self._sampling.start()

    async def stop(self) -> None:
        """Stop sampling."""
        await self._sampling.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _sample(self) -> None:
        while True:
            due = time.monotonic() + self._interval
            await asyncio.sleep(self._interval)
            lag = max(0.0, time.monotonic() - due)
            self._samples.append(lag)
            self._histogram.observe(lag)
            metrics.settle()


class LoopWatchdog:
    """Logs the stack of the loop's thread when the loop lags; names of code only, no values.

    A thread of its own looks, since the loop cannot.

    Args:
        limit: lag in seconds that is told.
        interval: seconds between two looks.
        pause: seconds between two lines in the log; what comes in between is counted.

    """

    def __init__(self, limit: float = 0.2, interval: float = 0.2, pause: float = 10.0) -> None:
        self._limit = limit
        self._interval = interval
        self._pause = pause
        self._beat = 0.0
        self._thread_id = 0
        self._beating = Background(self._sign_of_life, "event-loop-watchdog")
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to watch the running loop."""
        if self._beating.runs:
            return
        self._thread_id = threading.get_ident()
        self._beat = time.monotonic()
        self._stopped.clear()
        self._beating.start()
        threading.Thread(target=self._watch, name="event-loop-watchdog", daemon=True).start()

    async def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        await self._beating.stop()

    async def _sign_of_life(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(self._interval)

    def _watch(self) -> None:
        told, told_beat, untold = -self._pause, 0.0, 0
        while not self._stopped.wait(self._interval):
            now, beat = time.monotonic(), self._beat
            if beat == told_beat or now - beat < self._interval + self._limit:
                continue
            told_beat = beat  # one stall is one line, however long it lasts
            if now - told < self._pause:
                untold += 1
                continue
            frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - the only way
            log.warning(
                "the event loop lags",
                seconds=round(now - beat, 3),
                earlier_untold=untold,
                stack=stack_of(frame),
            )
            told, untold = now, 0


def stack_of(frame: FrameType | None) -> str:
    """The innermost calls of a thread as ``file:line function``, without source or values."""
    calls = traceback.extract_stack(frame)[-_DEPTH:] if frame is not None else []
    if not calls or calls[-1].name in _WAITING:
        return "no handler: the process got no processor time"
    named = (f"{'/'.join(PurePath(c.filename).parts[-2:])}:{c.lineno} {c.name}" for c in calls)
    return " > ".join(named)
