"""What of the index cannot be read: rows are skipped and counted, the rest is still found."""

import threading

import structlog

_WAYS = 2  # to search: by words and by vectors
_MOST = 10_000  # rows that are remembered

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
