"""Takes the content of a document out of the index, so that no trace of it is left in the file."""

from typing import Any

import apsw

from xnai.retrieval.index.sqlite.fulltext import owner_token, searchable

_MERGE_CHUNKS = 100  # merging so many costs about as much as erasing one in place
_PART_CHUNKS, _PART_PAGES = 100, 20  # that are deleted at once where there is little room


def delete_content(connection: apsw.Connection, document_id: str) -> None:
    """Delete a document's pages and chunks with all that belongs to them."""
    erase_words(connection, *words_of(connection, document_id))
    for table in ("signatures", "next_signatures", "chunks", "pages"):
        connection.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))  # noqa: S608


def part(connection: apsw.Connection, document_id: str) -> bool:
    """Delete a few of a document's chunks, then of its pages; False when there are none.

    It writes little at a time, for a disk that has little room: merging writes all words anew.
    """
    for table in ("signatures", "next_signatures"):
        connection.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))  # noqa: S608
    rows, token = words_of(connection, document_id, _PART_CHUNKS)
    if rows:
        erase_words(connection, rows, token, in_place=True)
        connection.executemany("DELETE FROM chunks WHERE id = ?", ((row[0],) for row in rows))
        return True
    connection.execute(
        "DELETE FROM pages WHERE rowid IN (SELECT rowid FROM pages WHERE document_id = ? LIMIT ?)",
        (document_id, _PART_PAGES),
    )
    return connection.changes() > 0


def words_of(
    connection: apsw.Connection, document_id: str, most: int = -1
) -> tuple[list[tuple[int, str]], str]:
    """A document's first chunks, and the word by which their owner is searched."""
    query = "SELECT iif(collection = '', owner, collection) FROM documents WHERE id = ?"
    found: str | None = connection.execute(query, (document_id,)).get
    rows: Any = connection.execute(
        "SELECT id, text FROM chunks WHERE document_id = ? LIMIT ?", (document_id, most)
    ).fetchall()
    return rows, owner_token(found or "")


def erase_words(
    connection: apsw.Connection, rows: list[tuple[int, str]], token: str, *, in_place: bool = False
) -> None:
    """Take chunks' words out of the inverted index, so that no trace of them is left in the file.

    FTS5 either does so word by word (measured: 1 to 4 ms a chunk), or marks them as deleted and
    drops them when all is merged into one segment (10 microseconds for each chunk that stays).
    """
    if not in_place:
        total = connection.execute("SELECT count(*) FROM chunks").get
        in_place = len(rows) * _MERGE_CHUNKS < total
    connection.execute(
        "INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('secure-delete', ?)", (int(in_place),)
    )
    # A table without content has to be told which words to take out.
    connection.executemany(
        "INSERT INTO chunks_fts (chunks_fts, rowid, text, owner) VALUES ('delete', ?, ?, ?)",
        ((chunk_id, searchable(text), token) for chunk_id, text in rows),
    )
    if rows and not in_place:
        connection.execute("INSERT INTO chunks_fts (chunks_fts) VALUES ('optimize')")
