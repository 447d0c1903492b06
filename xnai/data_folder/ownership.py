"""Decides whether a folder may hold the program's data, or is somebody else's."""

import re
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import quote

from xnai.data_folder import marker
from xnai.errors import DATA_DIR_FOREIGN, DATA_DIR_UNUSABLE, XnaiError

# Every name that a version of the program has used.
_OURS = re.compile(
    r"(index|history|sessions)\.sqlite3(-wal|-shm|-journal|\.damaged-.*|\.aside-.*)?"
    r"|accounts\.json|\.accounts\.(lock|json\..*)|audit\.jsonl(\.\d+)?|auth_secret.*|\.reserve|\.restore.*|\.writable"
    r"|documents(\.deleted)?|embedding|engine|logs|models|page_images|prefixes|tmp|uploads"
)
_UNMISTAKABLE = (  # names that no other program would choose
    ".accounts.lock",
    "auth_secret",
    "embedding",
    "engine",
    "page_images",
    "logs/engine-build.log",
)
_TABLES = {"index.sqlite3": {"documents", "chunks"}, "history.sqlite3": {"threads", "steps"}}
_NOBODYS = frozenset({"lost+found"})  # what a fresh disk has
_SHOWN = 3  # names of a folder that is refused


def prepare_folder(folder: Path) -> None:
    """Create a data folder, or recognise one, and mark it; nothing else in it is changed.

    Raises:
        XnaiError: DATA_DIR_FOREIGN for a folder that holds other things and has no mark of ours,
            DATA_DIR_UNUSABLE for one that cannot be written.

    """
    try:
        _prepare(folder)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        reason = exc.strerror or "unknown error"
        raise XnaiError(DATA_DIR_UNUSABLE, folder=folder, reason=reason) from exc


def _prepare(folder: Path) -> None:
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if marker.read(folder) is not None:
        return
    if foreign := foreign_names(folder):
        found = ", ".join(foreign[:_SHOWN]) + (" …" if len(foreign) > _SHOWN else "")
        raise XnaiError(DATA_DIR_FOREIGN, folder=folder, found=found, own=folder / "xnai")
    marker.write(folder, made=made)


def foreign_names(folder: Path) -> list[str]:
    """Return names that show a folder is not ours; none if it is ours or empty.

    Raises:
        OSError: it cannot be read.

    """
    if marker.read(folder) is not None:
        return []
    names = sorted({path.name for path in folder.iterdir()} - _NOBODYS)
    if not names or any(_is_database(folder / name, _TABLES[name]) for name in _TABLES):
        return []
    foreign = [name for name in names if not _OURS.fullmatch(name)]
    if not foreign and any((folder / name).exists() for name in _UNMISTAKABLE):
        return []
    if not foreign and _has_originals(folder / "documents"):
        return []
    return foreign or names


def _is_database(path: Path, tables: set[str]) -> bool:
    """Return whether a file is a database that a version of this program made."""
    if not path.is_file():
        return False
    log = Path(f"{path}-wal")
    # Pages still in the log can only be read with it.
    how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, timeout=2)
        try:
            rows = connection.execute("SELECT name FROM sqlite_schema").fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return False
    return tables <= {name for (name,) in rows}


def _has_originals(folder: Path) -> bool:
    name = re.compile(r"[0-9a-f]{32}")
    return any(name.fullmatch(path.name) for path in folder.glob("[0-9a-f][0-9a-f]/*"))


def free_gigabytes(folder: Path) -> float:
    """Return the free space on the disk of a folder."""
    return round(shutil.disk_usage(folder).free / 1e9, 1)
