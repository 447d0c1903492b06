"""Users and their threads in the history file; blocking calls, made from one thread."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import apsw

from xnai.accounts.principal import Principal
from xnai.accounts.rights import Action, may, seen_by
from xnai.errors import NOT_FOUND, XnaiError
from xnai.sqlite.transactions import transaction
from xnai.ui.history.protocol import Conversation, ThreadQuery
from xnai.ui.history.rows import PINNED, Row, bounded_json, clean, loads, now, title

MAX_METADATA = 2_000_000  # characters of JSON; Chainlit redacts a session's at 1 MiB

_LIST = f"""
SELECT t.id, t.name, t.updated_at, t.tags, u.id, u.identifier
FROM threads t JOIN users u ON u.id = t.user_id
WHERE t.user_id = :user AND {seen_by("u.identifier")}
  AND (:at IS NULL OR (t.updated_at, t.id) < (:at, :id))
  AND (:value IS NULL OR EXISTS (
       SELECT 1 FROM feedbacks f JOIN steps s ON s.id = f.step_id
       WHERE s.thread_id = t.id AND f.value = :value))
  AND (:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(t.tags) WHERE json_each.value = :tag))
  {{further}}
ORDER BY t.updated_at DESC, t.id DESC LIMIT :limit
"""  # noqa: S608 - our own text
# ``contains`` is the function of the connection that searches.
_WITH_WORDS = """
  AND (contains(t.name, :words) OR EXISTS (
       SELECT 1 FROM steps s WHERE s.thread_id = t.id
         AND s.type IN ('user_message', 'assistant_message') AND contains(s.output, :words)))
"""


class Threads:
    """Users and threads; nobody reaches somebody else's thread."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def user(self, identifier: str) -> Row | None:
        """Return a user as {id, identifier, createdAt, metadata}."""
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
        """Return the name of a thread's user; empty if there is no such thread."""
        query = "SELECT u.identifier FROM threads t JOIN users u ON u.id = t.user_id WHERE t.id = ?"
        row = self._db.execute(query, (clean(thread_id),)).fetchone()
        return str(row[0]) if row else ""

    def allows(self, actor: Principal, action: Action, thread_id: str) -> bool:
        """Return whether the thread exists and the actor may see or change it."""
        author = self.author(thread_id)
        return bool(author) and may(actor, action, Conversation(author))

    def owned(self, actor: Principal, thread_id: str, action: Action = "change") -> bool:
        """Return whether the thread exists.

        Raises:
            XnaiError: NOT_FOUND, it is somebody else's.

        """
        if self.allows(actor, action, thread_id):
            return True
        if self.author(thread_id):
            raise XnaiError(NOT_FOUND, what="conversation", name=thread_id)
        return False

    def put(
        self,
        actor: Principal,
        thread_id: str,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        tags: list[str] | None,
    ) -> None:
        """Change a thread; one with a name and a user is created if it does not exist.

        Metadata alone never creates one: it comes with every disconnect, and would bring a deleted
        thread back. Keys whose value is None are removed from it.
        """
        with transaction(self._db):
            if name is not None:
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

    def make(self, actor: Principal, thread_id: str) -> None:
        """Insert a thread of a known user, unless it exists."""
        self._db.execute(
            "INSERT INTO threads (id, user_id, created_at, updated_at) "
            "SELECT ?, id, ?, ? FROM users WHERE identifier = ? ON CONFLICT DO NOTHING",
            (thread_id, moment := now(), moment, actor.person_id),
        )

    def touch(self, thread_id: str) -> None:
        """Record that a message was written in a thread."""
        self._db.execute("UPDATE threads SET updated_at = ? WHERE id = ?", (now(), thread_id))

    def delete(self, actor: Principal, thread_id: str) -> None:
        """Delete a thread with everything in it."""
        if self.owned(actor, thread_id):
            self._db.execute("DELETE FROM threads WHERE id = ?", (thread_id,))
            # The journal still holds what secure_delete overwrote in the file.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def page(self, actor: Principal, query: ThreadQuery) -> list[Row]:
        """Return a user's threads without their steps, the most recently used first."""
        return list(self.found(actor, query))

    def found(self, actor: Principal, query: ThreadQuery) -> Iterator[Row]:
        """Yield them as they are found; one with words needs a connection that searches."""
        words = clean(query.words or "").casefold()
        rows = self._db.execute(
            _LIST.format(further=_WITH_WORDS if words else ""),
            {
                "user": query.user_id,
                "person_id": actor.person_id,
                "at": query.after[0] if query.after else None,
                "id": query.after[1] if query.after else None,
                "value": query.feedback,
                "tag": PINNED if query.pinned else None,
                "limit": query.limit,
                **({"words": words} if words else {}),
            },
        )
        for row in rows:
            yield {
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

    def names(self, actor: Principal) -> dict[str, str]:
        """Return the names of the actor's threads by their ids."""
        query = (
            "SELECT t.id, t.name FROM threads t JOIN users u ON u.id = t.user_id "  # noqa: S608
            f"WHERE {seen_by('u.identifier')}"
        )
        rows = self._db.execute(query, {"person_id": actor.person_id})
        return {str(thread_id): str(name or "") for thread_id, name in rows}

    def get(self, actor: Principal, thread_id: str) -> Row | None:
        """Return a thread without its steps and elements.

        Raises:
            XnaiError: NOT_FOUND, it is somebody else's.

        """
        if not self.owned(actor, thread_id, "see"):
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
