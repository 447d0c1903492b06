"""The document library: files, records and ingest, behind ``DocumentLibrary``."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import structlog

from xnai.audit import AuditLog
from xnai.documents import sniff, versions
from xnai.documents.claim import FolderClaim
from xnai.documents.files import OriginalFiles, Received
from xnai.documents.jobs import Jobs
from xnai.documents.names import display_name
from xnai.documents.notes import DocumentNotes
from xnai.documents.page_image import Marked, PageImages
from xnai.documents.processor import Processor
from xnai.documents.protocol import IngestProgress, Search, TokenizingEmbedder
from xnai.documents.uninterrupted import uninterrupted
from xnai.errors import (
    BAD_REQUEST,
    DOCUMENTS_TOO_LONG,
    NOT_FOUND,
    SEARCH_DOWN,
    TOO_MANY_FILES,
    XnaiError,
)
from xnai.health import Part
from xnai.retrieval.protocol import Index
from xnai.retrieval.search import Found
from xnai.settings import Settings
from xnai.types import Document, Passage, Scope

_log = structlog.get_logger(__name__)

_MEGABYTE = 1_000_000
MAX_PARTS = 2000  # passages that are read for a question about whole documents


class Library:
    """Documents of all owners; the index is opened by whoever made it, before ``start``.

    ``parser`` is told how reading documents goes, ``audit`` what was uploaded and deleted.
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
    ) -> None:
        self._settings = settings
        self._notes = DocumentNotes(audit)
        self._index = index
        self._search = search
        folder = settings.data_dir / "documents"
        self._files = OriginalFiles(folder, settings.upload_max_mb * _MEGABYTE)
        self._images = PageImages(settings.data_dir / "page_images", settings.parse_memory_mb)
        self._processor = Processor(settings, index, embedder, self._files, parser)
        self._jobs = Jobs(self._ingest)
        self.turn = asyncio.Semaphore(1)  # one at a time embeds: the cores are few
        self._admission = asyncio.Lock()
        self._claim: FolderClaim | None = None

    async def start(self) -> None:
        """Clean up after a crash and take up the documents whose ingest was interrupted."""
        self._claim = await asyncio.to_thread(FolderClaim, self._files.folder)
        if not self._claim.alone:
            _log.info("data_folder_shared")
            return
        records = await self._index.documents()
        lost = [r for r in records if not await asyncio.to_thread(self.original(r).is_file)]
        for record in lost:
            _log.warning("document_without_file_removed", document_id=record.id)
            await self._index.delete(record.id)
        known = {record.id for record in records} - {record.id for record in lost}
        orphans = await asyncio.to_thread(self._files.clean, known)
        if orphans:
            _log.info("files_without_document_removed", count=orphans)
        await asyncio.to_thread(self._images.clean, known)
        self._claim.share()
        for record in records:
            if record.id in known and _is_unfinished(record):
                self.ingest_in_background(record.id)

    async def close(self) -> None:
        """Stop ingest and close the index; what was interrupted goes on at the next start."""
        await self._jobs.close()
        await self._index.close()
        if self._claim is not None:
            self._claim.release()

    def _require_started(self) -> None:
        if self._claim is None:
            raise XnaiError(SEARCH_DOWN, reason="the index is still being opened")

    def _refuse_too_many(self, documents: Sequence[Document]) -> None:
        limit = self._settings.documents_max
        count = len(documents) + 1
        if count > limit:
            raise XnaiError(TOO_MANY_FILES, count=count, limit=limit, setting="XNAI_DOCUMENTS_MAX")

    async def add(
        self,
        owner: str,
        file_name: str,
        source: Path | AsyncIterator[bytes],
        former: Sequence[Document] = (),
        *,
        own_name: bool = False,
    ) -> Document:
        """Copy a file in, see ``DocumentLibrary.add``."""
        self._require_started()
        name = display_name(file_name)
        with self._notes.adding(owner, name) as note:
            self._refuse_too_many(await self._index.documents(owner))
            async with self._files.receive(name, source) as received:
                media_type = await asyncio.to_thread(sniff.media_type, received.path, name)
                async with self._admission:
                    documents = await self._index.documents(owner)
                    known, replaces = versions.place(documents, former, received, own_name=own_name)
                    if known is not None:
                        note(known, "known")
                        return known
                    self._refuse_too_many(documents)
                    keeping = self._keep(owner, media_type, received, replaces)
                    document = await uninterrupted(keeping)
                    note(document, "accepted")
                    return document

    async def _keep(
        self, owner: str, media_type: str, received: Received, replaces: tuple[str, ...]
    ) -> Document:
        document_id = await asyncio.to_thread(self._files.keep, received)
        document = Document(
            id=document_id,
            owner=owner,
            file_name=received.name,
            media_type=media_type,
            size=received.size,
            sha256=received.sha256,
            created_at=time.time(),
            replaces=replaces,
        )
        try:
            await self._index.put_document(document)
        except BaseException:
            await asyncio.to_thread(self._files.remove, document_id)
            raise
        return document

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
        async with self.turn:
            document = await self._index.get(document_id)
            if document is None:
                raise XnaiError(NOT_FOUND, what="document", name=document_id)
            if document.status != "processed":
                document = await self._processor.process(document, tell)
        return await self._remove_former(document) if document.replaces else document

    async def _remove_former(self, document: Document) -> Document:
        """Delete the versions that a processed document replaces; what fails is left to a start."""
        removed: list[str] = []
        try:
            removed = [former for former in document.replaces if await self.delete(former)]
            await uninterrupted(self._index.put_document(replace(document, replaces=())))
        except Exception as exc:  # noqa: BLE001 - the new version is there all the same
            _log.warning(
                "former_version_not_removed", document_id=document.id, exception=type(exc).__name__
            )
        return replace(document, replaces=tuple(removed))

    async def get(self, document_id: str, owner: str | None = None) -> Document | None:
        """A document's record, if the owner (None: anyone) has it."""
        self._require_started()
        document = await self._index.get(document_id)
        return document if document is not None and owner in {None, document.owner} else None

    async def documents(self, owner: str) -> Sequence[Document]:
        """An owner's documents, oldest first."""
        self._require_started()
        return await self._index.documents(owner)

    async def delete(self, document_id: str) -> bool:
        """Remove file, record, chunks and vectors; ingest of it is stopped first."""
        self._require_started()
        return await uninterrupted(self._delete(document_id))

    async def _delete(self, document_id: str) -> bool:
        async with self._jobs.barred(document_id):
            # The record first: after a crash in between, start() finds a file without one.
            if not await self._index.delete(document_id):
                return False
            self._notes.deleted(document_id)
            await asyncio.to_thread(self._files.remove, document_id)
            await asyncio.to_thread(self._images.remove, document_id)
        return True

    async def delete_owner(self, owner: str) -> int:
        """Remove all documents of an owner; returns how many."""
        deleted = [await self.delete(document.id) for document in await self.documents(owner)]
        return sum(deleted)

    def original(self, document: Document) -> Path:
        """Where the original file lies."""
        return self._files.path(document.id)

    async def page_text(self, document_id: str, page: int | None) -> str | None:
        """The text of a page, to which the offsets of passages refer."""
        self._require_started()
        return await self._index.page_text(document_id, page)

    async def page_image(
        self, document: Document, page: int, start: int, end: int, width: int = 1000
    ) -> bytes:
        """A PDF page as PNG with the words of ``[start, end)`` marked.

        Raises:
            XnaiError: BAD_REQUEST for a document that is no PDF, NOT_FOUND for a page it has not.

        """
        if document.media_type != sniff.PDF:
            raise XnaiError(
                BAD_REQUEST,
                problem=f"{document.file_name!r} has no pages to draw.",
                fix="Ask for its text instead.",
            )
        text = await self._index.page_text(document.id, page) or ""
        return await self._images.image(
            document, self.original(document), page, Marked(start, end, len(text)), width
        )

    async def search(self, question: str, scope: Scope, limit: int) -> list[Passage]:
        """The best passages for a question, best first (hybrid search)."""
        self._require_started()
        return (await self.find(question, scope, limit)).passages

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        """As ``search``, and whether the meaning was compared too."""
        self._require_started()
        return await self._search.find(question, scope, limit)

    async def everything(self, scope: Scope) -> list[Passage]:
        """All passages in scope, see ``DocumentLibrary.everything``."""
        self._require_started()
        found = await self._index.everything(scope, MAX_PARTS + 1)
        if len(found) > MAX_PARTS:
            count = await self._index.count(scope)
            raise XnaiError(DOCUMENTS_TOO_LONG, count=count, limit=MAX_PARTS)
        return found


def _is_unfinished(record: Document) -> bool:
    """Whether a document is yet to be read, or its former versions are yet to be deleted."""
    if record.status == "processed":
        return bool(record.replaces)
    return record.status != "error"
