"""The document library: files, records and ingest, behind ``DocumentLibrary``."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from pathlib import Path

import structlog

from xnai.accounts.protocol import Conversations, NoConversations
from xnai.aio import uninterrupted
from xnai.documents.audit import DocumentNotes
from xnai.documents.drawn_pages import DrawnPages, PageLayer
from xnai.documents.ingest import Processor
from xnai.documents.intake import Intake
from xnai.documents.jobs import Jobs
from xnai.documents.leftovers import Cache, Caches
from xnai.documents.lookups import Lookups
from xnai.documents.page_content import PageContent, content_of
from xnai.documents.parsers.kinds import Kinds
from xnai.documents.parsers.page_image import PageImages
from xnai.documents.protocol import IngestProgress, Search, TokenizingEmbedder
from xnai.documents.storage import OriginalFiles
from xnai.documents.text_work import TextWork
from xnai.documents.turns import Readers
from xnai.documents.unrecorded import Recovery, Whose
from xnai.documents.upkeep import Upkeep, is_unfinished
from xnai.errors import DOCUMENTS_TOO_LONG, NOT_FOUND, SEARCH_DOWN, XnaiError
from xnai.observability.audit import AuditLog
from xnai.observability.health import Part
from xnai.retrieval.protocol import Index
from xnai.retrieval.search import Found
from xnai.settings import Settings
from xnai.types import Document, PageTexts, Passage, Scope

_log = structlog.get_logger(__name__)

_MEGABYTE = 1_000_000
MAX_PARTS = 2000  # passages that are read for a question about whole documents


class Library:
    """Documents of all owners; the index is opened by whoever made it, before ``start``.

    ``parser`` is told how reading documents goes, ``audit`` what was uploaded and deleted;
    ``available_memory`` are the bytes that can be taken without swapping, ``whose`` says who it is
    that a file without a record belongs to, ``conversations`` which of them may show it; ``caches``
    keep something of documents.
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        settings: Settings,
        index: Index,
        embedder: TokenizingEmbedder,
        search: Search,
        *,
        parser: Part | None = None,
        audit: AuditLog | None = None,
        available_memory: Callable[[], int] | None = None,
        whose: Whose | None = None,
        conversations: Conversations | None = None,
        caches: Sequence[Cache] = (),
    ) -> None:
        self._settings = settings
        self._notes = DocumentNotes(audit)
        kinds = Kinds(settings.parse_memory_mb)
        self._index = index
        self._lookups = Lookups(index, search)
        self._text_work = TextWork()
        data = settings.data_dir
        self._files = OriginalFiles(data / "documents", settings.upload_max_mb * _MEGABYTE)
        self._images = PageImages(data / "page_images", settings.parse_memory_mb)
        self._caches = Caches(self._images, *caches)
        self._processor = Processor(settings, index, embedder, self._files, parser)
        self._jobs = Jobs(self._ingest)
        self._told: list[Callable[[Document], None]] = []
        self._readers = Readers(settings, available_memory)
        recovery = Recovery(
            kinds.media_type,
            whose or (lambda owner, _: owner),
            conversations or NoConversations(),
            keyed=bool(settings.api_keys),
        )
        self._upkeep = Upkeep(settings.data_dir, index, self._files, recovery)
        self._drawn = DrawnPages(index, self._images, self._original_of)
        self._intake = Intake(
            index, self._files, kinds, self._notes, self._upkeep, settings.documents_max
        )

    async def start(self) -> None:
        """Make records and files agree and take up the documents whose ingest was interrupted."""
        to_read = set(await self._upkeep.compare())
        if self._upkeep.alone:
            records = await self._index.documents()
            await asyncio.to_thread(self._caches.clean, {record.id for record in records})
            to_read |= {record.id for record in records if is_unfinished(record)}
        for document_id in to_read:
            self.ingest_in_background(document_id)

    async def look(self) -> str:
        """Make records and files agree again; returns words for people.

        Raises:
            PartDegraded: files are missing.

        """
        self._require_started()
        for document_id in await self._upkeep.compare():
            self.ingest_in_background(document_id)
        return self._upkeep.told()

    @property
    def missing(self) -> int:
        """How many documents there are whose files are not."""
        return self._upkeep.missing

    async def close(self) -> None:
        """Stop ingest and close the index; what was interrupted goes on at the next start."""
        await self._jobs.close()
        await self._processor.close()
        await self._index.close()
        self._upkeep.release()

    def _require_started(self) -> None:
        if not self._upkeep.started:
            raise XnaiError(SEARCH_DOWN, reason="the index is still being opened")

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
        """Copy a file in, see ``DocumentLibrary.add``."""
        self._require_started()
        belongs = (owner, collection)
        return await self._intake.add(belongs, file_name, source, former, own_name=own_name)

    async def ingest(self, document_id: str) -> AsyncGenerator[IngestProgress, None]:
        """Ingest a document or follow its ingest, see ``DocumentLibrary.ingest``.

        A document that is processed already gives its last event alone; a failed one is tried
        again.
        """
        self._require_started()
        async with aclosing(self._jobs.follow(document_id)) as events:
            async for event in events:
                yield event

    def ingest_in_background(self, document_id: str) -> None:
        """Ingest without a listener."""
        self._require_started()
        self._jobs.background(document_id)

    async def _ingest(self, document_id: str, tell: Callable[[IngestProgress], None]) -> Document:
        tell(IngestProgress("parsing", 0, 0))
        document = await self._index.get(document_id)
        if document is None:
            raise XnaiError(NOT_FOUND, what="document", name=document_id)
        if document.status != "processed":
            async with self._readers.turn(document):
                document = await self._upkeep.require_file(document)
                document = await self._processor.process(document, tell)
            for hear in self._told:
                hear(document)
        return await self._remove_former(document) if document.replaces else document

    def on_processed(self, hear: Callable[[Document], None]) -> None:
        """Have somebody told of every document that was processed."""
        self._told.append(hear)

    def reading_paused(self) -> AbstractAsyncContextManager[None]:
        """A block in which no document is being read; waits for those that are."""
        return self._readers.hold()

    async def _remove_former(self, document: Document) -> Document:
        """Delete the versions that a processed document replaces; what fails is left to a start."""
        removed: list[str] = []
        try:
            await self._index.libraries.inherit(document.id, document.replaces)
            removed = [one for one in document.replaces if await self.delete(one, document.id)]
            await uninterrupted(self._index.put_document(replace(document, replaces=())))
        except Exception as exc:  # noqa: BLE001 - the new version is there all the same
            kind = type(exc).__name__
            _log.warning("former_version_not_removed", document_id=document.id, exception=kind)
        return replace(document, replaces=tuple(removed))

    def progress(self, document_id: str) -> IngestProgress | None:
        """How far the reading of a document is; None if it is not being read."""
        return self._jobs.latest(document_id)

    async def get(self, document_id: str) -> Document | None:
        """A document's record, see ``DocumentLibrary.get``."""
        self._require_started()
        return await self._index.get(document_id)

    async def documents(self, owner: str, collection: str = "") -> Sequence[Document]:
        """The documents of an owner's collection, oldest first."""
        self._require_started()
        return await self._lookups.documents(owner, collection)

    async def all_documents(self, owner: str) -> Sequence[Document]:
        """All documents of an owner, whatever they belong to."""
        self._require_started()
        return await self._lookups.documents(owner)

    async def delete(self, document_id: str, successor: str = "") -> bool:
        """Remove file, record, chunks and vectors; ingest of it is stopped first."""
        self._require_started()
        return await uninterrupted(self._delete(document_id, successor))

    async def _delete(self, document_id: str, successor: str) -> bool:
        async with self._jobs.barred(document_id):
            if await self._index.get(document_id) is None:
                return False
            # A file without a record would be read again, unless it is known that it was to go.
            await asyncio.to_thread(self._files.give_up, document_id)
            try:
                deleted = await self._index.delete(document_id, successor)
            except BaseException:
                await asyncio.to_thread(self._files.take_back, document_id)
                raise
            if deleted:
                self._notes.deleted(document_id)
            await asyncio.to_thread(self._files.remove, document_id)
            await asyncio.to_thread(self._caches.remove, document_id)
        return deleted

    async def delete_collection(self, collection: str) -> int:
        """Remove the documents of a collection that stand in no library; returns how many."""
        self._require_started()
        documents = await self._index.documents(collection=collection) if collection else []
        kept = await self._index.libraries.libraries_of([one.id for one in documents])
        return sum([await self.delete(one.id) for one in documents if one.id not in kept])

    def original(self, document: Document) -> Path:
        """Where the original file lies."""
        return self._files.path(document.id)

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The text of a page, to which the offsets of passages refer."""
        self._require_started()
        return await self._index.page_text(document_id, page)

    async def page_content(self, document: Document, page: int | None) -> PageContent | None:
        """The text of a page with the blocks that it is made of."""
        self._require_started()
        return await content_of(self._index, document, page, self._text_work)

    async def page_image(
        self, document: Document, page: int, start: int, end: int, width: int = 1000
    ) -> bytes:
        """A page of a PDF or a photo as PNG with the words of ``[start, end)`` marked.

        Raises:
            XnaiError: BAD_REQUEST for a document that has no pages to draw, NOT_FOUND for a page
                it has not.

        """
        self._require_started()
        return await self._drawn.image(document, page, start, end, width)

    async def page_layer(self, document: Document, page: int, start: int, end: int) -> PageLayer:
        """What lies over a page that is shown as it looks, see ``DocumentLibrary.page_layer``."""
        self._require_started()
        return await self._drawn.layer(document, page, start, end)

    async def _original_of(self, document: Document) -> Path:
        await self._upkeep.require_file(document)
        return self.original(document)

    async def search(self, question: str, scope: Scope, limit: int) -> list[Passage]:
        """The best passages for a question, best first (hybrid search)."""
        self._require_started()
        return (await self.find(question, scope, limit)).passages

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        """As ``search``, and whether the meaning was compared too."""
        self._require_started()
        return await self._lookups.find(question, scope, limit)

    async def pages(self, scope: Scope, limit: int) -> PageTexts:
        """All pages in scope, see ``DocumentLibrary.pages``."""
        self._require_started()
        return await self._index.pages(scope, limit)

    async def everything(self, scope: Scope) -> list[Passage]:
        """All passages in scope, see ``DocumentLibrary.everything``."""
        self._require_started()
        found = await self._index.everything(scope, MAX_PARTS + 1)
        if len(found) > MAX_PARTS:
            count = await self._index.count(scope)
            raise XnaiError(DOCUMENTS_TOO_LONG, count=count, unit="passages", limit=MAX_PARTS)
        return found
