"""Work on the texts of long documents that is done in the server's process.

Going through millions of characters takes seconds of a processor and hundreds of megabytes. So each
person has few of such pieces of work under way, whoever has none begins at once, and their threads
are none of those that others' uploads and pages wait for.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from xnai.aio import uninterrupted
from xnai.documents.fair_queue import ReadingQueue, ReadingTicket
from xnai.documents.turns import Turns

ALONE = 2  # pieces of work that one person has under way
MOST = 6  # that all have
_LONG = 60.0  # seconds that one is expected to take: none goes before another of its person's

P = ParamSpec("P")
T = TypeVar("T")


class TextWork:
    """Turns to have a long text in memory, and threads to go through it."""

    def __init__(self) -> None:
        self._turns = Turns(ReadingQueue(ALONE, MOST))
        # Of ordinary priority: one that gave way while it holds Python's lock would stop everybody.
        self._pool = ThreadPoolExecutor(MOST, "text")

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncGenerator[None, None]:
        """Wait until somebody may have one more long text in memory, inside the block."""
        async with self._turns.turn(ReadingTicket(owner, expected=_LONG)):
            yield

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a part of the work in a thread; its end is waited for, even when cancelled."""
        return await uninterrupted(self._in_thread(partial(work, *args, **kwargs)))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
