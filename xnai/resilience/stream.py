"""Async streams behind a breaker, with limits on the time to the first and between two items."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from xnai.resilience.breaker import Breaker

T = TypeVar("T")


class StreamTimeoutError(TimeoutError):
    """A stream did not begin, or did not go on, within its limit."""

    def __init__(self, limit: float, *, first: bool) -> None:
        self.limit = limit
        self.first = first
        what = "did not begin" if first else "fell silent"
        super().__init__(f"the stream {what} within {limit:g} s")


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
        self.fired = False

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

    def timeout(self, *, first: bool) -> StreamTimeoutError | None:
        """What the watchdog's own cancellation means; None if it was somebody else's."""
        task = asyncio.current_task()
        if not self.fired or task is None or task.uncancel() > 0:
            return None
        return StreamTimeoutError(self._limit or 0.0, first=first)

    def _look(self) -> None:
        self._timer = None
        if self._limit is None or self._since is None:
            return  # the next wait sets a timer
        due = self._since + self._limit
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        elif self._task is not None:
            self.fired = True
            self._task.cancel()


async def guard_stream(
    breaker: "Breaker", open_stream: Callable[[], AsyncIterator[T]]
) -> AsyncGenerator[T, None]:
    """Pass on a stream's items, see ``Breaker.stream``."""
    entry = await breaker.enter()
    watchdog = Watchdog(breaker.config.first_item, breaker.config.between_items)
    first = True
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
                    break
                watchdog.arrived(first=first)
                if first:
                    first = False
                    breaker.has_begun(entry)
                yield item
    except asyncio.CancelledError as exc:
        timeout = watchdog.timeout(first=first)
        await breaker.leave(entry, timeout or exc)
        if timeout is None:
            raise
        raise timeout from exc
    except BaseException as exc:
        await breaker.leave(entry, exc)
        raise
    await breaker.leave(entry)
