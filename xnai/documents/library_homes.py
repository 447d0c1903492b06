"""Where documents belong whose chat has gone, or whose library."""

import asyncio

import structlog

from xnai.documents import cards
from xnai.documents.protocol import DocumentLibrary
from xnai.retrieval.libraries import HOME, LibraryTables
from xnai.types import Document

_log = structlog.get_logger(__name__)


class Homes:
    """Gives documents another place to belong to, in the index and on their cards."""

    def __init__(self, tables: LibraryTables, library: DocumentLibrary) -> None:
        self._tables = tables
        self._library = library

    async def release(self, collection: str) -> int:
        """Have documents of a chat that is to go belong to the libraries in which they stand.

        Returns how many do. Whatever stands in a library is not deleted with its chat, so that
        nothing is lost if this is cut off.
        """
        staying = await self._tables.kept_in(collection)
        for document in staying:
            await self.settle(document)
        return len(staying)

    async def settle(self, document: Document) -> None:
        """Have a document belong to a library in which it stands, else to its person's files."""
        there = (await self._tables.libraries_of([document.id])).get(document.id, ())
        moved = await self._tables.move(document.id, HOME + there[0] if there else "")
        if moved is not None:
            await self.note(moved)

    async def withdraw(self, library_id: str, document_id: str) -> bool:
        """Have a document stand in a library no more; False if it did not.

        If it belonged to this library alone, it belongs to another one, or to its person's files.
        """
        if not await self._tables.take(library_id, document_id):
            return False
        document = await self._library.get(document_id)
        if document is not None and document.collection == HOME + library_id:
            await self.settle(document)
        return True

    async def note(self, document: Document) -> None:
        """Write the card of a document anew: what it is called, and where it belongs."""
        await asyncio.to_thread(self._write_card, document)

    def _write_card(self, document: Document) -> None:
        original = self._library.original(document)
        try:
            if original.exists():
                cards.write(original, document)
        except OSError as exc:  # it is written at the next start
            _log.warning("card_not_written", document_id=document.id, reason=exc.strerror)
