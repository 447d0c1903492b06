"""The index on one SQLite file: full text by FTS5, vectors by their signs and then exactly."""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import apsw

from xnai.accounts.rights import seen_by
from xnai.errors import INDEX_DAMAGED, INDEX_PARTLY_DAMAGED, XnaiError
from xnai.observability.health import PartDegraded
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite import erasing, former, places, records, reembedding
from xnai.retrieval.index.sqlite import pages as page_rows
from xnai.retrieval.index.sqlite import token_codes as stored_codes
from xnai.retrieval.index.sqlite.connections import Connections, Work
from xnai.retrieval.index.sqlite.document_lists import SqliteListing
from xnai.retrieval.index.sqlite.fulltext import terms_of
from xnai.retrieval.index.sqlite.libraries import SqliteLibraries
from xnai.retrieval.index.sqlite.ranking import Hits, by_vector, by_words
from xnai.retrieval.index.sqlite.schema import BUNDLED
from xnai.retrieval.index.sqlite.scope import IN_SCOPE, scope_values
from xnai.retrieval.index.sqlite.synced import SqliteSynced
from xnai.retrieval.protocol import ChunkTexts, Embedded, EmbeddedBy, Vectors
from xnai.types import Chunk, Document, Page, PageDetails, PageTexts, Passage, Scope

# An owner with fewer chunks is searched exactly; measured recall above: docs/benchmarks.md.
MIN_CANDIDATES = 1000
CANDIDATES_PER_HIT = 10
CHECKED = 500  # texts that are given checksums in one transaction


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
        self.damage = Damage()
        self._connections = Connections(path)
        self.libraries = SqliteLibraries(self._connections, self.damage)
        self.listing = SqliteListing(self._connections, self.damage)
        self.synced = SqliteSynced(self._connections)

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
        return await self._connections.write(lambda c: reembedding.begin(c, by.model))

    async def texts(self, document_id: str) -> ChunkTexts | None:
        """The chunks of a document; None if it is gone."""
        return await self._connections.read(lambda c: reembedding.texts(c, document_id))

    async def put_next(self, of: ChunkTexts, embedded: Embedded) -> None:
        """Store vectors and codes of the model that is to follow."""
        await self._connections.write(lambda c: reembedding.put_next(c, of, embedded))

    async def without_codes(self) -> list[str]:
        """Ids of the documents whose chunks have no codes in the format of now."""
        return await self._connections.read(stored_codes.lacking)

    async def put_codes(self, of: ChunkTexts, codes: tuple[bytes, ...]) -> None:
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

    async def change(self, document: Document, was: str) -> bool:
        """Set status and error of a record that has the status ``was``; False if it has not."""
        return await self._connections.write(lambda c: records.change(c, document, was))

    async def add_checksums(self) -> None:
        """Add the checksums of texts that an earlier version stored without."""
        while await self._connections.write(lambda c: records.without_checksums(c, CHECKED)):
            pass

    async def upsert(
        self,
        document: Document,
        pages: Sequence[Page],
        chunks: Sequence[Chunk],
        embedded: Embedded,
    ) -> None:
        """Store record, page texts, chunks and vectors in one transaction, replacing the old.

        There is a vector and a code for each chunk. On return the document is on the disk.
        """
        by = self._embedded_by
        shape, expected = embedded.vectors.shape, (len(chunks), by.dimensions)
        if shape != expected or len(embedded.codes) != len(chunks):
            found = f"{shape} and {len(embedded.codes)} codes"
            raise ValueError(f"vectors have shape {found}, expected {expected}")

        def work(connection: apsw.Connection) -> None:
            erasing.delete_content(connection, document.id)
            records.put_document(connection, document)
            records.put_pages(connection, document.id, pages)
            records.put_chunks(connection, document, chunks, embedded)
            if reembedding.recorded(connection) is None:
                reembedding.record(connection, by)

        await self._connections.write(work)

    async def delete(self, document_id: str, successor: str = "") -> bool:
        """Remove a document, from the file's free space too, and note that it was there.

        False if there was none.
        """
        document_id = records.encodable(document_id)

        def work(connection: apsw.Connection) -> bool:
            erasing.delete_content(connection, document_id)
            former.note(connection, document_id, successor)
            connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
            return connection.changes() > 0

        return await self._connections.remove(work, lambda c: erasing.part(c, document_id))

    async def get(self, document_id: str) -> Document | None:
        """The record of one document."""
        return next(iter(await self._documents("WHERE id = :id", id=document_id)), None)

    async def documents(
        self, owner: str | None = None, collection: str | None = None
    ) -> list[Document]:
        """The records of an owner or of a collection (None: of all), oldest first."""
        where, values = ["1"], {}
        if owner is not None:
            where.append(seen_by("owner"))
            values["person_id"] = owner
        if collection is not None:
            where.append("collection = :collection")
            values["collection"] = collection
        return await self._documents(f"WHERE {' AND '.join(where)}", **values)

    async def unowned(self, known: Collection[str]) -> list[tuple[str, str, str]]:
        """Id, owner and collection of documents whose owner is none of those known."""
        return [
            (d.id, d.owner, d.collection) for d in await self.documents() if d.owner not in known
        ]

    async def give(self, document_id: str, owner: str) -> None:
        """Make somebody the owner of a document."""
        await self._connections.write(lambda c: records.give(c, document_id, owner))

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The stored text of one page."""
        valid = records.encodable(document_id)
        return await self._connections.read(lambda c: page_rows.page_text(c, valid, page or 0))

    async def page_details(self, document_id: str, page: int | None) -> PageDetails:
        """What is kept of a page beside its text, see ``Index.page_details``."""
        valid = records.encodable(document_id)
        return await self._connections.read(lambda c: places.of_page(c, valid, page or 0))

    async def search_vectors(
        self, vector: Vectors, scope: Scope, limit: int
    ) -> list[tuple[int, float]]:
        """Nearest chunks by cosine similarity; ``vector`` has shape (dimensions,).

        Exact up to MIN_CANDIDATES chunks in scope. Beyond, so many candidates (or ten a hit, if
        more) are chosen by the signs of their vectors and ranked exactly.
        """
        count = max(MIN_CANDIDATES, CANDIDATES_PER_HIT * limit)
        return await self._search(
            "vectors", lambda c: by_vector(c, vector, scope, limit, count, self.damage)
        )

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
        return await self._search("words", lambda c: by_words(c, terms, scope, limit))

    async def _search(self, way: str, work: Work[Hits]) -> Hits:
        try:
            hits = await self._connections.read(work)
        except XnaiError as error:
            if error.kind is INDEX_DAMAGED:
                self.damage.failed(way, error.message)
            raise
        self.damage.works(way)
        return hits

    async def passages(self, hits: Sequence[tuple[int, float]]) -> list[Passage]:
        """The chunks of the given hits in their order, with their scores."""
        return await self._connections.read(lambda c: records.passages(c, hits, self.damage))

    async def token_codes(self, chunk_ids: Sequence[int], dimensions: int) -> dict[int, bytes]:
        """The codes of the chunks' tokens, of those that have any of so many dimensions."""

        def work(connection: apsw.Connection) -> dict[int, bytes]:
            by = reembedding.recorded(connection)
            if by is None or by.dimensions != dimensions:
                return {}  # the model was changed just now
            return stored_codes.get(connection, chunk_ids, dimensions, self.damage)

        return await self._connections.read(work)

    async def everything(self, scope: Scope, limit: int) -> list[Passage]:
        """The first chunks in scope in the order of documents and their texts."""

        def work(connection: apsw.Connection) -> list[Passage]:
            rows: Any = connection.execute(
                "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id "  # noqa: S608
                f"WHERE {IN_SCOPE} ORDER BY d.created_at, d.id, c.id LIMIT :limit",
                scope_values(scope) | {"limit": limit},
            )
            return records.passages(
                connection, [(chunk_id, 0.0) for (chunk_id,) in rows], self.damage
            )

        return await self._connections.read(work)

    async def pages(self, scope: Scope, limit: int) -> PageTexts:
        """All pages in scope, see ``Index.pages``."""
        values, damage = scope_values(scope), self.damage
        return await self._connections.read(
            lambda c: page_rows.pages_in(c, IN_SCOPE, values, limit, damage)
        )

    async def count(self, scope: Scope | None = None) -> int:
        """Number of chunks."""
        query, values = "SELECT count(*) FROM chunks", {}
        if scope is not None:
            query += f" c JOIN documents d ON d.id = c.document_id WHERE {IN_SCOPE}"
            values = scope_values(scope)
        return int(await self._connections.read(lambda c: c.execute(query, values).get))

    async def check(self, *, writing: bool = False) -> None:
        """Read something; ``writing``: have the turn to write, and write nothing.

        Raises:
            XnaiError: INDEX_DAMAGED also where the file in use is not the one that lies there.
            Degraded: it can be read, but not all of it.

        """
        await asyncio.to_thread(self._connections.require_same_file)
        if self.damage.nothing_works:
            reason = "no search in it works"
            raise XnaiError(INDEX_DAMAGED, path=self._connections.path, reason=reason)
        if writing:
            await self._connections.write(lambda _: None)
            return
        await self._connections.read(lambda c: c.execute("SELECT id FROM documents LIMIT 1").get)
        if words := self.damage.words():
            error = XnaiError(INDEX_PARTLY_DAMAGED, path=self._connections.path, reason=words)
            raise PartDegraded(error)

    async def close(self) -> None:
        """Finish what is being written and close the files."""
        await self._connections.close()

    async def _documents(self, where: str, **values: str) -> list[Document]:
        valid = {name: records.encodable(value) for name, value in values.items()}
        damage = self.damage
        return await self._connections.read(lambda c: records.documents(c, where, valid, damage))
