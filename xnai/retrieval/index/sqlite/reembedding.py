"""Vectors of another model, made beside those in service and put in their place at once.

Each function works on the connection of a transaction.
"""

from dataclasses import replace
from typing import Any

import apsw
import numpy as np

from xnai.retrieval.binary_codes import FORMAT
from xnai.retrieval.index.sqlite import token_codes
from xnai.retrieval.index.sqlite.nearest import signatures
from xnai.retrieval.protocol import NO_MODEL, ChunkTexts, Embedded, EmbeddedBy

NEXT_TABLES = """
    CREATE TABLE next_vectors (
        chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
        vector BLOB NOT NULL
    ) STRICT;
    CREATE TABLE next_signatures (
        document_id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
        first_chunk INTEGER NOT NULL,
        bits BLOB NOT NULL
    ) STRICT;
"""
NEXT_CODES = """
    CREATE TABLE next_token_codes (
        chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
        codes BLOB NOT NULL
    ) STRICT;
    ALTER TABLE next_signatures ADD COLUMN codes INTEGER NOT NULL DEFAULT 0;
"""


def recorded(connection: apsw.Connection) -> EmbeddedBy | None:
    """The model of the vectors in service; None for an index that was never filled."""
    row: Any = connection.execute("SELECT model, folder, dimensions FROM embedding").fetchone()
    return EmbeddedBy(*row) if row else None


def record(connection: apsw.Connection, by: EmbeddedBy) -> None:
    """Note the model of the vectors in service."""
    connection.execute("DELETE FROM embedding")
    values = (by.model, by.folder, by.dimensions)
    connection.execute("INSERT INTO embedding VALUES (?, ?, ?, '')", values)


def begin(connection: apsw.Connection, model: str) -> list[str]:
    """Keep what a run for the same model made earlier, and nothing of another's.

    Returns the ids of the documents that need vectors.
    """
    target = connection.execute("SELECT target FROM embedding").get
    if target != model:
        connection.execute(
            "DELETE FROM next_vectors; DELETE FROM next_signatures; DELETE FROM next_token_codes"
        )
        connection.execute("UPDATE embedding SET target = ?", (model,))
    return pending(connection)


def forget(connection: apsw.Connection, by: EmbeddedBy) -> None:
    """Drop vectors whose model is gone; until there are others, words alone are searched.

    The index then has no model's vectors, and is known by that to be unfinished after a crash.
    """
    connection.execute("DELETE FROM vectors; DELETE FROM signatures; DELETE FROM token_codes")
    record(connection, replace(by, model=NO_MODEL))


def pending(connection: apsw.Connection) -> list[str]:
    """Ids of documents that have chunks but no new vectors yet."""
    rows: Any = connection.execute(
        "SELECT id FROM documents d WHERE EXISTS (SELECT 1 FROM chunks WHERE document_id = d.id) "
        "AND NOT EXISTS (SELECT 1 FROM next_signatures WHERE document_id = d.id) "
        "ORDER BY created_at"
    )
    return [document_id for (document_id,) in rows]


def texts(connection: apsw.Connection, document_id: str) -> ChunkTexts | None:
    """The chunks of a document; None if it is gone."""
    rows: Any = connection.execute(
        "SELECT id, text FROM chunks WHERE document_id = ? ORDER BY id", (document_id,)
    ).fetchall()
    return ChunkTexts(document_id, rows[0][0], tuple(text for _, text in rows)) if rows else None


def put_next(connection: apsw.Connection, of: ChunkTexts, embedded: Embedded) -> None:
    """Store new vectors and codes, unless the document was deleted or replaced since."""
    if texts(connection, of.document_id) != of:
        return
    floats = np.ascontiguousarray(embedded.vectors, "<f4")
    connection.executemany(
        "INSERT OR REPLACE INTO next_vectors VALUES (?, ?)",
        ((of.first + at, row.tobytes()) for at, row in enumerate(floats)),
    )
    token_codes.put(connection, "next_token_codes", of.first, embedded.codes)
    connection.execute(
        "INSERT OR REPLACE INTO next_signatures VALUES (?, ?, ?, ?)",
        (of.document_id, of.first, signatures(embedded.vectors).tobytes(), FORMAT),
    )


def put_codes(connection: apsw.Connection, of: ChunkTexts, codes: tuple[bytes, ...]) -> None:
    """Store the codes that a document lacked, unless it was deleted or replaced since."""
    if texts(connection, of.document_id) == of:
        token_codes.complete(connection, of.document_id, of.first, codes)


def switch(connection: apsw.Connection, by: EmbeddedBy) -> bool:
    """Put the new vectors into service; False if a document has none yet."""
    if pending(connection):
        return False
    connection.execute(
        "DROP TABLE vectors; DROP TABLE signatures; DROP TABLE token_codes; "
        "ALTER TABLE next_vectors RENAME TO vectors; "
        "ALTER TABLE next_signatures RENAME TO signatures; "
        "ALTER TABLE next_token_codes RENAME TO token_codes;" + NEXT_TABLES + NEXT_CODES
    )
    record(connection, by)
    return True
