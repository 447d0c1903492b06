"""What an index engine must be able to do, and what an embedder is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xnai.types import Chunk, Document, Page, Passage, Scope

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
class Asked:
    """A question as it is searched for.

    ``vector`` has shape (dimensions,); ``weights`` say how much each token tells (they sum to 1;
    None: each as much as any other).
    """

    vector: Vectors
    tokens: TokenVectors
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """Chunks as they are stored: vectors of shape (n, dimensions) and codes of their tokens.

    The codes are those of ``token_codes.encode``, one for each chunk.
    """

    vectors: Vectors
    codes: tuple[bytes, ...]


class QuestionEmbedder(Protocol):
    """What a search needs of an embedder; runs off the event loop."""

    async def embed_question(self, text: str) -> Asked:
        """A question's vector and those of its tokens."""
        ...

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Vectors of the tokens of each chunk."""
        ...


class Embedder(QuestionEmbedder, Protocol):
    """Turns texts into unit vectors."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded:
        """What is stored of each chunk."""
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

    async def delete(self, document_id: str) -> bool:
        """Remove a document with all it has; False if there was none."""
        ...

    async def get(self, document_id: str) -> Document | None:
        """The record of one document."""
        ...

    async def documents(self, owner: str | None = None) -> list[Document]:
        """The records of an owner (None: of all), oldest first."""
        ...

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The stored text of one page."""
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

    async def count(self, scope: Scope | None = None) -> int:
        """Number of chunks."""
        ...

    async def close(self) -> None:
        """Finish what is being written and close the files."""
        ...
