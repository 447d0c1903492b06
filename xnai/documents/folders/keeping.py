"""Keeps in a library what the files of a folder are; whoever looks at the folder is elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from xnai.accounts import Principal
from xnai.documents.folders.plan import Change
from xnai.documents.libraries import Libraries
from xnai.documents.library_names import OWN_NAME, folded
from xnai.documents.names import display_name
from xnai.documents.protocol import DocumentLibrary
from xnai.errors import NOT_FOUND, Category, XnaiError
from xnai.retrieval.libraries import HOME, NamedLibrary
from xnai.retrieval.synced import SyncedFile, SyncSource, SyncTables
from xnai.types import Document

MOST_CHANGES = 100  # that are told at once


class SyncedLibraries:
    """What may be done with the files of a folder, by somebody, in a library of theirs.

    Each of these is whole or not done at all, so that it can be cut off anywhere and done again.

    Args:
        tables: keep which files there are.
        libraries: in which their documents stand.
        library: has the documents.

    """

    def __init__(self, tables: SyncTables, libraries: Libraries, library: DocumentLibrary) -> None:
        self._tables = tables
        self._libraries = libraries
        self._library = library
        self._homes = libraries.homes
        self._turn = asyncio.Lock()

    async def find(self, person: Principal, name: str) -> NamedLibrary | None:
        """Return a library of somebody by its name."""
        wanted = folded(name)
        if wanted == folded(OWN_NAME):
            return await self._libraries.own(person)
        found = await self._libraries.all(person)
        return next((one for one in found if one.folded == wanted), None)

    async def find_or_make(self, person: Principal, name: str) -> NamedLibrary:
        """Return a library of somebody by its name, made if there is none."""
        return await self.find(person, name) or await self._libraries.create(person, name)

    async def files(self, person: Principal, source: SyncSource) -> list[SyncedFile]:
        """Return what is known of the files of a folder."""
        await self._libraries.get(person, source.library_id)
        return await self._tables.files(source)

    async def note(
        self, person: Principal, source: SyncSource, changes: Sequence[Change]
    ) -> list[bool]:
        """Note what can be noted without a file's content; returns which are known now.

        A file that was moved keeps its document; one whose content the library has already is that
        document. The others are to be sent.
        """
        library = await self._libraries.get(person, source.library_id, "add")
        known = []
        for change in changes:
            async with self._turn:
                known.append(await self._note(library, person, source, change))
        return known

    async def _note(
        self, library: NamedLibrary, person: Principal, source: SyncSource, change: Change
    ) -> bool:
        file = change.file
        if change.before:
            moved = await self._tables.move(source, change.before, file, folder_of(file.path))
            there = await self._tables.file(source, file.path) if moved else None
            if there is not None and there.sha256 == file.sha256:
                await self._name_after_paths(there.document_id)
                return True
        former = await self._tables.file(source, file.path)
        if former is not None and former.document_id and former.sha256 == file.sha256:
            document_id = former.document_id
        else:
            document_id = await self._tables.alike(library.id, file.sha256)
        if not document_id:
            return False
        placed = replace(file, document_id=document_id, refused="")
        if not await self._tables.put(source, placed, folder_of(file.path), person.person_id):
            return False
        if former is not None and former.document_id not in {"", document_id}:
            await self._abandon(library, former.document_id)
        await self._name_after_paths(document_id)
        return True

    async def send(
        self,
        person: Principal,
        source: SyncSource,
        file: SyncedFile,
        content: Path | AsyncIterator[bytes],
    ) -> SyncedFile:
        """Take a file in; returns it with its document, or with why it was refused.

        The document of what the file was before goes when this one was read.

        Raises:
            XnaiError: NOT_FOUND, and whatever is no fault of the file.

        """
        library = await self._libraries.get(person, source.library_id, "add")
        former = await self._former(library, source, file.path)
        try:
            document = await self._library.add(
                library.owner,
                display_name(file.path),
                content,
                former,
                collection=HOME + library.id,
            )
        except XnaiError as exc:
            if exc.kind.category is not Category.DOCUMENT:
                raise
            refused = replace(file, refused=exc.message, document_id="")
            async with self._turn:
                await self._put(library, person, source, refused, former)
            return refused
        taken = replace(
            file, sha256=document.sha256, size=document.size, document_id=document.id, refused=""
        )
        async with self._turn:
            await self._put(library, person, source, taken, former)
        self._library.ingest_in_background(document.id)
        return taken

    async def _put(
        self,
        library: NamedLibrary,
        person: Principal,
        source: SyncSource,
        file: SyncedFile,
        former: Sequence[Document],
    ) -> None:
        if not await self._tables.put(source, file, folder_of(file.path), person.person_id):
            # What came while its library was deleted would make that anew at the next start.
            await self._drop(library, file.document_id)
            raise XnaiError(NOT_FOUND, what="library", name=library.id)
        if file.refused:
            return  # what was there before stays where the new version cannot be read
        taken = await self._library.get(file.document_id)
        replaced = {file.document_id, *(taken.replaces if taken else ())}
        for one in former:
            if one.id not in replaced:
                await self._abandon(library, one.id)

    async def _former(self, library: NamedLibrary, source: SyncSource, path: str) -> list[Document]:
        """Return the document that a file was before, if it is no other file's too.

        One that could not be read has not replaced the version before it: that goes too.
        """
        known = await self._tables.file(source, path)
        document = await self._library.get(known.document_id) if known is not None else None
        if document is None or document.owner != library.owner:
            return []
        if len(await self._tables.paths_of(document.id)) != 1:
            return []
        earlier = [await self._library.get(one) for one in document.replaces]
        return [document, *(one for one in earlier if one is not None)]

    async def forget(self, person: Principal, source: SyncSource, paths: Sequence[str]) -> int:
        """Delete the documents of files that are gone; returns how many.

        A document that is a file elsewhere stays, and so does what stands in another library.
        """
        library = await self._libraries.get(person, source.library_id, "change")
        deleted = 0
        for path in paths:
            async with self._turn:
                file = await self._tables.file(source, path)
                if file is None:
                    continue
                others = await self._tables.paths_of(file.document_id)
                if len(others) <= 1 and file.document_id:
                    # The document first: what is cut off between the two is done again.
                    deleted += await self._drop(library, file.document_id)
                await self._tables.forget(source, [path])
                if len(others) > 1:
                    await self._name_after_paths(file.document_id)
        return deleted

    async def _abandon(self, library: NamedLibrary, document_id: str) -> None:
        """Take a document away that no file is any more."""
        if await self._tables.paths_of(document_id):
            await self._name_after_paths(document_id)
        else:
            await self._drop(library, document_id)

    async def _drop(self, library: NamedLibrary, document_id: str) -> bool:
        """Delete a document that stands nowhere else, or have it stand here no more."""
        document = await self._library.get(document_id)
        if document is None:
            return False
        standing = (await self._libraries.libraries_of([document_id])).get(document_id, ())
        if document.collection == HOME + library.id and set(standing) <= {library.id}:
            return await self._library.delete(document_id)
        return await self._homes.withdraw(library.id, document_id)

    async def _name_after_paths(self, document_id: str) -> None:
        """Have a document be called as one of its files is."""
        document = await self._library.get(document_id)
        names = [display_name(path) for path in await self._tables.paths_of(document_id)]
        if document is None or not names or document.file_name in names:
            return
        if await self._tables.rename(document_id, names[0]):
            await self._homes.note(replace(document, file_name=names[0]))


def folder_of(path: str) -> str:
    """Return the folder of a library in which the document of a file stands."""
    return "/".join(display_name(part) for part in path.split("/")[:-1])
