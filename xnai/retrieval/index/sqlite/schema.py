"""The tables of the index, made by the files in ``migrations``; their names are the ledger."""

import time
from pathlib import Path

import apsw

from xnai.errors import SEARCH_DOWN, XnaiError
from xnai.sqlite.migrations import read_migrations
from xnai.sqlite.transactions import transaction

BUNDLED = "all-MiniLM-L6-v2"  # whose vectors an index of before m004 holds
TABLES = frozenset({"documents", "migrations"})  # of which an index has one at least
MIGRATIONS = read_migrations(Path(__file__).with_name("migrations"))


def migrate(connection: apsw.Connection) -> None:
    """Apply the migrations that the database does not have yet, all or none.

    Raises:
        XnaiError: SEARCH_DOWN when another version of the program wrote the database.

    """
    names = [migration.name for migration in MIGRATIONS]
    if _applied(connection) == names:
        return
    with transaction(connection):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at REAL) STRICT"
        )
        applied = _applied(connection)
        if applied != names[: len(applied)]:
            reason = "another version of XNAi wrote the index; use that version or a newer one"
            raise XnaiError(SEARCH_DOWN, reason=reason)
        for migration in MIGRATIONS[len(applied) :]:
            connection.execute(migration.sql)
            row = (migration.name, time.time())
            connection.execute("INSERT INTO migrations VALUES (?, ?)", row)


def _applied(connection: apsw.Connection) -> list[str]:
    exists = "SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'"
    if not connection.execute(exists).get:
        return []
    return [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY rowid")]
