"""Many documents at once: listed, put into folders, tagged, moved, deleted, read again."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from xnai.accounts import Principal, may
from xnai.documents.libraries import Libraries
from xnai.documents.names import display_name
from xnai.documents.protocol import DocumentLibrary
from xnai.errors import BAD_REQUEST, NOT_FOUND, XnaiError
from xnai.retrieval.document_lists import DocumentQuery, Listed, Listing, Shelved
from xnai.retrieval.former import FormerDocument
from xnai.retrieval.libraries import HOME
from xnai.types import Document

MOST = 500  # documents of one request
LONGEST_TAG = 50  # characters
_LONGEST_ID = 64
_DEEPEST = 10  # folders


class Shelving:
    """What a person does with many documents; what they may not see is not there.

    Args:
        listing: lists them, and says where they stand.
        libraries: in which they stand.
        library: has them.

    """

    def __init__(self, listing: Listing, libraries: Libraries, library: DocumentLibrary) -> None:
        self._listing = listing
        self._libraries = libraries
        self._library = library

    async def page(
        self, person: Principal, wanted: DocumentQuery, offset: int, limit: int
    ) -> Listed:
        """Return some of a list, or NOT_FOUND for a library that is none of theirs."""
        if wanted.library_id:
            await self._libraries.get(person, wanted.library_id)
        return await self._listing.page(wanted, offset, limit)

    async def take_in(
        self,
        person: Principal,
        library_id: str,
        file_name: str,
        content: Path | AsyncIterator[bytes],
    ) -> Document:
        """Take a file into a library, to which it belongs alone, and begin to read it.

        What is cut off after the file was kept is made whole at the next start.

        Raises:
            XnaiError: NOT_FOUND for a library, and what ``DocumentLibrary.add`` raises.

        """
        library = await self._libraries.get(person, library_id, "add")
        home = HOME + library.id
        document = await self._library.add(library.owner, file_name, content, collection=home)
        try:
            await self._libraries.keep(person, library.id, document.id)
        except XnaiError:
            # What came while its library was deleted would make that anew at the next start.
            if not (await self._libraries.libraries_of([document.id])).get(document.id):
                await self._library.delete(document.id)
            raise
        self._library.ingest_in_background(document.id)
        return document

    async def former(self, document_id: str) -> FormerDocument | None:
        """Return what became of a document; whether somebody may know is the caller's to say."""
        return await self._listing.former(document_id)

    async def shelves(
        self, person: Principal, library_id: str
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Return the folders and tags of a library, each with how many documents."""
        await self._libraries.get(person, library_id)
        return await self._listing.shelves(library_id)

    async def shelved(
        self, person: Principal, library_id: str, document_ids: Sequence[str]
    ) -> dict[str, Shelved]:
        """Return where documents stand in a library."""
        await self._libraries.get(person, library_id)
        return await self._listing.shelved(library_id, document_ids)

    async def put_into_folder(
        self, person: Principal, library_id: str, document_ids: Sequence[str], folder: str
    ) -> int:
        """Have documents stand in a folder of a library: all of them or none."""
        await self._libraries.get(person, library_id, "change")
        return await self._listing.shelve(library_id, document_ids, checked_folder(folder))

    async def tag(
        self,
        person: Principal,
        library_id: str,
        document_ids: Sequence[str],
        added: Sequence[str],
        removed: Sequence[str],
    ) -> int:
        """Give documents of a library tags, and take some from them: all of them or none."""
        await self._libraries.get(person, library_id, "change")
        tags = [checked_tag(one) for one in added], removed
        return await self._listing.shelve(library_id, document_ids, None, tags)

    async def move(
        self, person: Principal, document_ids: Sequence[str], target_id: str, library_id: str
    ) -> int:
        """Have documents of a library stand in another one instead: all of them or none.

        Without a library they stand there beside where they are.
        """
        target = await self._libraries.get(person, target_id, "add")
        if not library_id:
            documents = await self._theirs(person, document_ids)
            for document in documents:
                await self._libraries.keep(person, target.id, document.id)
            return len(documents)
        source = await self._libraries.get(person, library_id, "change")
        if target.owner != source.owner:  # they would have another owner then
            raise XnaiError(NOT_FOUND, what="library", name=target_id[:100])
        moved = await self._listing.transfer(library_id, target.id, document_ids)
        for document in moved:
            if document.collection == HOME + target.id:
                await self._libraries.homes.note(document)
        return len(moved)

    async def delete(self, person: Principal, document_ids: Sequence[str]) -> int:
        """Delete documents, each of them whole; returns how many were there."""
        documents = await self._theirs(person, document_ids)
        return sum([await self._library.delete(document.id) for document in documents])

    async def read_again(
        self, person: Principal, document_ids: Sequence[str], again: Callable[[str], None]
    ) -> int:
        """Read those of some documents again that could not be read."""
        failed = [d for d in await self._theirs(person, document_ids) if d.status == "error"]
        for document in failed:
            again(document.id)
        return len(failed)

    async def _theirs(self, person: Principal, document_ids: Sequence[str]) -> list[Document]:
        """Return documents that somebody may change; what has gone meanwhile is left out.

        Raises:
            XnaiError: NOT_FOUND for one that is somebody else's.

        """
        found = []
        for document_id in document_ids:
            document = await self._library.get(document_id)
            if document is None:
                continue
            if not may(person, "change", document):
                raise XnaiError(NOT_FOUND, what="document", name=document_id[:100])
            found.append(document)
        return found


def checked_folder(text: str) -> str:
    """Return a folder as it is kept: names between ``/``, empty for the library itself.

    Raises:
        XnaiError: BAD_REQUEST, it has too many parts.

    """
    parts = [display_name(part) for part in text.split("/") if part.strip(". \t")]
    if len(parts) > _DEEPEST:
        problem = f"The folder has {len(parts)} parts between slashes; at most {_DEEPEST} are kept."
        raise XnaiError(BAD_REQUEST, problem=problem, fix="Give fewer.")
    return "/".join(parts)


def checked_tag(text: str) -> str:
    """Return a tag as it is kept.

    Raises:
        XnaiError: BAD_REQUEST, nothing of it can be seen.

    """
    tag = display_name(text)[:LONGEST_TAG].strip()
    if not text.strip():
        raise XnaiError(BAD_REQUEST, problem="The tag is empty.", fix="Type a word.")
    return tag


def document_ids_of(value: object) -> list[str]:
    """Return the ids in what a browser sent.

    Raises:
        XnaiError: BAD_REQUEST, they are none, or too many.

    """
    ids = value if isinstance(value, list) else []
    are_ids = all(isinstance(one, str) and len(one) <= _LONGEST_ID for one in ids)
    if not are_ids or not 0 < len(ids) <= MOST:
        problem = f"{json.dumps(value)[:50]} is not a list of 1 to {MOST} ids of documents."
        raise XnaiError(BAD_REQUEST, problem=problem, fix="Choose at least one.")
    return list(dict.fromkeys(ids))
