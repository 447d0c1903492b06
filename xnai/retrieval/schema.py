"""The tables of the index; migrations are only ever appended, their names are the ledger."""

import time
from collections.abc import Callable

import apsw

from xnai.errors import SEARCH_DOWN, XnaiError
from xnai.retrieval.reembedding import NEXT_CODES, NEXT_TABLES
from xnai.retrieval.transactions import transaction

BUNDLED = "all-MiniLM-L6-v2"  # whose vectors an index of before m004 holds


def m001_documents(connection: apsw.Connection) -> None:
    """Records of documents and the texts of their pages; page 0 is that of a pageless document."""
    connection.execute("""
        CREATE TABLE documents (
            id TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            file_name TEXT NOT NULL,
            media_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            created_at REAL NOT NULL,
            status TEXT NOT NULL,
            page_count INTEGER NOT NULL,
            chunk_count INTEGER NOT NULL,
            notes TEXT NOT NULL,
            error_code TEXT NOT NULL,
            error_message TEXT NOT NULL,
            error_hint TEXT NOT NULL
        ) STRICT;
        CREATE INDEX documents_by_owner ON documents (owner, created_at);
        CREATE TABLE pages (
            document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            text TEXT NOT NULL,
            UNIQUE (document_id, number)
        ) STRICT;
    """)


def m002_chunks(connection: apsw.Connection) -> None:
    """Chunks with their vectors (float32, little endian).

    Ids are never used twice, so that a hit on a chunk deleted since finds nothing. The full-text
    table keeps no text of its own; its owner column weighs nothing.
    """
    connection.execute("""
        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
            page INTEGER,
            start INTEGER NOT NULL,
            "end" INTEGER NOT NULL,
            text TEXT NOT NULL
        ) STRICT;
        CREATE INDEX chunks_by_document ON chunks (document_id);
        CREATE TABLE vectors (
            chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
            vector BLOB NOT NULL
        ) STRICT;
        CREATE VIRTUAL TABLE chunks_fts USING fts5 (
            text, owner, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
        );
        INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('rank', 'bm25(1.0, 0.0)');
    """)


def m003_signatures(connection: apsw.Connection) -> None:
    """The signs of a document's vectors, one bit a dimension, for its chunks from first_chunk."""
    connection.execute("""
        CREATE TABLE signatures (
            document_id TEXT PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
            first_chunk INTEGER NOT NULL,
            bits BLOB NOT NULL
        ) STRICT;
    """)


def m004_embedding(connection: apsw.Connection) -> None:
    """The model of the vectors, and room for those of the model that is to follow."""
    connection.execute(
        "CREATE TABLE embedding (model TEXT NOT NULL, folder TEXT NOT NULL, "
        "dimensions INTEGER NOT NULL, target TEXT NOT NULL) STRICT;" + NEXT_TABLES
    )
    size = connection.execute("SELECT length(vector) FROM vectors LIMIT 1").get
    if size is not None:
        values = (BUNDLED, "", size // 4)
        connection.execute("INSERT INTO embedding VALUES (?, ?, ?, '')", values)


def m005_replaces(connection: apsw.Connection) -> None:
    """The former versions that a document replaces as soon as it is processed."""
    connection.execute("ALTER TABLE documents ADD COLUMN replaces TEXT NOT NULL DEFAULT '[]'")


def m006_token_codes(connection: apsw.Connection) -> None:
    """Codes of the chunks' tokens, and for each document their format; 0: it has none yet.

    In a table of their own, so that the rows that searches walk stay small.
    """
    connection.execute(
        """
        CREATE TABLE token_codes (
            chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
            codes BLOB NOT NULL
        ) STRICT;
        ALTER TABLE signatures ADD COLUMN codes INTEGER NOT NULL DEFAULT 0;
        """
        + NEXT_CODES
    )


MIGRATIONS: tuple[Callable[[apsw.Connection], None], ...] = (
    m001_documents,
    m002_chunks,
    m003_signatures,
    m004_embedding,
    m005_replaces,
    m006_token_codes,
)


def migrate(connection: apsw.Connection) -> None:
    """Apply the migrations that the database does not have yet, all or none.

    Raises:
        XnaiError: SEARCH_DOWN when another version of the program wrote the database.

    """
    names = [migration.__name__ for migration in MIGRATIONS]
    if _applied(connection) == names:
        return
    with transaction(connection, "IMMEDIATE"):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at REAL) STRICT"
        )
        applied = _applied(connection)
        if applied != names[: len(applied)]:
            reason = "another version of XNAi wrote the index; use that version or a newer one"
            raise XnaiError(SEARCH_DOWN, reason=reason)
        for migration in MIGRATIONS[len(applied) :]:
            migration(connection)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?)", (migration.__name__, time.time())
            )


def _applied(connection: apsw.Connection) -> list[str]:
    exists = "SELECT count(*) FROM sqlite_schema WHERE name = 'migrations'"
    if not connection.execute(exists).get:
        return []
    return [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY rowid")]
