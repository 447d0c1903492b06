"""Transactions on SQLite, and its errors in words a user can act on."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from xnai.errors import DISK_FULL, INDEX_DAMAGED, SEARCH_DOWN, XnaiError

_FULL = 1_000_000  # bytes; SQLite also reports failed writes as errors of input and output


@contextmanager
def transaction(connection: apsw.Connection, mode: str) -> Iterator[None]:
    """All or nothing; ``mode`` IMMEDIATE takes the write lock first, DEFERRED is a snapshot."""
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk makes SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def catalogued(path: Path) -> Iterator[None]:
    """Turn SQLite's errors on the file ``path`` into INDEX_DAMAGED, DISK_FULL or SEARCH_DOWN."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as exc:
        raise XnaiError(INDEX_DAMAGED, path=path, reason=str(exc)) from exc
    except apsw.FullError as exc:
        raise disk_full(path.parent) from exc
    except apsw.BusyError as exc:
        reason = "another process keeps the index locked"
        raise XnaiError(SEARCH_DOWN, reason=reason) from exc
    except (apsw.Error, OSError) as exc:
        if shutil.disk_usage(path.parent).free < _FULL:
            raise disk_full(path.parent) from exc
        raise XnaiError(SEARCH_DOWN, reason=f"{path}: {exc}") from exc


def disk_full(folder: Path) -> XnaiError:
    """The error that names what is left on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    return XnaiError(DISK_FULL, folder=folder, free=f"{free / 1e6:.1f} MB")
