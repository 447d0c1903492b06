"""The tables of the history, made by the files in ``migrations``; their count is the version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from xnai.errors import HISTORY_DOWN, XnaiError
from xnai.sqlite.migrations import NewerVersionError, migrate, read_migrations
from xnai.ui.history.former_citations import linked_citations

MIGRATIONS = read_migrations(Path(__file__).with_name("migrations"))
BUSY_TIMEOUT = 5000  # milliseconds to wait for another process


def prepare(connection: apsw.Connection, id_of_former_name: Callable[[str], str] = str) -> None:
    """Set a connection up and bring its tables up to date.

    Args:
        connection: to the history.
        id_of_former_name: returns the id of a person whom an earlier version called by name, see
            ``People``.

    Raises:
        apsw.Error: the file is no database, or is damaged.
        XnaiError: HISTORY_DOWN, it comes from a newer version.

    """
    connection.set_busy_timeout(BUSY_TIMEOUT)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What a person deletes is overwritten, not just unlinked.
    connection.execute("PRAGMA secure_delete = ON")

    def person(*names: Any) -> str:
        return id_of_former_name(*map(str, names))

    def linked(*texts: Any) -> str:
        return linked_citations(*map(str, texts))

    connection.create_scalar_function("person_id_of_former_name", person, 1)
    connection.create_scalar_function("linked_citations", linked, 2)
    try:
        migrate(connection, MIGRATIONS)
    except NewerVersionError as exc:
        raise XnaiError(HISTORY_DOWN, reason=str(exc)) from exc
