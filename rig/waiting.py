"""How tests wait for what comes to pass by itself, and read a stream to its end."""

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0  # seconds; what a loaded machine may take, far above what is expected
_PACE = 0.02  # seconds between two looks


async def eventually(
    check: Callable[[], T | Awaitable[T]],
    what: object = "",
    seconds: float = PATIENCE,
    pace: float = _PACE,
) -> T:
    """Wait until a check gives something, for what has no event of its own; return what it gave.

    Args:
        check: a function or a coroutine function.
        what: what is waited for, in words, or a function that says so when the wait is over.
        seconds: how long at the most.
        pace: seconds between two looks.

    """
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, _failure(what, seconds)
        await asyncio.sleep(pace)


async def stays(
    check: Callable[[], object], what: object = "", seconds: float = 0.1, pace: float = _PACE
) -> None:
    """Require that a check holds now and at each look for so long: that nothing follows.

    For what must not come to pass, and so has no event; where something may, `eventually` is meant.
    """
    deadline = time.monotonic() + seconds
    while True:
        assert check(), f"it stopped being so within {seconds} s: {what}"
        if time.monotonic() >= deadline:
            return
        await asyncio.sleep(pace)


def wait_until(
    check: Callable[[], T],
    what: object = "",
    seconds: float = PATIENCE,
    pace: float = 0.05,
) -> T:
    """Do the same in a test without an event loop."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, _failure(what, seconds)
        time.sleep(pace)
    return found


def _failure(what: object, seconds: float) -> str:
    said = what() if callable(what) else what
    return f"not within {seconds} s: {said}" if said else f"it did not come true in {seconds} s"


async def collect(stream: AsyncGenerator[T, None]) -> list[T]:
    """Read a stream to its end and close it, however it ends."""
    async with aclosing(stream) as events:
        return [event async for event in events]
