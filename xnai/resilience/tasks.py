"""Tasks that end for certain, and tasks that never end unseen."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import structlog

_AGAIN_SECONDS = 0.5  # after which a task is cancelled again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds before what failed is begun again

_log = structlog.get_logger(__name__)


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: a library that has a time limit of its own may take a cancellation for it.
    """
    all_tasks = left = set(tasks)
    while left := {task for task in left if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_AGAIN_SECONDS)
    for task in all_tasks:
        if not task.cancelled():
            task.exception()  # nobody else will ask for it


async def supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run what is to go on until it is cancelled; whatever it raises, it is begun again.

    What it can foresee it handles itself; what reaches this place is a fault of ours, so it is
    logged with its traceback, and the pauses grow.
    """
    loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
    while True:
        began = loop.time()
        try:
            await work()
        except Exception:  # noqa: BLE001 - nothing may end it but a cancellation
            _log.exception("breaker_task_failed", task=name)
        else:
            return
        if loop.time() - began > 2 * _LONGEST_PAUSE:
            pause = _FIRST_PAUSE
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, no secret
        pause = min(2 * pause, _LONGEST_PAUSE)


def seen(task: "asyncio.Task[Any]") -> None:
    """Log how a task of ours failed; a done callback of tasks that nobody waits for."""
    if not task.cancelled() and (exc := task.exception()) is not None:
        _log.error("breaker_task_failed", task=task.get_name(), exc_info=exc)
