"""The database file itself: made for its user alone, told from others', never written over.

What SQLite would do with a file that was emptied, or removed without its log, is to delete the log;
with another program's database, to add our tables. Both are set aside instead.
"""

import time
from pathlib import Path

import apsw
import structlog

_LOGS = ("-wal", "-shm", "-journal")

_log = structlog.get_logger(__name__)


class ForeignError(Exception):
    """The database holds tables, and none of ours."""


def prepare(path: Path) -> None:
    """Make the file if it is not there, readable by nobody else; its logs get the same rights.

    A log without the database that it belongs to is set aside.
    """
    log = Path(f"{path}-wal")
    if not _size(path) and _size(log):
        set_aside(path, "it is empty or was removed, and its log was not")
    if not path.exists():
        path.touch(mode=0o600)


def require_ours(connection: apsw.Connection, ours: frozenset[str]) -> None:
    """Refuse a database that another program has made: it has tables, and none of ``ours``.

    Raises:
        ForeignError: it is.

    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if tables and not tables & ours:
        raise ForeignError


def set_aside(path: Path, reason: str, mark: str = "aside") -> Path:
    """Rename a database and its logs, so that nothing is lost; returns the new path."""
    stamp = time.strftime("%Y%m%dT%H%M%S") + f"-{time.time_ns() % 1_000_000:06d}"
    aside = path.with_name(f"{path.name}.{mark}-{stamp}")
    for end in ("", *_LOGS):
        if Path(f"{path}{end}").exists():
            Path(f"{path}{end}").rename(f"{aside}{end}")
    _log.error("database_set_aside", reason=reason, old=str(aside))
    return aside


def is_begun(path: Path) -> bool:
    """Whether there is a database that anything was written to."""
    return bool(_size(path))


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
