"""Small things beside asyncio: a deadline, threads, tasks and their ends, lost hooks."""

import asyncio
import functools
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar


def install_asyncgen_hooks() -> None:
    """Have the running loop end async generators that nobody has ended.

    ``run_until_complete`` of nest_asyncio, which Chainlit applies, leaves these hooks out, and a
    generator that is collected without them never reaches its ``finally``: a connection stays open,
    and what is asked there goes on. Ours are all closed by who opened them; this is for those of
    libraries.
    """
    loop = asyncio.get_running_loop()
    first = getattr(loop, "_asyncgen_firstiter_hook", None)
    last = getattr(loop, "_asyncgen_finalizer_hook", None)
    if sys.get_asyncgen_hooks().finalizer is None and first and last:
        sys.set_asyncgen_hooks(firstiter=first, finalizer=last)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time of ``time.monotonic()`` after which nobody waits any more."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then, never less than 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return self.left <= 0

    def timeout(self) -> asyncio.Timeout:
        """Return ``asyncio.timeout`` until then."""
        return asyncio.timeout(self.left)


T = TypeVar("T")


async def sleep_to_tick(seconds: float) -> None:
    """Sleep until the clock shows a whole multiple of so many seconds, at most as long as that.

    Timers that nobody waits for go off together then: waking is what an idle process costs.
    """
    now = asyncio.get_running_loop().time()
    await asyncio.sleep(seconds - now % seconds)


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Let work that was begun finish, then be cancelled: a thread cannot be stopped half way."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def in_thread(work: Callable[[], T]) -> T:
    """Run what may block for ever in a thread of its own, which keeps nobody from ending.

    The threads of a pool are few, and waited for at the end of the program.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(outcome: Callable[[], None]) -> None:
        if not done.done():
            outcome()

    def run() -> None:
        try:
            outcome = functools.partial(done.set_result, work())
        except Exception as exc:  # noqa: BLE001 - it is raised to who waits
            outcome = functools.partial(done.set_exception, exc)
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=run, name="may-block", daemon=True).start()
    return await done


async def cancel_and_wait(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until they have ended; None stands for one that never began."""
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)


class Background:
    """Work in a task of its own, from ``start`` to ``stop``; it may be started again.

    Args:
        work: what runs, without end.
        name: of the task.

    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started."""
        return self._task is not None

    def start(self) -> None:
        """Begin, if it does not run."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=self._name)

    async def stop(self) -> None:
        """End it, if it runs."""
        task, self._task = self._task, None
        await cancel_and_wait(task)
