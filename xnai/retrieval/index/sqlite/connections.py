"""The threads on which SQLite runs: one that writes, a few that read, a connection each."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw

from xnai.aio import Deadline
from xnai.errors import INDEX_DAMAGED, SHUTTING_DOWN, XnaiError
from xnai.retrieval.index.sqlite.errors import catalogued
from xnai.retrieval.index.sqlite.schema import TABLES, migrate
from xnai.sqlite import own_file, reserve
from xnai.sqlite.errors import is_full
from xnai.sqlite.transactions import Mode, transaction

READERS = 4
BUSY_SECONDS = 30.0  # how long to wait for another process that writes

_LOG_BYTES = 1_000_000  # without so many no log is begun
_CHECKPOINT_PAGES = 1000  # of the log, at which it is moved into the file: SQLite's own number

_OPEN_FLAGS = apsw.SQLITE_OPEN_READWRITE  # one that was removed since is not made anew

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

    async def remove(self, work: Work[T], part: Work[bool] | None = None) -> T:
        """As ``write``, and empty the write-ahead log; on a full disk use the room kept for it.

        ``part`` removes a little of the same and says whether there is more: it is for what the
        room does not suffice for at once.
        """
        return await self._submit(self._writer, self._remove, work, part)

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        self._is_closed = True
        await asyncio.to_thread(self._close)

    async def _run(self, pool: ThreadPoolExecutor, work: Work[T], mode: Mode) -> T:
        return await self._submit(pool, self._do, work, mode)

    async def _submit(
        self, pool: ThreadPoolExecutor, do: Callable[..., T], *arguments: object
    ) -> T:
        if self._is_closed:
            raise XnaiError(SHUTTING_DOWN)
        return await asyncio.get_running_loop().run_in_executor(pool, do, *arguments)

    def _do(self, work: Work[T], mode: Mode) -> T:
        with catalogued(self.path):
            connection = self._connection()
            with transaction(connection, mode):
                return work(connection)

    def _remove(self, work: Work[T], part: Work[bool] | None) -> T:
        with catalogued(self.path):
            try:
                return self._erased(work)
            except Exception as exc:
                if not is_full(exc) and not self._has_no_room(exc):
                    raise
            with reserve.lent(self.path.parent), _without_checkpoints(self._connection()):
                return self._remove_in_parts(work, part)

    def _has_no_room(self, exc: Exception) -> bool:
        """Whether the file could not be opened because a log cannot be begun."""
        unclear = isinstance(exc, (apsw.IOError, apsw.CantOpenError))
        return unclear and shutil.disk_usage(self.path.parent).free < _LOG_BYTES

    def _remove_in_parts(self, work: Work[T], part: Work[bool] | None) -> T:
        _truncate_log(self._connection())
        try:
            return self._erased(work)
        except Exception as exc:
            if part is None or not is_full(exc):
                raise
        while self._erased(part):
            pass
        return self._erased(work)

    def _erased(self, work: Work[T]) -> T:
        """Run work that removes in one transaction, and leave nothing of it in the log."""
        connection = self._connection()
        with transaction(connection):
            result = work(connection)
        _truncate_log(connection)
        return result

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._opened is None:
                connection = open_database(self.path)
                self._opened = own_file.identity(self.path)
            else:
                connection = _open_again(self.path)
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


def _open_again(path: Path) -> apsw.Connection:
    """Open a file that this process has opened before, which needs no right to write."""
    connection = apsw.Connection(str(path), flags=_OPEN_FLAGS)
    try:
        connection.set_busy_timeout(int(BUSY_SECONDS * 1000))
        connection.execute(_PRAGMAS).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _without_checkpoints(connection: apsw.Connection) -> Iterator[None]:
    """Have what is written stay in the log: one that does not fit into the file fills the disk."""
    connection.wal_autocheckpoint(0)
    try:
        yield
    finally:
        connection.wal_autocheckpoint(_CHECKPOINT_PAGES)


def _truncate_log(connection: apsw.Connection) -> None:
    path = Path(connection.filename)
    log = Path(connection.filename_wal)
    if log.exists() and log.stat().st_size > shutil.disk_usage(path.parent).free:
        return  # It would not fit. The next one or the last close does it.
    connection.set_busy_timeout(250)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.FullError):
        pass  # A reader is in the way, or the disk is full.
    finally:
        connection.set_busy_timeout(int(BUSY_SECONDS * 1000))
