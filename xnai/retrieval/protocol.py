"""What an index engine must be able to do, and what an embedder is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xnai.retrieval.document_lists import Listing
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.libraries import LibraryTables
from xnai.types import Chunk, Document, Page, PageDetails, PageTexts, Passage, Scope

Vectors = NDArray[np.float32]  # shape (n, dimensions), unit length


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """Contextual vectors of a text's tokens, without the special ones.

    ``vectors`` has shape (tokens, dimensions) and rows of unit length; ``starts`` are the tokens'
    places in the text, in code points and ascending.
    """

    vectors: Vectors
    starts: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A question as it is searched for.

    ``vector`` has shape (dimensions,); ``weights`` say how much each token tells (they sum to 1;
    None: each as much as any other). ``floors`` are cosines that scores begin at, for passages in
    the ``script`` of the question and for those in others: to a model texts of one language have
    something in common, whatever they are about.
    """

    vector: Vectors
    tokens: TokenVectors
    weights: NDArray[np.float32] | None = None
    script: str = ""
    floors: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Chunks as they are stored: vectors of shape (n, dimensions) and codes of their tokens.

    The codes are those of ``binary_codes.encode``, one for each chunk.
    """

    vectors: Vectors
    codes: tuple[bytes, ...]


NO_MODEL = ""  # the model of an index that has no vectors


@dataclass(frozen=True, slots=True)
class EmbeddedBy:
    """The model whose vectors an index holds; ``folder`` is empty for the bundled one."""

    model: str
    folder: str
    dimensions: int


@dataclass(frozen=True, slots=True)
class ChunkTexts:
    """A document's chunks, whose ids count on from ``first``."""

    document_id: str
    first: int
    texts: tuple[str, ...]


class QuestionEmbedder(Protocol):
    """What a search needs of an embedder; runs off the event loop."""

    async def embed_question(self, text: str) -> SearchQuery:
        """A question's vector and those of its tokens."""
        ...

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Vectors of the tokens of each chunk."""
        ...


class LineEmbedder(Protocol):
    """What comparing lines with a question needs of an embedder."""

    async def embed_question(self, text: str) -> SearchQuery:
        """A question's vector and those of its tokens."""
        ...

    async def embed_lines(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of the lines, of shape (n, dimensions)."""
        ...


class ChunkEmbedder(Protocol):
    """What reading a document needs of an embedder."""

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded:
        """What is stored of each chunk."""
        ...


class Embedder(QuestionEmbedder, LineEmbedder, ChunkEmbedder, Protocol):
    """Turns texts into unit vectors."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...


class TextEmbedder(Protocol):
    """What programs are given of an embedder: vectors as they are compared in a search."""

    async def name(self) -> str:
        """What the model in service is called."""
        ...

    async def embed_texts(self, texts: Sequence[str], *, asking: bool) -> tuple[Vectors, int]:
        """Vectors of questions or of chunks, and how many tokens they have."""
        ...


class Searchable(Protocol):
    """What a search needs of an index; see there."""

    async def search_vectors(
        self, vector: Vectors, scope: Scope, limit: int
    ) -> list[tuple[int, float]]:
        """Nearest chunks by cosine similarity."""
        ...

    async def search_text(self, query: str, scope: Scope, limit: int) -> list[tuple[int, float]]:
        """Best chunks by BM25."""
        ...

    async def passages(self, hits: Sequence[tuple[int, float]]) -> list[Passage]:
        """The chunks of the given hits."""
        ...

    async def token_codes(self, chunk_ids: Sequence[int], dimensions: int) -> Mapping[int, bytes]:
        """The codes of the chunks' tokens, of those that have any of so many dimensions."""
        ...

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The stored text of one page."""
        ...


class Reranker(Protocol):
    """Orders passages anew by reading each together with the question."""

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """The passages, best first, with scores from 0 to 1."""
        ...


class Index(Protocol):
    """Documents, their chunks and vectors; every method runs off the event loop.

    Search is scoped to one owner before anything is ranked. Hits are (chunk id, score) with the
    best first; scores of the two searches are not comparable with each other.
    """

    @property
    def damage(self) -> Damage:
        """What of it cannot be read."""
        ...

    @property
    def libraries(self) -> LibraryTables:
        """The libraries that documents stand in."""
        ...

    @property
    def listing(self) -> Listing:
        """Lists of documents."""
        ...

    async def change(self, document: Document, was: str) -> bool:
        """Set status and error of a record that has the status ``was``; False if it has not."""
        ...

    async def put_document(self, document: Document) -> None:
        """Insert or replace the record of a document, without its chunks."""
        ...

    async def upsert(
        self,
        document: Document,
        pages: Sequence[Page],
        chunks: Sequence[Chunk],
        embedded: Embedded,
    ) -> None:
        """Store record, page texts, chunks and vectors in one transaction, replacing the old."""
        ...

    async def delete(self, document_id: str, successor: str = "") -> bool:
        """Remove a document with all it has, whose place another took; False if there was none."""
        ...

    async def get(self, document_id: str) -> Document | None:
        """The record of one document."""
        ...

    async def documents(
        self, owner: str | None = None, collection: str | None = None
    ) -> list[Document]:
        """The records of an owner or of a collection (None: of all), oldest first."""
        ...

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The stored text of one page."""
        ...

    async def page_details(self, document_id: str, page: int | None) -> PageDetails:
        """What is kept of a page beside its text; blocks are None where none were."""
        ...

    async def search_vectors(
        self, vector: Vectors, scope: Scope, limit: int
    ) -> list[tuple[int, float]]:
        """Nearest chunks by cosine similarity; ``vector`` has shape (dimensions,)."""
        ...

    async def search_text(self, query: str, scope: Scope, limit: int) -> list[tuple[int, float]]:
        """Best chunks by BM25; any text is a valid query."""
        ...

    async def passages(self, hits: Sequence[tuple[int, float]]) -> list[Passage]:
        """The chunks of the given hits in their order, with their scores."""
        ...

    async def token_codes(self, chunk_ids: Sequence[int], dimensions: int) -> Mapping[int, bytes]:
        """The codes of the chunks' tokens, of those that have any of so many dimensions."""
        ...

    async def everything(self, scope: Scope, limit: int) -> list[Passage]:
        """The first chunks in scope in the order of documents and their texts."""
        ...

    async def pages(self, scope: Scope, limit: int) -> PageTexts:
        """All pages in scope, in the order of documents, unless they have more characters."""
        ...

    async def count(self, scope: Scope | None = None) -> int:
        """Number of chunks."""
        ...

    async def close(self) -> None:
        """Finish what is being written and close the files."""
        ...


class ReembeddableIndex(Protocol):
    """What it takes to give an index the vectors of another model while it is in service."""

    async def start(self) -> EmbeddedBy | None:
        """Open it; returns the model of its vectors, None if there are none."""
        ...

    async def use(self, by: EmbeddedBy, *, forget: bool = False) -> None:
        """Take vectors of this model from now on; ``forget`` those of another that is gone."""
        ...

    async def begin_reembedding(self, by: EmbeddedBy) -> list[str]:
        """Ids of the documents that need vectors of another model."""
        ...

    async def texts(self, document_id: str) -> ChunkTexts | None:
        """The chunks of a document; None if it is gone."""
        ...

    async def put_next(self, of: ChunkTexts, embedded: Embedded) -> None:
        """Store vectors and codes of the model that is to follow."""
        ...

    async def switch(self, by: EmbeddedBy) -> bool:
        """Put the new vectors into service; False if a document has none yet."""
        ...

    async def without_codes(self) -> list[str]:
        """Ids of the documents whose chunks have no codes in the format of now."""
        ...

    async def put_codes(self, of: ChunkTexts, codes: tuple[bytes, ...]) -> None:
        """Store the codes that a document lacked, one for each chunk."""
        ...

    async def add_checksums(self) -> None:
        """Add those of texts that a former version stored without."""
        ...
