"""Looks through a folder: which files it has, and which of them are none of a library.

Nothing is opened here but ``.xnaiignore``. Links are never followed: they lead in circles, or out
of the folder.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pathspec

from xnai.errors import IGNORE_FILE_UNREADABLE, SYNC_FOLDER_UNUSABLE, XnaiError

IGNORE_FILE = ".xnaiignore"
# What no program means to keep: a line with ``!`` in the ignore file takes one of them in again.
LEFT_OUT = (".*", "~$*", "*.tmp", "*.part", "*.crdownload", "Thumbs.db", "desktop.ini")
MOST_FILES = 1_000_000
_IGNORE_BYTES = 1_000_000


class FileState(NamedTuple):
    """What tells, without reading it, that a file is what it was."""

    size: int
    mtime_ns: int
    inode: int


class LeftOut(NamedTuple):
    """A file or folder that cannot be taken in, and why, in words for people."""

    path: str
    reason: str


@dataclass(slots=True)
class Scan:
    """What a folder has: files by their paths; ``unsure`` are folders of which nobody can tell.

    Those could not be read, or are empty, as the place of a disk is that is not mounted.
    """

    files: dict[str, FileState] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    links: int = 0

    def is_unsure(self, path: str) -> bool:
        """Whether nobody can tell that a path is gone."""
        return any(path.startswith(f"{one}/") for one in self.unsure)


def scan(folder: Path) -> Scan:
    """Look through a folder; blocks.

    Raises:
        XnaiError: SYNC_FOLDER_UNUSABLE, IGNORE_FILE_UNREADABLE.

    """
    ignored = ignore_rules(folder)
    found = Scan()
    waiting = [""]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(folder / place if place else folder) as entries:
                inside = list(entries)
        except OSError as exc:
            reason = exc.strerror or "it cannot be read"
            if not place:
                raise XnaiError(SYNC_FOLDER_UNUSABLE, folder=folder, reason=reason) from exc
            found.left_out.append(LeftOut(f"{place}/", f"the folder cannot be read: {reason}"))
            found.unsure.append(place)
            continue
        if place and not inside:
            found.unsure.append(place)
        for entry in inside:
            below = _look_at(
                entry, f"{place}/{entry.name}" if place else entry.name, ignored, found
            )
            if below:
                waiting.append(below)
        if len(found.files) > MOST_FILES:
            reason = f"it has more than {MOST_FILES:,} files"
            raise XnaiError(SYNC_FOLDER_UNUSABLE, folder=folder, reason=reason)
    return found


def _look_at(
    entry: "os.DirEntry[str]", path: str, ignored: pathspec.GitIgnoreSpec, found: Scan
) -> str:
    """Take one entry of a folder down; returns its path if it is a folder to be looked through."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        found.left_out.append(LeftOut(shown, "its name is not valid UTF-8; rename it"))
        return ""
    try:
        is_folder = entry.is_dir(follow_symlinks=False)
        if ignored.match_file(f"{path}/" if is_folder else path):
            return ""
        if entry.is_symlink():
            found.links += 1
            return ""
        if is_folder:
            return path
        known = entry.stat(follow_symlinks=False)
    except OSError as exc:
        found.left_out.append(LeftOut(path, exc.strerror or "it cannot be looked at"))
        found.unsure.append(path)
        return ""
    if not stat.S_ISREG(known.st_mode):
        found.left_out.append(LeftOut(path, "it is not a file but a device, a pipe or a socket"))
    elif known.st_size == 0:
        found.left_out.append(LeftOut(path, "it is empty"))
    else:
        inode = known.st_ino & 0x7FFFFFFFFFFFFFFF
        found.files[path] = FileState(known.st_size, known.st_mtime_ns, inode)
    return ""


def ignore_rules(folder: Path) -> pathspec.GitIgnoreSpec:
    """Return what is left out of a folder: the usual, and what its ignore file says.

    Raises:
        XnaiError: IGNORE_FILE_UNREADABLE; what it would leave out is not guessed.

    """
    path = folder / IGNORE_FILE
    try:
        with path.open("rb") as file:
            content = file.read(_IGNORE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return pathspec.GitIgnoreSpec.from_lines(LEFT_OUT)
    except OSError as exc:
        reason = exc.strerror or "it cannot be read"
        raise XnaiError(IGNORE_FILE_UNREADABLE, path=path, reason=reason) from exc
    if len(content) > _IGNORE_BYTES:
        raise XnaiError(IGNORE_FILE_UNREADABLE, path=path, reason="it is larger than 1 MB")
    try:
        lines = content.decode("utf-8-sig").splitlines()
        return pathspec.GitIgnoreSpec.from_lines([*LEFT_OUT, *lines])
    except UnicodeDecodeError as exc:
        raise XnaiError(IGNORE_FILE_UNREADABLE, path=path, reason="it is not UTF-8") from exc
    except ValueError as exc:
        reason = "a line of it is no pattern of .gitignore"
        raise XnaiError(IGNORE_FILE_UNREADABLE, path=path, reason=reason) from exc
