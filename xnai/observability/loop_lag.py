"""How late the event loop is, and where its thread is when it does not turn."""

import asyncio
import math
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
_TOGETHER = 10  # values that are handed over at once: five seconds of an idle server's
_LONGEST_LOOK = 1.0  # seconds between two looks of the watchdog
_WAITING = frozenset({"select", "poll", "_poll"})


class LoopLag:
    """Measures by how much the event loop oversleeps; an async context, or start and stop.

    Args:
        histogram: takes the samples.
        interval: seconds from one to the next. Waking is what an idle server costs, so this is the
            only timer that looks at the loop; the watchdog reads it.

    """

    def __init__(self, histogram: Histogram | None = None, interval: float = 0.5) -> None:
        self._histogram = histogram or metrics.event_loop_lag
        self._interval = interval
        self.due = math.inf  # when the loop is to turn next, as time.monotonic()
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
        self.due = time.monotonic() + self._interval
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
        try:
            while True:
                # With the other timers, at a multiple of the interval.
                now = time.monotonic()
                self.due = now + self._interval - now % self._interval
                await asyncio.sleep(self.due - now)
                lag = max(0.0, time.monotonic() - self.due)
                self._samples.append(lag)
                self._histogram.observe(lag)
                metrics.settle(_TOGETHER)
        finally:
            self.due = math.inf


class LoopWatchdog:
    """Logs the stack of the loop's thread when the loop lags; names of code only, no values.

    A thread of its own looks, since the loop cannot.

    Args:
        lag: says when the loop is to turn.
        limit: lag in seconds that is told.
        pause: seconds between two lines in the log; what comes in between is counted.

    """

    def __init__(self, lag: LoopLag, limit: float = 0.2, pause: float = 10.0) -> None:
        self._lag = lag
        self._limit = limit
        self._pause = pause
        self._thread_id = 0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to watch the running loop."""
        if self._thread is not None:
            return
        self._thread_id = threading.get_ident()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._watch, name="event-loop-watchdog", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._thread = None

    def _watch(self) -> None:
        told, told_due, untold = -self._pause, 0.0, 0
        while not self._stopped.wait(self._next_look()):
            now, due = time.monotonic(), self._lag.due
            if due == told_due or now - due < self._limit:
                continue
            told_due = due  # one stall is one line, however long it lasts
            if now - told < self._pause:
                untold += 1
                continue
            frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - the only way
            log.warning(
                "the event loop lags",
                seconds=round(now - due, 3),
                earlier_untold=untold,
                stack=stack_of(frame),
            )
            told, untold = now, 0

    def _next_look(self) -> float:
        """Seconds until the loop is late, if it does not turn before; of one that is, a moment."""
        return min(_LONGEST_LOOK, max(self._limit, self._lag.due + self._limit - time.monotonic()))


def stack_of(frame: FrameType | None) -> str:
    """The innermost calls of a thread as ``file:line function``, without source or values."""
    calls = traceback.extract_stack(frame)[-_DEPTH:] if frame is not None else []
    if not calls or calls[-1].name in _WAITING:
        return "no handler: the process got no processor time"
    named = (f"{'/'.join(PurePath(c.filename).parts[-2:])}:{c.lineno} {c.name}" for c in calls)
    return " > ".join(named)
