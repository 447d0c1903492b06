"""Transactions on SQLite, and its errors in words a user can act on."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from xnai.errors import DISK_FULL, INDEX_DAMAGED, SEARCH_DOWN, XnaiError
from xnai.retrieval.index.sqlite.damage import DAMAGED_VALUES

# What SQLite itself says may quote statements and values.
_REASONS: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.NotADBError, "it is no SQLite database"),
    (apsw.CorruptError, "its content is damaged"),
    (apsw.BusyError, "another process keeps it locked"),
    (apsw.ReadOnlyError, "it may not be written"),
    (apsw.PermissionsError, "it may not be opened"),
    (apsw.CantOpenError, "it cannot be opened"),
    (apsw.NoMemError, "there is not enough memory"),
    (apsw.IOError, "it cannot be read or written"),
)
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
    except (apsw.CorruptError, apsw.NotADBError, *DAMAGED_VALUES) as exc:
        raise XnaiError(INDEX_DAMAGED, path=path, reason=reason_of(exc)) from exc
    except apsw.FullError as exc:
        raise disk_full(path.parent) from exc
    except apsw.BusyError as exc:
        raise XnaiError(SEARCH_DOWN, reason=f"{path}: {reason_of(exc)}") from exc
    except (apsw.Error, OSError) as exc:
        if shutil.disk_usage(path.parent).free < _FULL:
            raise disk_full(path.parent) from exc
        raise XnaiError(SEARCH_DOWN, reason=f"{path}: {reason_of(exc)}") from exc


def is_full(exc: Exception) -> bool:
    """Whether an error says that there is no room on the disk."""
    return isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT}


def reason_of(exc: Exception) -> str:
    """Why a file cannot be used, in words of our own or of the system."""
    for kind, words in _REASONS:
        if isinstance(exc, kind):
            return words
    if isinstance(exc, DAMAGED_VALUES):
        return "its content is damaged"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return f"an unforeseen error ({type(exc).__name__})"


def disk_full(folder: Path) -> XnaiError:
    """The error that names what is left on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    return XnaiError(DISK_FULL, folder=folder, free=f"{free / 1e6:.1f} MB")
