"""The index on one SQLite file: full text by FTS5, vectors by their signs and then exactly."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from xnai.retrieval import records, reembedding, stored_codes
from xnai.retrieval.connections import Connections
from xnai.retrieval.fulltext import match_expression, terms_of
from xnai.retrieval.nearest import candidates, nearest
from xnai.retrieval.protocol import Embedded, Vectors
from xnai.retrieval.reembedding import EmbeddedBy, Texts
from xnai.retrieval.schema import BUNDLED
from xnai.types import Chunk, Document, Page, Passage, Scope

# An owner with fewer chunks is searched exactly; measured recall above: docs/benchmarks.md.
MIN_CANDIDATES = 1000
CANDIDATES_PER_HIT = 10
MAX_RANKED = 10_000  # chunks that are ranked by BM25

_IN_SCOPE = "d.owner = :owner AND (:ids IS NULL OR d.id IN (SELECT value FROM json_each(:ids)))"


class SqliteIndex:
    """Implements ``Index``; any number of processes may use one file.

    Every method raises XnaiError: SEARCH_DOWN, INDEX_DAMAGED, DISK_FULL when writing, and
    SHUTTING_DOWN after ``close``. A write that was begun is finished even when its caller is
    cancelled.

    Args:
        path: the database file; it and its folder are made when missing.
        dimensions: length of a vector; of an index that was filled, its own is taken.

    """

    def __init__(self, path: Path, dimensions: int) -> None:
        self._embedded_by = EmbeddedBy(BUNDLED, "", dimensions)
        self._connections = Connections(path)

    async def start(self) -> EmbeddedBy | None:
        """Open the file, so that what is wrong with it shows now and not at the first question.

        The model of the vectors in it is returned, None if there are none.
        """
        by = await self._connections.write(reembedding.recorded)
        self._embedded_by = by or self._embedded_by
        return by

    async def use(self, by: EmbeddedBy, *, forget: bool = False) -> None:
        """Take vectors of this model from now on; ``forget`` those of another that is gone."""
        if forget:
            await self._connections.write(lambda c: reembedding.forget(c, by))
        self._embedded_by = by

    async def begin_reembedding(self, by: EmbeddedBy) -> list[str]:
        """Ids of the documents that need vectors of another model."""

        def work(connection: apsw.Connection) -> list[str]:
            reembedding.begin(connection, by.model)
            return reembedding.pending(connection)

        return await self._connections.write(work)

    async def texts(self, document_id: str) -> Texts | None:
        """The chunks of a document; None if it is gone."""
        return await self._connections.read(lambda c: reembedding.texts(c, document_id))

    async def put_next(self, of: Texts, embedded: Embedded) -> None:
        """Store vectors and codes of the model that is to follow."""
        await self._connections.write(lambda c: reembedding.put_next(c, of, embedded))

    async def without_codes(self) -> list[str]:
        """Ids of the documents whose chunks have no codes in the format of now."""
        return await self._connections.read(stored_codes.lacking)

    async def put_codes(self, of: Texts, codes: tuple[bytes, ...]) -> None:
        """Store the codes that a document lacked, one for each chunk."""
        await self._connections.write(lambda c: reembedding.put_codes(c, of, codes))

    async def switch(self, by: EmbeddedBy) -> bool:
        """Put the new vectors into service; False if a document has none yet."""
        is_done = await self._connections.write(lambda c: reembedding.switch(c, by))
        if is_done:
            self._embedded_by = by
        return is_done

    async def put_document(self, document: Document) -> None:
        """Insert or replace the record of a document, without its chunks."""
        await self._connections.write(lambda c: records.put_document(c, document))

    async def upsert(
        self,
        document: Document,
        pages: Sequence[Page],
        chunks: Sequence[Chunk],
        embedded: Embedded,
    ) -> None:
        """Store record, page texts, chunks and vectors in one transaction, replacing the old.

        There is a vector and a code for each chunk. When this returns, the document is on the
        disk.
        """
        by = self._embedded_by
        shape, expected = embedded.vectors.shape, (len(chunks), by.dimensions)
        if shape != expected or len(embedded.codes) != len(chunks):
            found = f"{shape} and {len(embedded.codes)} codes"
            raise ValueError(f"vectors have shape {found}, expected {expected}")

        def work(connection: apsw.Connection) -> None:
            records.delete_content(connection, document.id)
            records.put_document(connection, document)
            records.put_pages(connection, document.id, pages)
            records.put_chunks(connection, document, chunks, embedded)
            if reembedding.recorded(connection) is None:
                reembedding.record(connection, by)

        await self._connections.write(work)

    async def delete(self, document_id: str) -> bool:
        """Remove a document with all it has, from the file's free space too.

        False if there was none.
        """
        document_id = records.encodable(document_id)

        def work(connection: apsw.Connection) -> bool:
            records.delete_content(connection, document_id)
            connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
            return connection.changes() > 0

        existed = await self._connections.write(work)
        await self._connections.erase_log()
        return existed

    async def get(self, document_id: str) -> Document | None:
        """The record of one document."""
        return next(iter(await self._documents("WHERE id = ?", document_id)), None)

    async def documents(self, owner: str | None = None) -> list[Document]:
        """The records of an owner (None: of all), oldest first."""
        return await (self._documents("WHERE owner = ?", owner) if owner else self._documents(""))

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The stored text of one page."""
        query = "SELECT text FROM pages WHERE document_id = ? AND number = ?"
        values = (records.encodable(document_id), page or 0)
        text: str | None = await self._connections.read(lambda c: c.execute(query, values).get)
        return text

    async def search_vectors(
        self, vector: Vectors, scope: Scope, limit: int
    ) -> list[tuple[int, float]]:
        """Nearest chunks by cosine similarity; ``vector`` has shape (dimensions,).

        Exact up to MIN_CANDIDATES chunks in scope. Beyond, so many candidates (or ten a hit, if
        more) are chosen by the signs of their vectors and ranked exactly.
        """
        count = max(MIN_CANDIDATES, CANDIDATES_PER_HIT * limit)

        def work(connection: apsw.Connection) -> list[tuple[int, float]]:
            by = reembedding.recorded(connection)
            if by is None or by.dimensions != len(vector):
                return []  # the model was changed just now
            rows: Any = connection.execute(
                "SELECT s.first_chunk, s.bits FROM documents d "  # noqa: S608 - our own text
                f"JOIN signatures s ON s.document_id = d.id WHERE {_IN_SCOPE}",
                _scope_values(scope),
            ).fetchall()
            return nearest(connection, candidates(rows, vector, count), vector, limit)

        return await self._connections.read(work)

    async def search_text(self, query: str, scope: Scope, limit: int) -> list[tuple[int, float]]:
        """Best chunks by BM25; any text is a valid query.

        Words are stemmed as English and compared without case and accents; Chinese, Japanese and
        Korean are compared by pairs of characters. Scripts without spaces beyond those (Thai,
        Khmer) match by whole runs only. Word frequencies are those of all owners. Of words that
        together occur in more than MAX_RANKED chunks, the rarest are searched.
        """
        terms = terms_of(query)
        if not terms:
            return []

        def work(connection: apsw.Connection) -> list[tuple[int, float]]:
            chosen = _selective(connection, terms, scope.owner)
            expression = match_expression(chosen, scope.owner)
            rows: Any = connection.execute(
                "SELECT f.rowid, -f.rank FROM chunks_fts f "  # noqa: S608 - our own text
                "JOIN chunks c ON c.id = f.rowid JOIN documents d ON d.id = c.document_id "
                f"WHERE f.chunks_fts MATCH :expression AND {_IN_SCOPE} "
                "ORDER BY f.rank LIMIT :limit",
                _scope_values(scope) | {"expression": expression, "limit": limit},
            ).fetchall()
            return sorted(rows, key=lambda hit: (-hit[1], hit[0]))

        return await self._connections.read(work)

    async def passages(self, hits: Sequence[tuple[int, float]]) -> list[Passage]:
        """The chunks of the given hits in their order, with their scores."""
        return await self._connections.read(lambda c: records.passages(c, hits))

    async def token_codes(self, chunk_ids: Sequence[int], dimensions: int) -> dict[int, bytes]:
        """The codes of the chunks' tokens, of those that have any of so many dimensions."""

        def work(connection: apsw.Connection) -> dict[int, bytes]:
            by = reembedding.recorded(connection)
            if by is None or by.dimensions != dimensions:
                return {}  # the model was changed just now
            return stored_codes.get(connection, chunk_ids)

        return await self._connections.read(work)

    async def everything(self, scope: Scope, limit: int) -> list[Passage]:
        """The first chunks in scope in the order of documents and their texts."""

        def work(connection: apsw.Connection) -> list[Passage]:
            rows: Any = connection.execute(
                "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id "  # noqa: S608
                f"WHERE {_IN_SCOPE} ORDER BY d.created_at, d.id, c.id LIMIT :limit",
                _scope_values(scope) | {"limit": limit},
            )
            return records.passages(connection, [(chunk_id, 0.0) for (chunk_id,) in rows])

        return await self._connections.read(work)

    async def count(self, scope: Scope | None = None) -> int:
        """Number of chunks."""
        query, values = "SELECT count(*) FROM chunks", {}
        if scope is not None:
            query += f" c JOIN documents d ON d.id = c.document_id WHERE {_IN_SCOPE}"
            values = _scope_values(scope)
        return int(await self._connections.read(lambda c: c.execute(query, values).get))

    async def check(self, *, writing: bool = False) -> None:
        """Read something; ``writing``: have the turn to write, and write nothing."""
        if writing:
            await self._connections.write(lambda _: None)
        else:
            query = "SELECT id FROM documents LIMIT 1"
            await self._connections.read(lambda c: c.execute(query).fetchall())

    async def close(self) -> None:
        """Finish what is being written and close the files."""
        await self._connections.close()

    async def _documents(self, where: str, *values: str) -> list[Document]:
        valid = [records.encodable(value) for value in values]
        return await self._connections.read(lambda c: records.documents(c, where, valid))


def _selective(connection: apsw.Connection, terms: list[str], owner: str) -> list[str]:
    """The rarest terms, as many as together occur in MAX_RANKED chunks of the owner.

    Ranking a chunk costs FTS5 some two microseconds, and the terms left out weigh least.
    """
    query = "SELECT count(*) FROM (SELECT 1 FROM chunks_fts WHERE chunks_fts MATCH ? LIMIT ?)"
    counted = [
        (connection.execute(query, (match_expression([term], owner), MAX_RANKED)).get, term)
        for term in terms
    ]
    chosen: list[str] = []
    total = 0
    for count, term in sorted(counted):
        total += count
        if total > MAX_RANKED and chosen:
            break
        if count:
            chosen.append(term)
    return chosen or terms[:1]


def _scope_values(scope: Scope) -> dict[str, str | int | None]:
    ids = None if scope.document_ids is None else json.dumps(scope.document_ids)
    return {"owner": records.encodable(scope.owner), "ids": ids}
