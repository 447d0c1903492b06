"""Documents, pages and chunks as rows, each function on the connection of a transaction."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any

import apsw
import numpy as np

from xnai.retrieval import stored_codes
from xnai.retrieval.fulltext import owner_token, searchable
from xnai.retrieval.protocol import Embedded
from xnai.retrieval.signatures import signatures
from xnai.retrieval.token_codes import FORMAT
from xnai.types import Chunk, Document, Page, Passage

_COLUMNS = ", ".join(field.name for field in fields(Document))
_MARKS = ", ".join("?" for _ in fields(Document))
_UPDATES = ", ".join(f"{field.name} = excluded.{field.name}" for field in fields(Document)[1:])
_MERGE_CHUNKS = 100  # merging so many costs about as much as erasing one in place
_SURROGATE = re.compile("[\ud800-\udfff]")


def put_document(connection: apsw.Connection, document: Document) -> None:
    """Insert or replace a record and nothing else."""
    values = [_stored(value) for value in astuple(document)]
    connection.execute(
        f"INSERT INTO documents ({_COLUMNS}) VALUES ({_MARKS}) "  # noqa: S608 - our own names
        f"ON CONFLICT (id) DO UPDATE SET {_UPDATES}",
        values,
    )


def documents(connection: apsw.Connection, where: str, values: Sequence[str]) -> list[Document]:
    """Records, oldest first."""
    query = f"SELECT {_COLUMNS} FROM documents {where} ORDER BY created_at, id"  # noqa: S608
    return [_document(row) for row in connection.execute(query, values)]


def put_pages(connection: apsw.Connection, document_id: str, pages: Iterable[Page]) -> None:
    """Insert the texts of a document's pages."""
    connection.executemany(
        "INSERT INTO pages (document_id, number, text) VALUES (?, ?, ?)",
        ((document_id, page.number or 0, encodable(page.text)) for page in pages),
    )


def put_chunks(
    connection: apsw.Connection, document: Document, chunks: Sequence[Chunk], embedded: Embedded
) -> None:
    """Insert a document's chunks with their words, vectors, signatures and codes of tokens."""
    last_id = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'chunks'").get
    first = (last_id or 0) + 1
    ids = range(first, first + len(chunks))
    texts = [encodable(chunk.text) for chunk in chunks]
    token = owner_token(document.owner)
    connection.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)",
        (
            (chunk_id, document.id, chunk.page, chunk.start, chunk.end, text)
            for chunk_id, chunk, text in zip(ids, chunks, texts, strict=True)
        ),
    )
    connection.executemany(
        "INSERT INTO chunks_fts (rowid, text, owner) VALUES (?, ?, ?)",
        ((chunk_id, searchable(text), token) for chunk_id, text in zip(ids, texts, strict=True)),
    )
    floats = np.ascontiguousarray(embedded.vectors, "<f4")
    connection.executemany(
        "INSERT INTO vectors VALUES (?, ?)",
        ((chunk_id, row.tobytes()) for chunk_id, row in zip(ids, floats, strict=True)),
    )
    stored_codes.put(connection, "token_codes", first, embedded.codes)
    connection.execute(
        "INSERT INTO signatures VALUES (?, ?, ?, ?)",
        (document.id, first, signatures(embedded.vectors).tobytes(), FORMAT),
    )


def delete_content(connection: apsw.Connection, document_id: str) -> None:
    """Delete a document's pages and chunks with all that belongs to them."""
    owner = connection.execute("SELECT owner FROM documents WHERE id = ?", (document_id,)).get
    if owner is None:
        return
    token = owner_token(owner)
    rows: Any = connection.execute(
        "SELECT id, text FROM chunks WHERE document_id = ?", (document_id,)
    ).fetchall()
    _erase_words(connection, rows, token)
    for table in ("signatures", "next_signatures", "chunks", "pages"):
        connection.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))  # noqa: S608


def _erase_words(connection: apsw.Connection, rows: list[tuple[int, str]], token: str) -> None:
    """Take chunks' words out of the inverted index, so that no trace of them is left in the file.

    FTS5 either does so word by word (measured: 1 to 4 ms a chunk), or marks them as deleted and
    drops them when all is merged into one segment (10 microseconds for each chunk that stays).
    """
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


def passages(connection: apsw.Connection, hits: Sequence[tuple[int, float]]) -> list[Passage]:
    """The chunks of hits in the order of the hits; a chunk deleted since is left out."""
    rows: Any = connection.execute(
        'SELECT c.id, d.id, d.file_name, c.page, c.start, c."end", c.text '
        "FROM chunks c JOIN documents d ON d.id = c.document_id "
        "WHERE c.id IN (SELECT value FROM json_each(?))",
        (json.dumps([chunk_id for chunk_id, _ in hits]),),
    )
    found: dict[int, Any] = {row[0]: row for row in rows}
    return [_passage(found[chunk_id], score) for chunk_id, score in hits if chunk_id in found]


def encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, replaced one for one."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _stored(value: object) -> str | float:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, int | float):
        return value
    return json.dumps(value)


def _passage(row: Any, score: float) -> Passage:
    chunk_id, document_id, file_name, page, start, end, text = row
    return Passage(document_id, file_name, page, start, end, text, score, chunk_id)


def _document(row: Sequence[object]) -> Document:
    values = dict(zip((field.name for field in fields(Document)), row, strict=True))
    lists = {name: tuple(json.loads(str(values.pop(name)))) for name in ("notes", "replaces")}
    return Document(**values, **lists)  # type: ignore[arg-type]
