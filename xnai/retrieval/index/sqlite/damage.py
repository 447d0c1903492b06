"""What of the index cannot be read: rows are skipped and counted, the rest is still found."""

import threading
import zlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import apsw
import structlog

# A flipped byte shows as a page that is none, as text that is no UTF-8, or as a value of another
# kind.
UNREADABLE = (apsw.CorruptError, UnicodeDecodeError, ValueError, TypeError, KeyError)
_WAYS = 2  # to search: by words and by vectors
_MOST = 10_000  # rows that are remembered

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Damage:
    """Counts rows that could not be read, by table; used from several threads.

    ``found`` is what the latest check of the whole file says, and empty if that found nothing.
    """

    def __init__(self) -> None:
        self._rows: dict[str, set[object]] = {}
        self._lock = threading.Lock()
        self._failing: dict[str, str] = {}
        self.found = ""

    def note(self, table: str, row: object) -> None:
        """Count a row once."""
        with self._lock:
            rows = self._rows.setdefault(table, set())
            if row in rows or len(rows) >= _MOST:
                return
            rows.add(row)
        _log.error("index_row_unreadable", table=table, row=row)

    def failed(self, search: str, reason: str) -> None:
        """Note that a way to search cannot be gone."""
        with self._lock:
            self._failing[search] = reason

    def works(self, search: str) -> None:
        """Note that it can."""
        with self._lock:
            self._failing.pop(search, None)

    @property
    def nothing_works(self) -> str:
        """Why no way to search can be gone; empty as long as one can."""
        with self._lock:
            return next(iter(self._failing.values())) if len(self._failing) >= _WAYS else ""

    def unreadable(self, table: str) -> int:
        """Rows of a table that could not be read."""
        with self._lock:
            return len(self._rows.get(table, ()))

    def words(self) -> str:
        """What is known of it, for people; empty if nothing is damaged."""
        with self._lock:
            counts = {table: len(rows) for table, rows in sorted(self._rows.items())}
            failing = [f"the search by {search} fails" for search in sorted(self._failing)]
        told = [f"{count:,} rows of {table} cannot be read" for table, count in counts.items()]
        told += failing
        return ", ".join([*told, self.found] if self.found else told)


def checksum(text: str) -> int:
    """Return what is kept beside a text to know it again."""
    return zlib.crc32(text.encode())


def rows_of(  # noqa: PLR0913, PLR0917 - two ways to read the same rows
    connection: apsw.Connection,
    query: str,
    values: Any,
    one_by_one: Callable[[], Iterable[tuple[object, Any]]],
    make: Callable[[Any], T],
    unreadable: Callable[[object], None],
) -> list[T]:
    """Return what is made of the rows of a query, without those that cannot be read.

    Args:
        connection: of the transaction.
        query: gives all rows at once.
        values: its bindings.
        one_by_one: gives the key of each row and a query's row for it, or the error in its place.
        make: makes something of a row; what it cannot be made of counts as unreadable.
        unreadable: told the key of each row that was left out.

    """
    try:
        return [make(row) for row in connection.execute(query, values).fetchall()]
    except UNREADABLE:
        found: list[T] = []
        for key, row in one_by_one():
            try:
                if isinstance(row, Exception):
                    raise row
                found.append(make(row))
            except UNREADABLE:
                unreadable(key)
        return found


def one_by_one(
    connection: apsw.Connection, query: str, keys: Iterable[object], *values: object
) -> Iterable[tuple[object, Any]]:
    """Ask for rows by their keys, each for itself; a key without a row gives nothing.

    ``values`` are bound before the key.
    """
    for key in keys:
        try:
            row = connection.execute(query, (*values, key)).fetchone()
        except UNREADABLE as exc:
            yield key, exc
        else:
            if row is not None:
                yield key, row
