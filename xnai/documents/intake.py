"""Takes files in: what each is, whether it is here already, and where it is kept."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from xnai.aio import uninterrupted
from xnai.documents import deduplication
from xnai.documents.audit import DocumentNotes
from xnai.documents.names import display_name
from xnai.documents.parsers.kinds import Kinds
from xnai.documents.storage import OriginalFiles, Received
from xnai.documents.upkeep import Upkeep
from xnai.errors import TOO_MANY_FILES, XnaiError
from xnai.retrieval.document_lists import DocumentQuery
from xnai.retrieval.libraries import HOME
from xnai.retrieval.protocol import Index
from xnai.types import Document


class Intake:
    """Keeps a file with its record; an owner has at most ``most`` of them in one place."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it is made of
        self,
        index: Index,
        files: OriginalFiles,
        kinds: Kinds,
        notes: DocumentNotes,
        upkeep: Upkeep,
        most: int,
    ) -> None:
        self._index = index
        self._files = files
        self._kinds = kinds
        self._notes = notes
        self._upkeep = upkeep
        self._most = most
        self._admission = asyncio.Lock()

    async def add(
        self,
        belongs: tuple[str, str],
        file_name: str,
        source: Path | AsyncIterator[bytes],
        former: Sequence[Document],
        *,
        own_name: bool,
    ) -> Document:
        """Copy a file in, see ``DocumentLibrary.add``; ``belongs``: owner and collection."""
        name = display_name(file_name)
        with self._notes.adding(*belongs, name) as note:
            await self._refuse_too_many(belongs)
            await self._upkeep.require_folder()
            async with self._files.receive(name, source) as received:
                media_type = await self._kinds.media_type(received.path, name, belongs[0])
                async with self._admission:
                    documents = await self._index.listing.contenders(
                        belongs, received.sha256, [one.id for one in former]
                    )
                    known, replaces = deduplication.place(
                        documents, former, received, own_name=own_name
                    )
                    if known is not None:
                        note(known, "known")
                        return await uninterrupted(self._known_again(known, received))
                    await self._refuse_too_many(belongs)
                    keeping = self._keep(belongs, media_type, received, replaces)
                    document = await uninterrupted(keeping)
                    note(document, "accepted")
                    return document

    async def _refuse_too_many(self, belongs: tuple[str, str]) -> None:
        """Refuse more than a chat may have, or a person beside what stands in libraries."""
        owner, collection = belongs
        if collection.startswith(HOME):  # the disk's limit alone
            return
        wanted = DocumentQuery(owner, collection=collection)
        count = (await self._index.listing.page(wanted, 0, 0)).count + 1
        if count > self._most and not belongs[1]:
            count -= await self._index.libraries.kept(*belongs)
        if count > self._most:
            raise XnaiError(
                TOO_MANY_FILES, count=count, limit=self._most, setting="XNAI_DOCUMENTS_MAX"
            )

    async def _keep(
        self,
        belongs: tuple[str, str],
        media_type: str,
        received: Received,
        replaces: tuple[str, ...],
    ) -> Document:
        document = Document(
            id=uuid.uuid4().hex,
            owner=belongs[0],
            collection=belongs[1],
            file_name=received.name,
            media_type=media_type,
            size=received.size,
            sha256=received.sha256,
            created_at=time.time(),
            replaces=replaces,
        )
        await asyncio.to_thread(self._files.keep, received, document)
        try:
            await self._index.put_document(document)
        except BaseException:
            await asyncio.to_thread(self._files.remove, document.id)
            raise
        return document

    async def _known_again(self, known: Document, received: Received) -> Document:
        """A document that is there already; one whose file is missing gets this one for it."""
        if known.status != "missing":
            return known
        await asyncio.to_thread(self._files.keep, received, known)
        return await self._upkeep.came_back(known)
