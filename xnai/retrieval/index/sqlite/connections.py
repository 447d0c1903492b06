"""The threads on which SQLite runs: one that writes, a few that read, a connection each."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from xnai.aio import Deadline
from xnai.errors import INDEX_DAMAGED, SHUTTING_DOWN, XnaiError
from xnai.retrieval.index.sqlite.errors import catalogued
from xnai.retrieval.index.sqlite.schema import TABLES, migrate
from xnai.sqlite import own_file
from xnai.sqlite.transactions import Mode, transaction

READERS = 4
BUSY_SECONDS = 30.0  # how long to wait for another process that writes

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

# FULL: a commit is on the disk before it is acknowledged, also when the power fails; one commit a
# document makes that cheap. secure_delete overwrites what is deleted. 8 kB pages hold five
# vectors, 4 kB pages two.
_PRAGMAS = """
    PRAGMA page_size = 8192;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cache_size = -16384;
    PRAGMA journal_size_limit = 67108864;
"""


class Connections:
    """Runs work on a database file off the event loop, each piece in one transaction.

    Connections are opened when first needed. Work that has begun is finished even when its caller
    is cancelled.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = ThreadPoolExecutor(1, "index-write")
        self._readers = ThreadPoolExecutor(READERS, "index-read")
        self._local = threading.local()
        self._open: list[apsw.Connection] = []
        self._is_closed = False
        self._opened: tuple[int, int] | None = None  # device and inode of the file in use

    def require_same_file(self) -> None:
        """Notice that the file was removed or exchanged while it is in use; blocks.

        What is written then would be lost with the last connection.

        Raises:
            XnaiError: INDEX_DAMAGED.

        """
        if self._opened is not None and own_file.identity(self.path) != self._opened:
            reason = "the file was removed or exchanged while it was in use; start XNAi again"
            raise XnaiError(INDEX_DAMAGED, path=self.path, reason=reason)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a snapshot."""
        return await self._run(self._readers, work, "DEFERRED")

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` and commit; pieces of work are run in the order they were given."""
        return await self._run(self._writer, work, "IMMEDIATE")

    async def erase_log(self) -> None:
        """Move the write-ahead log into the file and empty it, unless a reader is in the way."""
        await self._run(self._writer, _truncate_log, None)

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        self._is_closed = True
        await asyncio.to_thread(self._close)

    async def _run(self, pool: ThreadPoolExecutor, work: Work[T], mode: Mode | None) -> T:
        if self._is_closed:
            raise XnaiError(SHUTTING_DOWN)
        return await asyncio.get_running_loop().run_in_executor(pool, self._do, work, mode)

    def _do(self, work: Work[T], mode: Mode | None) -> T:
        with catalogued(self.path):
            connection = self._connection()
            if mode is None:
                return work(connection)
            with transaction(connection, mode):
                return work(connection)

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_database(self.path)
            if self._opened is None:
                self._opened = own_file.identity(self.path)
            self._local.connection = connection
            self._open.append(connection)
        return connection

    def _close(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        for connection in self._open:
            connection.close()


def open_database(path: Path) -> apsw.Connection:
    """Open the file, or make it, with all migrations applied.

    A file of another program is set aside and a new one is begun, see ``own_file``.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own_file.prepare(path)
    deadline = Deadline.after(BUSY_SECONDS)
    while True:
        connection = apsw.Connection(str(path))
        try:
            connection.set_busy_timeout(int(BUSY_SECONDS * 1000))
            own_file.require_ours(connection, TABLES)
            # Statements after one that returns a row run as the rows are taken.
            connection.execute(_PRAGMAS).fetchall()
            migrate(connection)
        except own_file.ForeignError:
            connection.close()
            own_file.set_aside(path, "it is another program's database")
            own_file.prepare(path)
        except apsw.BusyError:
            # Turning to WAL does not wait when another process does the same.
            connection.close()
            if deadline.is_over:
                raise
            time.sleep(0.02)
        except BaseException:
            connection.close()
            raise
        else:
            return connection


def _truncate_log(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(250)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        pass  # The next deletion or the last close does it.
    finally:
        connection.set_busy_timeout(int(BUSY_SECONDS * 1000))
