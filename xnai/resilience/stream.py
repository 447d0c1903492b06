"""Async streams behind a breaker, with limits on the time to the first and between two items."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeVar, cast

from xnai.resilience.calls import CallGuard
from xnai.resilience.errors import StreamTimeoutError

T = TypeVar("T")

_AGAIN_SECONDS = 0.5  # after which a producer that does not end is cancelled again


class Watchdog:
    """One timer for a whole stream.

    Waiting for an item costs storing a time; the timer looks at it when it fires, and is set anew
    for the rest. While the reader is busy with an item nobody waits, so nothing can run out.
    """

    def __init__(self, first: float | None, between: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._between = between
        self._limit = first
        self._since: float | None = None
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.fired = 0

    def wait(self) -> None:
        """An item is being waited for by the current task."""
        self._since = self._loop.time()
        if self._limit is not None:
            self._task = asyncio.current_task()
            if self._timer is None:
                self._timer = self._loop.call_at(self._since + self._limit, self._look)

    def arrived(self, *, first: bool) -> None:
        """The item is there."""
        self._since = None
        if first:
            self._limit = self._between
            self.stop()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def check(self, exc: BaseException | None, *, first: bool) -> None:
        """Say what the watchdog's own cancellation means, if there was one.

        It is taken off the task here, whatever the producer has made of it: an item, an end, an
        error of its own (``exc``).

        Raises:
            StreamTimeoutError: the stream has broken its limit.
            asyncio.CancelledError: somebody else wants the task to end as well.

        """
        task = asyncio.current_task()
        if not self.fired or task is None:
            return
        others = task.cancelling() - self.fired
        while self.fired:
            task.uncancel()
            self.fired -= 1
        if others > 0:
            raise asyncio.CancelledError
        raise StreamTimeoutError(self._limit or 0.0, first=first) from exc

    def _look(self) -> None:
        self._timer = None
        if self._limit is None or self._since is None:
            return  # the next wait sets a timer
        due = self._since + self._limit
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        elif self._task is not None:
            # Again and again: a producer may take a cancellation for one of its own limits.
            self.fired += 1
            self._task.cancel()
            self._timer = self._loop.call_later(max(self._limit, _AGAIN_SECONDS), self._look)


async def guard_stream(
    breaker: CallGuard, open_stream: Callable[[], AsyncIterator[T]]
) -> AsyncGenerator[T, None]:
    """Pass on a stream's items, see ``Breaker.stream``."""
    entry = await breaker.enter()
    watchdog = Watchdog(breaker.config.first_item, breaker.config.between_items)
    first, ended = True, False
    try:
        async with AsyncExitStack() as stack:
            stack.callback(watchdog.stop)
            items = open_stream()
            if isinstance(items, AsyncGenerator):
                await stack.enter_async_context(aclosing(items))
            while True:
                watchdog.wait()
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    item, ended = None, True
                except BaseException as exc:
                    watchdog.check(exc, first=first)
                    raise
                watchdog.check(None, first=first)
                watchdog.arrived(first=first)
                if ended:
                    break
                if first:
                    first = False
                    breaker.has_begun(entry)
                yield cast("T", item)
    except BaseException as exc:
        await breaker.leave(entry, exc)
        raise
    await breaker.leave(entry)
