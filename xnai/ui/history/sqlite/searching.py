"""Looking for words in conversations, on a connection and a thread of its own.

A person may have written as much as they like, and all of it is gone through. So a search keeps
nobody's messages from being saved, persons take turns, and one search takes a bounded time.
"""

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from xnai.accounts.principal import Principal
from xnai.documents.fair_queue import BatchQueue, ReadingTicket
from xnai.documents.turns import Turns
from xnai.errors import SHUTTING_DOWN, XnaiError
from xnai.ui.history.protocol import ThreadQuery
from xnai.ui.history.rows import Row
from xnai.ui.history.sqlite.schema import BUSY_TIMEOUT
from xnai.ui.history.sqlite.threads import Threads

LONGEST_SECONDS = 3.0  # conversations spoken in last are gone through first
_STEPS = 20  # of SQLite between two looks at the clock; one of them may read a megabyte


class ThreadSearch:
    """Searches the history of whoever asks; the file has to be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turns = Turns(BatchQueue(1))
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history-search")
        self._db: apsw.Connection | None = None
        self._until = 0.0

    async def page(self, actor: Principal, query: ThreadQuery) -> list[Row]:
        """Return the threads that have the words of a query; of very many those found in time."""
        async with self._turns.turn(ReadingTicket(actor.person_id)):
            try:
                done = self._worker.submit(self._page, actor, query)
            except RuntimeError as exc:  # it was closed
                raise XnaiError(SHUTTING_DOWN) from exc
            return await asyncio.wrap_future(done)

    async def close(self) -> None:
        """End a search, and close the file."""
        self._until = 0.0
        await asyncio.to_thread(self._worker.shutdown)
        if self._db is not None:
            self._db.close()
            self._db = None

    def _page(self, actor: Principal, query: ThreadQuery) -> list[Row]:
        if self._db is None:
            self._db = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            self._db.set_busy_timeout(BUSY_TIMEOUT)
            self._db.create_scalar_function("contains", contains, 2)
            self._db.set_progress_handler(self._is_over, _STEPS)
        self._until = time.monotonic() + LONGEST_SECONDS
        rows: list[Row] = []
        with contextlib.suppress(apsw.InterruptError):
            rows += Threads(self._db).found(actor, query)
        return rows

    def _is_over(self) -> bool:
        return time.monotonic() > self._until


def contains(*given: Any) -> bool:
    """Whether a text has words in it; SQLite's LIKE takes the product of both in time."""
    text, words = given
    return str(words) in str(text or "").casefold()
