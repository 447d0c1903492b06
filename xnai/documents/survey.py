"""What lies in the folder of originals, and whether it is that folder at all; changes nothing."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xnai.data_folder import marker
from xnai.documents import cards
from xnai.documents.folder_lock import CLAIM
from xnai.types import Document

FOLDER = "documents"
NOT_THERE = "it is not in the folder of the documents"
_SHELF = re.compile(r"[0-9a-f]{2}")
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Original:
    """A file as it lies there: its size in bytes and when it came there, in seconds."""

    size: int
    changed: float


@dataclass(slots=True)
class Survey:
    """What is in the folder; ``away`` says why it cannot be looked into, and is empty otherwise."""

    away: str = ""
    originals: dict[str, Original] = field(default_factory=dict)
    cards: set[str] = field(default_factory=set)
    drafts: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)  # whose deletion was begun

    def fault(self, record: Document) -> str:
        """Say why the file of a record is not what it should be; empty if it is."""
        if self.away:
            return self.away
        found = self.originals.get(record.id)
        if found is None:
            return NOT_THERE
        if found.size != record.size:
            return f"it has {found.size:,} bytes instead of {record.size:,}"
        return ""


def look(data_dir: Path, *, known: bool) -> Survey:
    """List the originals of a data folder; blocks.

    ``known``: the index has documents, so a folder that is not there was there once.
    """
    folder = data_dir / FOLDER
    if away := away_now(data_dir, known=known):
        return Survey(away)
    try:
        return _listed(folder) if folder.exists() else Survey()
    except OSError as exc:
        return Survey(f"{folder} cannot be read ({exc.strerror})")


def away_now(data_dir: Path, *, known: bool) -> str:
    """Say why the folder of originals cannot be used; empty if it can. Blocks."""
    try:
        return _why_away(data_dir, known=known)
    except OSError as exc:
        return f"{data_dir / FOLDER} cannot be read ({exc.strerror})"


def _why_away(data_dir: Path, *, known: bool) -> str:
    """Say why the folder of originals is not the one that was used; empty if it is, or is new.

    Raises:
        OSError: it cannot be looked into.

    """
    folder = data_dir / FOLDER
    if (folder / CLAIM).is_file():
        return ""
    used = known or marker.holds(data_dir, marker.DOCUMENTS)
    if not folder.exists():
        return f"{folder} is not there (moved away, or its disk is not mounted?)" if used else ""
    # A folder that an earlier version has filled, or that was put back without its mark.
    if not used or any(True for _ in _entries(folder)):
        return ""
    return f"{folder} is empty and has no mark of XNAi (is its disk not mounted?)"


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    for shelf in _scanned(folder):
        if _SHELF.fullmatch(shelf.name) and shelf.is_dir():
            yield from _scanned(Path(shelf.path))


def _scanned(folder: Path) -> Sequence["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        return list(entries)


def _listed(folder: Path) -> Survey:
    found = Survey()
    kinds = {cards.CARD: found.cards, cards.DRAFT: found.drafts, cards.GONE: found.gone}
    for entry in _entries(folder):
        name, dot, rest = entry.name.partition(".")
        if not _ID.fullmatch(name) or Path(entry.path).parent.name != name[:2]:
            continue
        if dot:
            kinds.get(dot + rest, set()).add(name)
        elif entry.is_file():
            status = entry.stat()
            found.originals[name] = Original(status.st_size, status.st_ctime)
    return found
