"""A copy of a SQLite file as it is at one moment, taken while others read and write it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

_PAGES = 2_000  # copied between two words to who waits
BUSY_MILLISECONDS = 30_000


class SnapshotError(Exception):
    """A database cannot be read or copied; the text says why, in SQLite's words."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn what SQLite raises into SnapshotError."""
    try:
        yield
    except apsw.Error as exc:
        raise SnapshotError(str(exc)) from exc


def snapshot(source: Path, target: Path, tell: Callable[[int, int], None]) -> None:
    """Copy a database with SQLite's online backup; ``target`` is a single file without a log.

    A read transaction is held for as long as it takes, so the copy is that of its beginning and
    never starts again; writers are not held up (WAL).

    Args:
        source: a database that is there.
        target: must not be there.
        tell: called with the pages that are copied and the pages there are.

    Raises:
        SnapshotError: the source cannot be read or the target cannot be written.

    """
    with explained():
        _copy(source, target, tell)


def _copy(source: Path, target: Path, tell: Callable[[int, int], None]) -> None:
    reading = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    writing = apsw.Connection(str(target))
    try:
        reading.set_busy_timeout(BUSY_MILLISECONDS)
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with writing.backup("main", reading, "main") as copying:
            while not copying.done:
                copying.step(_PAGES)
                tell(copying.page_count - copying.remaining, copying.page_count)
        writing.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        writing.close()
        reading.close()
