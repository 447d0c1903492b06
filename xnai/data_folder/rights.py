"""Keeps what the program writes from everybody but its user: files 0600, folders 0700."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

from xnai.data_folder import marker

PRIVATE_UMASK = 0o077
_OTHERS = 0o077
# A disk's own folder, and a build of the engine under way, whose programs must be executable.
_NOT_OURS = re.compile(r"lost\+found|build-[0-9a-f]{12}")

_log = structlog.get_logger(__name__)
_former: list[int] = []


def make_private() -> None:
    """Make everything that this process creates from now on its user's alone."""
    former = os.umask(PRIVATE_UMASK)
    if not _former:
        _former.append(former)


def former_umask() -> int:
    """Return the umask that this process was started with, for what is to be shared."""
    return _former[0] if _former else -1


def tighten(folder: Path) -> int:
    """Close what earlier versions left open to others in a data folder; returns how much. Blocks.

    Links are not followed, and folders that somebody else made (mount points, a data folder that
    was there before us) keep their rights.
    """
    changed = 0
    for path in _open_to_others(folder):
        try:
            path.chmod(0o700 if path.is_dir() else 0o600)
            changed += 1
        except OSError as exc:
            _log.warning("rights_not_changed", path=str(path), reason=exc.strerror)
    return changed


def open_to_others(folder: Path) -> list[Path]:
    """Return what others may read or write in a data folder, the folder itself included."""
    found = list(_open_to_others(folder))
    if folder.is_dir() and folder not in found and folder.stat().st_mode & _OTHERS:
        found.insert(0, folder)
    return found


def _open_to_others(folder: Path) -> Iterator[Path]:
    mark = marker.read(folder)
    if mark is not None and mark.made and folder.stat().st_mode & _OTHERS:
        yield folder
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _NOT_OURS.fullmatch(name)]
        for name in folders + files:
            path = Path(parent, name)
            if _is_open(path):
                yield path


def _is_open(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    if stat.S_ISLNK(status.st_mode) or not status.st_mode & _OTHERS:
        return False
    is_mount = stat.S_ISDIR(status.st_mode) and path.is_mount()
    return status.st_uid == os.geteuid() and not is_mount


def keep_private(folder: Path) -> None:
    """Close what others may look into, and note that there is an index from now on; blocks."""
    if changed := tighten(folder):
        _log.info("closed to others", count=changed)
    index = folder / "index.sqlite3"
    is_there = index.exists() and index.stat().st_size > 0
    if not is_there and marker.holds(folder, marker.INDEX):
        _log.error("the index is not there: a new one is begun, all documents are read again")
    marker.record(folder, marker.INDEX)
