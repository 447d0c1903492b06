"""Room on the disk that is kept for removing: SQLite writes down what it deletes before it does.

On a full disk nothing could be deleted otherwise. The room is a file in the data folder; it is let
go while something is removed that a person no longer wants, and taken again at once.
"""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import structlog

from xnai.sqlite.errors import is_full

NAME = ".reserve"
MOST = 16_777_216  # bytes; more than deleting a part of a document needs
_SHARE = 16  # a smaller disk keeps this part of it
LEAVE = 20_000_000  # bytes that are left to others when it is made unasked
_START_ROOM = 4_000_000  # bytes: the logs of three databases, and small files
_BLOCK = 262_144  # bytes that are taken at once
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

T = TypeVar("T")

_log = structlog.get_logger(__name__)
_lending = threading.RLock()


def kept(folder: Path) -> int:
    """Return how many bytes are kept in a data folder."""
    try:
        return (folder / NAME).stat().st_size
    except FileNotFoundError:
        return 0


def wanted(folder: Path) -> int:
    """Return how many bytes are to be kept on the disk of a folder."""
    return min(MOST, shutil.disk_usage(folder).total // _SHARE)


def is_whole(folder: Path) -> bool:
    """Return whether all is kept that is to be."""
    return kept(folder) >= wanted(folder)


def take(folder: Path, leave: int = LEAVE) -> bool:
    """Keep what is missing, as far as there is room beside ``leave`` bytes; blocks.

    Returns whether all is kept.
    """
    missing = wanted(folder) - kept(folder)
    room = shutil.disk_usage(folder).free - leave
    if missing <= 0 or room <= 0:
        return missing <= 0
    _lengthen(folder / NAME, min(missing, room))
    return is_whole(folder)


def tend(folder: Path) -> str:
    """Keep what is missing if there is room; returns what is kept in words for people; blocks."""
    with suppress(OSError):
        take(folder)
    return words(folder)


def words(folder: Path) -> str:
    """Say what is kept, for people."""
    if held := kept(folder):
        return f"{held / 1e6:.1f} MB more are kept for deleting"
    return "no room is kept for deleting"


@contextmanager
def lent(folder: Path) -> Iterator[None]:
    """Let the room go for what the block removes, and take it again; blocks."""
    with _lending:
        held = kept(folder)
        (folder / NAME).unlink(missing_ok=True)
        _log.info("room_for_deleting_lent", bytes=held)
        try:
            yield
        finally:
            with suppress(OSError):
                (folder / NAME).touch(mode=0o600)  # it is to be filled before anything else
                refill(folder)


def lend_to_start(folder: Path) -> None:
    """Give up half of the room on a full disk, so that a server starts and can delete; blocks.

    It is taken again when something was deleted, or when there is room.
    """
    held = kept(folder)
    if held and shutil.disk_usage(folder).free < _START_ROOM:
        os.truncate(folder / NAME, held - min(held // 2, _START_ROOM))
        _log.warning("disk_full_at_the_start", kept=kept(folder))


def refill(folder: Path) -> None:
    """Take what was lent and is missing still, before anybody else does; blocks."""
    if (folder / NAME).exists() and not is_whole(folder):
        take(folder, leave=0)


def removing(folder: Path, remove: Callable[[], T]) -> T:
    """Do what removes, on a full disk once more with the room that is kept for it; blocks."""
    try:
        return remove()
    except Exception as exc:
        if not is_full(exc):
            raise
    with lent(folder):
        return remove()


def _lengthen(path: Path, count: int) -> None:
    """Make a file longer by so many bytes that lie on the disk, or by those there is room for."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = os.fstat(handle).st_size
        for begin in range(0, count, _BLOCK):
            size = min(_BLOCK, count - begin)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, end + begin, size)
            else:
                os.write(handle, os.urandom(size))  # a file system may keep no room for zeros
    except OSError as exc:
        if exc.errno not in _FULL:
            raise
    finally:
        os.close(handle)
