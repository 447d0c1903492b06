"""Steps, elements and feedback in the history file; blocking calls, made from one thread."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import apsw

from xnai.accounts.principal import Principal
from xnai.accounts.rights import seen_by
from xnai.errors import NOT_FOUND, XnaiError
from xnai.sqlite.transactions import transaction
from xnai.ui.history.rows import Row, clean, element_row, loads, now, step_row
from xnai.ui.history.sqlite.threads import Threads
from xnai.ui.markdown import MARKS, RUNNING

MAX_SHOWN = 4_000_000  # characters of steps that are sent to a page at once: a tenth of a second
MAX_STEPS = 4_000
_BELOW = """
WITH RECURSIVE gone(id) AS (
    SELECT :step UNION SELECT s.id FROM steps s JOIN gone g ON s.parent_id = g.id
    WHERE s.thread_id = :thread
)
"""
_DELETE_ELEMENTS = f"{_BELOW} DELETE FROM elements WHERE thread_id = :thread AND for_id IN gone"  # noqa: S608 - constants
_DELETE_STEPS = f"{_BELOW} DELETE FROM steps WHERE thread_id = :thread AND id IN gone"  # noqa: S608 - constants


class Steps:
    """The contents of threads; nobody reaches those of somebody else's thread."""

    def __init__(self, db: apsw.Connection, threads: Threads) -> None:
        self._db = db
        self._threads = threads

    def create(self, actor: Principal, step: Mapping[str, Any]) -> None:
        """Insert a new step.

        A person's message creates its thread if need be: Chainlit may save it before the thread.
        Nothing else does, so an answer that is still running cannot bring a deleted thread back.
        """
        row = step_row(step)
        with transaction(self._db):
            if row["type"] == "user_message":
                self._threads.make(actor, row["thread"])
            if not self._threads.owned(actor, row["thread"]):
                return
            # The id of a message comes from the browser: it never replaces what is there.
            self._db.execute(
                "INSERT INTO steps (id, thread_id, parent_id, type, created_at, output, body) "
                "VALUES (:id, :thread, :parent, :type, :created, :output, :body) "
                "ON CONFLICT DO NOTHING",
                row,
            )
            self._threads.touch(row["thread"])

    def update(self, actor: Principal, step: Mapping[str, Any]) -> None:
        """Change an existing step; a late update never brings a deleted one back."""
        row = step_row(step)
        with transaction(self._db):
            if self._threads.owned(actor, row["thread"]):
                self._db.execute(
                    "UPDATE steps SET parent_id = :parent, output = :output, body = :body "
                    "WHERE id = :id AND thread_id = :thread AND type = :type",
                    row,
                )
                self._threads.touch(row["thread"])

    def delete(self, actor: Principal, step_id: str) -> None:
        """Delete a step with the steps below it and the elements of them all."""
        thread_id = self._thread_of_step(step_id)
        if thread_id is None or not self._threads.owned(actor, thread_id):
            return
        ids = {"step": step_id, "thread": thread_id}
        with transaction(self._db):
            self._db.execute(_DELETE_ELEMENTS, ids)
            self._db.execute(_DELETE_STEPS, ids)

    def close_open(self, moment: str) -> int:
        """Mark the steps that a killed server left open as ended; returns how many."""
        ended = (
            "UPDATE steps SET body = json_set(body, '$.end', :now, '$.name', "
            "CASE type WHEN 'tool' THEN json_extract(body, '$.name') || :words "
            "ELSE json_extract(body, '$.name') END) "
            "WHERE type IN ('tool', 'run') AND json_extract(body, '$.end') IS NULL"
        )
        marked = (
            "UPDATE steps SET output = output || :mark, "
            "body = json_set(body, '$.metadata.end', 'killed') "
            "WHERE type = 'assistant_message' AND json_extract(body, '$.metadata.end') = :running"
        )
        with transaction(self._db):
            self._db.execute(ended, {"now": moment, "words": " (the server ended)"})
            count = int(self._db.changes())
            self._db.execute(marked, {"mark": MARKS["killed"], "running": RUNNING})
            return count + int(self._db.changes())

    def favorites(self, actor: Principal) -> list[Row]:
        """Return the messages that somebody marked, newest first."""
        query = (
            "SELECT s.body, s.output, NULL, NULL, NULL FROM steps s "  # noqa: S608 - our own text
            "JOIN threads t ON t.id = s.thread_id JOIN users u ON u.id = t.user_id "
            f"WHERE {seen_by('u.identifier')} "
            "AND json_extract(s.body, '$.metadata.favorite') ORDER BY s.created_at DESC"
        )
        rows = self._db.execute(query, {"person_id": actor.person_id})
        return [_step(row) for row in _bounded(rows)]

    def put_element(self, actor: Principal, element: Mapping[str, Any]) -> None:
        """Insert or replace an element; its thread must exist."""
        row = element_row(element)
        with transaction(self._db):
            if self._threads.owned(actor, row["thread"]):
                self._db.execute(
                    "INSERT INTO elements (id, thread_id, for_id, body) "
                    "VALUES (:id, :thread, :for, :body) ON CONFLICT (id) DO UPDATE "
                    "SET for_id = excluded.for_id, body = excluded.body "
                    "WHERE elements.thread_id = excluded.thread_id",
                    row,
                )

    def element(self, actor: Principal, thread_id: str, element_id: str) -> Row | None:
        """Return one element of a thread."""
        if not self._threads.owned(actor, thread_id, "see"):
            return None
        return next(iter(self.elements(thread_id, clean(element_id))), None)

    def delete_element(self, actor: Principal, element_id: str) -> None:
        """Delete an element."""
        query = "SELECT thread_id FROM elements WHERE id = ?"
        row = self._db.execute(query, (clean(element_id),)).fetchone()
        if row and self._threads.allows(actor, "change", row[0]):
            self._db.execute("DELETE FROM elements WHERE id = ?", (element_id,))

    def put_feedback(self, actor: Principal, step_id: str, value: int, comment: str | None) -> str:
        """Store a person's feedback on a step (0 or 1), one per step; returns its id.

        Raises:
            XnaiError: NOT_FOUND, the step does not exist or is somebody else's.

        """
        thread_id = self._thread_of_step(step_id)
        if thread_id is None or not self._threads.allows(actor, "change", thread_id):
            raise XnaiError(NOT_FOUND, what="message", name=step_id)
        (row,) = self._db.execute(
            "INSERT INTO feedbacks (id, step_id, value, comment, created_at) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (step_id) DO UPDATE "
            "SET value = excluded.value, comment = excluded.comment RETURNING id",
            (str(uuid.uuid4()), step_id, value, clean(comment) if comment else None, now()),
        ).fetchall()
        return str(row[0])

    def delete_feedback(self, actor: Principal, feedback_id: str) -> bool:
        """Delete a feedback; False if there is none, or it is somebody else's."""
        query = (
            "SELECT s.thread_id FROM feedbacks f JOIN steps s ON s.id = f.step_id WHERE f.id = ?"
        )
        row = self._db.execute(query, (clean(feedback_id),)).fetchone()
        if row is None or not self._threads.allows(actor, "change", row[0]):
            return False
        self._db.execute("DELETE FROM feedbacks WHERE id = ?", (feedback_id,))
        return True

    def steps(self, thread_id: str) -> list[Row]:
        """Return a thread's newest steps with their feedback, oldest first.

        As many as a server can send to a page: the rest is kept, and found by a search.
        """
        query = (
            "SELECT s.body, s.output, f.id, f.value, f.comment FROM steps s "
            "LEFT JOIN feedbacks f ON f.step_id = s.id WHERE s.thread_id = ? "
            "ORDER BY s.created_at DESC, s.rowid DESC"
        )
        return [_step(row) for row in reversed(_bounded(self._db.execute(query, (thread_id,))))]

    def count(self, thread_id: str) -> int:
        """Return how many steps a thread has."""
        query = "SELECT count(*) FROM steps WHERE thread_id = ?"
        row: Any = self._db.execute(query, (thread_id,)).fetchone()
        return int(row[0])

    def elements(self, thread_id: str, element_id: str | None = None) -> list[Row]:
        """Return a thread's newest elements, or the one with the given id."""
        query = (
            "SELECT body, '', id, for_id FROM elements "
            "WHERE thread_id = ? AND (? IS NULL OR id = ?) ORDER BY rowid DESC"
        )
        rows = _bounded(self._db.execute(query, (thread_id, element_id, element_id)))
        return [
            {**loads(body), "id": found, "threadId": thread_id, "forId": for_id}
            for body, _, found, for_id in reversed(rows)
        ]

    def _thread_of_step(self, step_id: str) -> str | None:
        query = "SELECT thread_id FROM steps WHERE id = ?"
        row = self._db.execute(query, (clean(step_id),)).fetchone()
        return str(row[0]) if row else None


def _bounded(rows: Iterable[Any]) -> list[tuple[Any, ...]]:
    """The first rows that together are no longer than may be sent to a page; one at least."""
    kept: list[tuple[Any, ...]] = []
    room = MAX_SHOWN
    for row in rows:
        room -= len(row[0]) + len(row[1])
        if kept and (room < 0 or len(kept) >= MAX_STEPS):
            break
        kept.append(row)
    return kept


def _step(row: tuple[Any, ...]) -> Row:
    body, output, feedback_id, value, comment = row
    step: Row = {**loads(body), "output": output}
    if feedback_id is not None:
        step["feedback"] = {
            "id": feedback_id,
            "forId": step["id"],
            "value": value,
            "comment": comment,
        }
    return step
