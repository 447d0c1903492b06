"""SQLite's errors in words that a user can act on; its own may quote statements and values."""

import errno
import json
import os
import shutil
from pathlib import Path

import apsw

from xnai.errors import DATA_READ_ONLY, DISK_FULL, XnaiError

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
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class ChangedError(ValueError):
    """A value is not the one that was stored."""


# Damage that SQLite does not see: bytes that are no text, text that is no JSON, another text.
DAMAGED_VALUES = (UnicodeDecodeError, json.JSONDecodeError, ChangedError)


def is_full(exc: Exception) -> bool:
    """Whether an error says that there is no room on the disk."""
    if isinstance(exc, OSError):
        return exc.errno in {errno.ENOSPC, errno.EDQUOT}
    return isinstance(exc, apsw.FullError)


def is_read_only(exc: Exception, folder: Path) -> bool:
    """Whether an error of a write in a folder says that nothing can be written there."""
    if isinstance(exc, OSError):
        refused = exc.errno in _READ_ONLY  # perhaps of what was to be read from elsewhere
        return exc.errno == errno.EROFS or (refused and cannot_be_written(folder))
    # SQLite calls it an error of input and output where the file was open already.
    unclear = isinstance(exc, (apsw.IOError, apsw.CantOpenError))
    return isinstance(exc, apsw.ReadOnlyError) or (unclear and cannot_be_written(folder))


def cannot_be_written(folder: Path) -> bool:
    """Whether the disk of a folder is read-only, or this user may not write there; blocks.

    Its time is set anew: after an error of the disk the system may refuse writes, and yet say of
    it what it said before.
    """
    try:
        os.utime(folder)
    except OSError as exc:
        return exc.errno in _READ_ONLY  # one that is not there is told by others
    return not os.access(folder, os.W_OK)


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


def refused_write(exc: Exception, folder: Path) -> XnaiError | None:
    """The error for a write in a folder that its disk has refused; None for any other reason."""
    if is_full(exc):
        return disk_full(folder)
    return XnaiError(DATA_READ_ONLY, folder=folder) if is_read_only(exc, folder) else None


def disk_full(folder: Path) -> XnaiError:
    """The error that names what is left on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    return XnaiError(DISK_FULL, folder=folder, free=f"{free / 1e6:.1f} MB")
