"""Users and their threads in the history file; plain calls, made from one thread."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from xnai.errors import NOT_FOUND, XnaiError
from xnai.ui.history_rows import Row, bounded_json, clean, loads, now, title
from xnai.ui.history_schema import transaction

MAX_METADATA = 2_000_000  # characters of JSON; Chainlit redacts a session's at 1 MiB

# The name of the user for whom something is done; None: the program itself.
Actor = str | None

_LIST = r"""
SELECT t.id, t.name, t.updated_at, t.tags, u.id, u.identifier
FROM threads t JOIN users u ON u.id = t.user_id
WHERE t.user_id = :user
  AND (:at IS NULL OR (t.updated_at, t.id) < (:at, :id))
  AND (:words IS NULL OR t.name LIKE :words ESCAPE '\' OR EXISTS (
       SELECT 1 FROM steps s WHERE s.thread_id = t.id
         AND s.type IN ('user_message', 'assistant_message') AND s.output LIKE :words ESCAPE '\'))
  AND (:value IS NULL OR EXISTS (
       SELECT 1 FROM feedbacks f JOIN steps s ON s.id = f.step_id
       WHERE s.thread_id = t.id AND f.value = :value))
ORDER BY t.updated_at DESC, t.id DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class ThreadQuery:
    """A page of a user's threads.

    ``after`` is (time, id) of the last thread that is known already; ``words`` are looked for as
    they are in names and messages (ASCII letters in any case); ``feedback`` (0 or 1) asks for
    threads that have such a feedback.
    """

    user_id: str
    limit: int
    after: tuple[str, str] | None = None
    words: str | None = None
    feedback: int | None = None


class Threads:
    """Users and threads; nobody gets at a thread that is somebody else's."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def user(self, identifier: str) -> Row | None:
        """A user as {id, identifier, createdAt, metadata}."""
        query = "SELECT id, identifier, created_at, metadata FROM users WHERE identifier = ?"
        row = self._db.execute(query, (identifier,)).fetchone()
        if row is None:
            return None
        names = ("id", "identifier", "createdAt", "metadata")
        return dict(zip(names, (*row[:3], loads(row[3])), strict=True))

    def put_user(self, identifier: str, metadata: Mapping[str, Any]) -> Row:
        """Insert a user, or renew the metadata of a known one."""
        self._db.execute(
            "INSERT INTO users (id, identifier, created_at, metadata) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (identifier) DO UPDATE SET metadata = excluded.metadata",
            (str(uuid.uuid4()), identifier, now(), bounded_json(metadata, MAX_METADATA)),
        )
        user = self.user(identifier)
        assert user is not None
        return user

    def author(self, thread_id: str) -> str:
        """The name of a thread's user; empty if there is no such thread."""
        query = "SELECT u.identifier FROM threads t JOIN users u ON u.id = t.user_id WHERE t.id = ?"
        row = self._db.execute(query, (clean(thread_id),)).fetchone()
        return str(row[0]) if row else ""

    def owned(self, actor: Actor, thread_id: str) -> bool:
        """Whether the thread is there.

        Raises:
            XnaiError: NOT_FOUND, it is somebody else's.

        """
        author = self.author(thread_id)
        if author and actor not in (None, author):
            raise XnaiError(NOT_FOUND, what="conversation", name=thread_id)
        return bool(author)

    def put(
        self,
        actor: Actor,
        thread_id: str,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        tags: list[str] | None,
    ) -> None:
        """Change a thread; one with a name and a user is made if it is not there.

        Metadata alone never makes one: it comes with every disconnect, and would bring a deleted
        thread back. Keys whose value is None are removed from it.
        """
        with transaction(self._db):
            if name is not None and actor is not None:
                self.make(actor, thread_id)
            if not self.owned(actor, thread_id):
                return
            if name is not None:
                self._db.execute(
                    "UPDATE threads SET name = ? WHERE id = ?", (title(name), thread_id)
                )
            if tags is not None:
                self._db.execute(
                    "UPDATE threads SET tags = ? WHERE id = ?",
                    (bounded_json(list(tags), MAX_METADATA), thread_id),
                )
            if metadata is not None:
                self._merge_metadata(thread_id, metadata)

    def _merge_metadata(self, thread_id: str, metadata: Mapping[str, Any]) -> None:
        query = "SELECT metadata FROM threads WHERE id = ?"
        row: Any = self._db.execute(query, (thread_id,)).fetchone()
        merged = {**loads(row[0]), **metadata}
        kept = {key: value for key, value in merged.items() if value is not None}
        self._db.execute(
            "UPDATE threads SET metadata = ? WHERE id = ?",
            (bounded_json(kept, MAX_METADATA), thread_id),
        )

    def make(self, actor: str, thread_id: str) -> None:
        """Insert a thread of a known user, unless it is there."""
        self._db.execute(
            "INSERT INTO threads (id, user_id, created_at, updated_at) "
            "SELECT ?, id, ?, ? FROM users WHERE identifier = ? ON CONFLICT DO NOTHING",
            (thread_id, moment := now(), moment, actor),
        )

    def touch(self, thread_id: str) -> None:
        """Note down that something was said in a thread."""
        self._db.execute("UPDATE threads SET updated_at = ? WHERE id = ?", (now(), thread_id))

    def delete(self, actor: Actor, thread_id: str) -> None:
        """Delete a thread with all it has."""
        if self.owned(actor, thread_id):
            self._db.execute("DELETE FROM threads WHERE id = ?", (thread_id,))
            # The journal still holds what secure_delete has overwritten in the file.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def page(self, actor: Actor, query: ThreadQuery) -> list[Row]:
        """A user's threads without their steps, the one spoken in last first."""
        escaped = (query.words or "").translate({ord(c): rf"\{c}" for c in r"\%_"})
        rows = self._db.execute(
            _LIST,
            {
                "user": query.user_id,
                "at": query.after[0] if query.after else None,
                "id": query.after[1] if query.after else None,
                "words": f"%{clean(escaped)}%" if escaped else None,
                "value": query.feedback,
                "limit": query.limit,
            },
        )
        return [
            {
                "id": row[0],
                "name": row[1],
                # The sidebar sorts and groups by this name, and moves a thread up when it is
                # spoken in; so it gets the time of the last word.
                "createdAt": row[2],
                "tags": loads(row[3]),
                "userId": row[4],
                "userIdentifier": row[5],
                "metadata": {},
                "steps": [],
                "elements": [],
            }
            for row in rows
            if actor in (None, row[5])
        ]

    def get(self, actor: Actor, thread_id: str) -> Row | None:
        """A thread without its steps and elements.

        Raises:
            XnaiError: NOT_FOUND, it is somebody else's.

        """
        if not self.owned(actor, thread_id):
            return None
        query = (
            "SELECT t.name, t.created_at, t.tags, t.metadata, u.id, u.identifier "
            "FROM threads t JOIN users u ON u.id = t.user_id WHERE t.id = ?"
        )
        row: Any = self._db.execute(query, (thread_id,)).fetchone()
        return {
            "id": thread_id,
            "name": row[0],
            "createdAt": row[1],
            "tags": loads(row[2]),
            "metadata": loads(row[3]),
            "userId": row[4],
            "userIdentifier": row[5],
        }
