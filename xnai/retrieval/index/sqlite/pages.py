"""The texts of pages as rows, each function on the connection of a transaction."""

from collections.abc import Mapping
from typing import Any

import apsw

from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite.records import sound
from xnai.retrieval.index.sqlite.unreadable import one_by_one, rows_of
from xnai.types import PageText, PageTexts

_PAGES = (
    "SELECT d.id, d.file_name, d.page_count, p.number, p.text, p.checksum "
    "FROM pages p JOIN documents d ON d.id = p.document_id "
)
_ORDER = "ORDER BY d.created_at, d.id, p.number"


def page_text(connection: apsw.Connection, document_id: str, number: int) -> str | None:
    """The text of a page; None if there is none.

    Raises:
        ChangedError: it is not what was stored.

    """
    query = "SELECT text, checksum FROM pages WHERE document_id = ? AND number = ?"
    row: Any = connection.execute(query, (document_id, number)).fetchone()
    return None if row is None else str(sound(row)[0])


def pages_in(
    connection: apsw.Connection,
    condition: str,
    values: Mapping[str, str | int | None],
    limit: int,
    damage: Damage,
) -> PageTexts:
    """The pages of all documents that a condition is true of, unless they are too long.

    A page that cannot be read, or is not what was stored, is left out and counted.

    Args:
        connection: of a transaction.
        condition: SQL on ``d``, a row of documents.
        values: those of the names in the condition.
        limit: characters that the pages may have together.
        damage: where pages that cannot be read are counted.

    """
    tables = f"FROM pages p JOIN documents d ON d.id = p.document_id WHERE {condition}"
    sizes: Any = connection.execute(
        f"SELECT p.rowid, length(p.text) {tables} {_ORDER}",
        values,
    ).fetchall()
    characters = sum(length or 0 for _, length in sizes)
    if characters > limit:
        return PageTexts(characters, None)
    rowids = [rowid for rowid, _ in sizes]
    rows = rows_of(
        connection,
        f"{_PAGES} WHERE {condition} {_ORDER}",
        values,
        lambda: one_by_one(connection, f"{_PAGES} WHERE p.rowid = ?", rowids),
        sound,
        lambda rowid: damage.note("pages", rowid),
    )
    return PageTexts(
        characters,
        tuple(
            PageText(document_id, file_name, page_count, number or None, text)
            for document_id, file_name, page_count, number, text, _ in rows
        ),
    )
