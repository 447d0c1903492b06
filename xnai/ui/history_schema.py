"""The tables of the history; migrations are only ever added at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from xnai.errors import HISTORY_DOWN, XnaiError

BUSY_TIMEOUT = 5000  # milliseconds to wait for another process


def prepare(connection: apsw.Connection) -> None:
    """Set a connection up and bring its tables up to date.

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
    with transaction(connection):
        version = int(connection.pragma("user_version"))
        if version > len(MIGRATIONS):
            reason = f"they are of version {version}; this program knows {len(MIGRATIONS)}"
            raise XnaiError(HISTORY_DOWN, reason=reason)
        for migrate in MIGRATIONS[version:]:
            migrate(connection)
        connection.pragma("user_version", len(MIGRATIONS))


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Do all that the block does, or nothing.

    On a full disk SQLite rolls back by itself, which apsw's own block takes for another error.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def m001_first_tables(connection: apsw.Connection) -> None:
    """Users, threads, steps, elements, feedback.

    ``body`` holds a step or an element as JSON, whatever keys Chainlit gives it.
    """
    connection.execute(
        """
        CREATE TABLE users (
            id TEXT PRIMARY KEY,
            identifier TEXT NOT NULL UNIQUE,
            created_at TEXT NOT NULL,
            metadata TEXT NOT NULL DEFAULT '{}'
        );
        CREATE TABLE threads (
            id TEXT PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            name TEXT,
            tags TEXT NOT NULL DEFAULT '[]',
            metadata TEXT NOT NULL DEFAULT '{}'
        );
        CREATE INDEX threads_of_user ON threads (user_id, updated_at DESC, id DESC);
        CREATE TABLE steps (
            id TEXT PRIMARY KEY,
            thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
            parent_id TEXT,
            type TEXT NOT NULL,
            created_at TEXT NOT NULL,
            output TEXT NOT NULL,
            body TEXT NOT NULL
        );
        CREATE INDEX steps_of_thread ON steps (thread_id, created_at);
        CREATE INDEX steps_below ON steps (parent_id);
        CREATE TABLE elements (
            id TEXT PRIMARY KEY,
            thread_id TEXT NOT NULL REFERENCES threads (id) ON DELETE CASCADE,
            for_id TEXT,
            body TEXT NOT NULL
        );
        CREATE INDEX elements_of_thread ON elements (thread_id);
        CREATE TABLE feedbacks (
            id TEXT PRIMARY KEY,
            step_id TEXT NOT NULL UNIQUE REFERENCES steps (id) ON DELETE CASCADE,
            value INTEGER NOT NULL,
            comment TEXT,
            created_at TEXT NOT NULL
        );
        """
    )


MIGRATIONS: tuple[Callable[[apsw.Connection], None], ...] = (m001_first_tables,)
