"""Reads from the history, beside the page that writes it."""

import json
from pathlib import Path
from typing import Any

import apsw
import structlog

from xnai.sqlite.transactions import reading

log = structlog.get_logger(__name__)

_FILE = "history.sqlite3"
_AUTHORS = "SELECT t.id, u.identifier FROM threads t JOIN users u ON u.id = t.user_id"
_SHOWING = "SELECT thread_id, body FROM elements WHERE body LIKE ? LIMIT 1"
_CONTENT = "/v1/files/"


class SqliteConversations:
    """Implements ``Conversations`` on the file of a data folder; without one there are none."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _FILE

    def authors(self) -> dict[str, str]:
        """Return whose each conversation is, by the names of now or of before."""
        return {str(thread): str(user) for thread, user in self._rows(_AUTHORS)}

    def showing(self, document_id: str) -> tuple[str, str]:
        """Return a conversation that shows a document and its name there, both empty if none."""
        for thread_id, body in self._rows(_SHOWING, f"%{_CONTENT}{document_id}%"):
            try:
                name = json.loads(str(body)).get("name")
            except (ValueError, AttributeError):
                return "", ""
            return str(thread_id), str(name or document_id)
        return "", ""

    def _rows(self, query: str, *values: str) -> list[Any]:
        if not self._path.exists():
            return []
        try:
            with reading(self._path) as connection:
                return connection.execute(query, values).fetchall()
        except apsw.Error as exc:
            log.warning("the history cannot say whose chats are", reason=type(exc).__name__)
            return []
