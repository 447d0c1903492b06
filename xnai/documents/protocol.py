"""What the rest of the program knows of the document library."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from xnai.documents.drawn_pages import PageLayer
from xnai.documents.page_content import PageContent
from xnai.retrieval.protocol import Embedder
from xnai.retrieval.search import Found
from xnai.types import Document, PageTexts, Passage, Scope

IngestStage = Literal["parsing", "chunking", "embedding", "storing"]


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """``done`` of ``total`` (0: not known yet) pages or chunks; the last event has a document.

    ``share`` of all work is done since ``began`` (of the monotonic clock), on ``page_count`` pages
    (0: not known yet); see ``xnai.documents.progress``.
    """

    stage: IngestStage
    done: int
    total: int
    document: Document | None = None
    share: float = 0.0
    began: float = 0.0
    page_count: int = 0


class TokenizingEmbedder(Embedder, Protocol):
    """An embedder that says by which tokenizer chunks are to be measured."""

    @property
    def tokenizer_path(self) -> Path:
        """The model's ``tokenizer.json``."""
        ...


class Search(Protocol):
    """Finds the best passages for a question."""

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        """The best passages, best first, and whether the search was a full one."""
        ...

    async def search(self, question: str, scope: Scope, limit: int) -> list[Passage]:
        """The best passages, best first."""
        ...


class DocumentLibrary(Protocol):
    """Keeps original files, reads them, and hands out what the page needs to show them."""

    async def add(  # noqa: PLR0913 - what a file is, and where it belongs
        self,
        owner: str,
        file_name: str,
        source: Path | AsyncIterator[bytes],
        former: Sequence[Document] = (),
        *,
        own_name: bool = False,
        collection: str = "",
    ) -> Document:
        """Copy a file in (status ``uploaded``); size and owner limits are checked on the way.

        Those of ``former`` that are in the owner's collection and have the same name, but another
        content, are deleted as soon as the new one is processed; without ``former`` nothing is
        replaced. Where nothing is to be replaced and the collection has the content already, the
        document there is returned, with ``own_name`` only if it has the file's name.

        Raises:
            XnaiError: FILE_EMPTY, FILE_TOO_LARGE, TOO_MANY_FILES, DISK_FULL, and
                FILE_TYPE_UNSUPPORTED by content, before anything is kept.

        """
        ...

    @property
    def missing(self) -> int:
        """How many documents there are whose original files are not."""
        ...

    def ingest(self, document_id: str) -> AsyncGenerator[IngestProgress, None]:
        """Parse, chunk, embed and store one document, telling how far it is.

        A failure is written to the record (status ``error``) and raised as ``XnaiError``; closing
        the generator stops the work and leaves the document as ``uploaded``.
        """
        ...

    def ingest_in_background(self, document_id: str) -> None:
        """Ingest without a listener; the library owns the task."""
        ...

    def progress(self, document_id: str) -> IngestProgress | None:
        """How far the reading of a document is; None if it is not being read."""
        ...

    async def get(self, document_id: str) -> Document | None:
        """A document's record; whether it may be seen is ``accounts.may``'s to say."""
        ...

    async def documents(self, owner: str, collection: str = "") -> Sequence[Document]:
        """The documents of an owner's collection, oldest first; of none: their own files."""
        ...

    async def all_documents(self, owner: str) -> Sequence[Document]:
        """All documents of an owner, oldest first, whatever they belong to."""
        ...

    async def delete(self, document_id: str) -> bool:
        """Remove file, record, chunks and vectors; ingest of it is stopped first."""
        ...

    async def delete_collection(self, collection: str) -> int:
        """Remove the documents of a collection that stand in no library; returns how many."""
        ...

    def original(self, document: Document) -> Path:
        """Where the original file lies."""
        ...

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The text of a page, to which the offsets of passages refer."""
        ...

    async def page_content(self, document: Document, page: int | None) -> PageContent | None:
        """The text of a page with the blocks that it is made of; None if there is no such page."""
        ...

    async def page_image(
        self, document: Document, page: int, start: int, end: int, width: int = 1000
    ) -> bytes:
        """A PDF page as PNG with the words of ``[start, end)`` marked."""
        ...

    async def page_layer(self, document: Document, page: int, start: int, end: int) -> PageLayer:
        """Where ``[start, end)`` stands on a page that is drawn, and what was recognised on it."""
        ...

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        """As ``search``, and whether the search was a full one."""
        ...

    async def search(self, question: str, scope: Scope, limit: int) -> list[Passage]:
        """The best passages for a question, best first (hybrid search)."""
        ...

    async def pages(self, scope: Scope, limit: int) -> PageTexts:
        """All pages in scope, in the order of documents, unless they have more characters."""
        ...

    async def everything(self, scope: Scope) -> list[Passage]:
        """All passages in scope in their order, for a question about whole documents.

        Raises:
            XnaiError: DOCUMENTS_TOO_LONG.

        """
        ...

    async def start(self) -> None:
        """Make records and files agree; take up documents whose ingest was interrupted."""
        ...

    async def close(self) -> None:
        """Stop background ingest and close the index."""
        ...
