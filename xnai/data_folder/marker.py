"""The mark of a folder that is ours, unlike somebody else's or one that is not mounted.

The file is only ever appended to, so several processes may write it at once.
"""

import os
from dataclasses import dataclass
from pathlib import Path

NAME = ".xnai"
INDEX, HISTORY, DOCUMENTS, PEOPLE = "index", "history", "documents", "people"
WORDS = (
    "# XNAi keeps its data here. Leave this file where it is: by it the program tells this folder\n"
    "# from an empty one, from somebody else's, and from one whose disk is not mounted.\n"
)
_MADE = "made by xnai"
_HOLDS = "holds "


@dataclass(frozen=True, slots=True)
class Marker:
    """The content of a mark: whether we ``made`` the folder, and what it once ``holds``."""

    made: bool
    holds: frozenset[str]


def read(folder: Path) -> Marker | None:
    """Return the mark of a folder, or None if it has none.

    Raises:
        OSError: it exists and cannot be read.

    """
    try:
        lines = (folder / NAME).read_text("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    held = (line.removeprefix(_HOLDS) for line in lines if line.startswith(_HOLDS))
    return Marker(_MADE in lines, frozenset(held))


def write(folder: Path, *, made: bool) -> None:
    """Mark a folder as ours."""
    _append(folder, WORDS + (f"{_MADE}\n" if made else ""))


def holds(folder: Path, what: str) -> bool:
    """Return whether a data folder once had a thing; if it is not there now, it is lost or away."""
    mark = read(folder)
    return mark is not None and what in mark.holds


def record(folder: Path, what: str) -> None:
    """Record that a data folder has a thing from now on."""
    if not holds(folder, what):
        _append(folder, f"{_HOLDS}{what}\n")


def _append(folder: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    handle = os.open(folder / NAME, flags, 0o600)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
