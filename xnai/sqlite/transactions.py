"""Transactions on a connection, and connections that only read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import apsw

Mode = Literal["IMMEDIATE", "DEFERRED"]

_BUSY_MILLISECONDS = 1000  # that a reader waits


@contextmanager
def transaction(connection: apsw.Connection, mode: Mode = "IMMEDIATE") -> Iterator[None]:
    """Do all that the block does, or nothing.

    IMMEDIATE takes the lock to write first; DEFERRED reads one moment's state. On a full disk
    SQLite rolls back by itself, which apsw's own block takes for another error.
    """
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """Open a database file that is left as it is.

    Without a log nobody has it open: then it is read as it is, and no log is begun.
    """
    how = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    connection = apsw.Connection(
        f"file:{quote(str(path))}?{how}",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )
    try:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        yield connection
    finally:
        connection.close()
