"""What became of documents that are gone: until when they were there, and what followed them."""

import time
from typing import Any

import apsw

from xnai.retrieval.former import FormerDocument

_LONGEST = 1000  # versions, one after the other


def note(connection: apsw.Connection, document_id: str, successor: str) -> None:
    """Note of a document that is about to be deleted that it was there."""
    connection.execute(
        "INSERT OR REPLACE INTO former_documents (id, owner, gone_at, successor) "
        "SELECT id, owner, ?, ? FROM documents WHERE id = ?",
        (time.time(), successor, document_id),
    )


def find(connection: apsw.Connection, document_id: str) -> FormerDocument | None:
    """Return what became of a document; its successor is the version that is there now."""
    query = "SELECT id, owner, gone_at, successor FROM former_documents WHERE id = ?"
    rows: Any = connection.execute(query, (document_id,)).fetchall()
    if not rows:
        return None
    found = FormerDocument(*rows[0])
    successor = found.successor
    for _ in range(_LONGEST):
        later: Any = connection.execute(query, (successor,)).fetchall()
        if not later:
            break
        successor = str(later[0][3])
    return FormerDocument(found.id, found.owner, found.gone_at, successor)
