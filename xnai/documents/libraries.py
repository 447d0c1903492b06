"""Libraries: documents that stay when their chats go, and that any chat may ask.

A document belongs to one place: a chat, a person's own files, or a library alone. It may stand in
libraries beside that, which is all that a library is: nothing is copied, and taking a document out
deletes nothing. When a chat is deleted, what stands in a library stays, and belongs to it alone.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from xnai.accounts import Action, Principal, may
from xnai.documents.library_homes import Homes
from xnai.documents.library_names import OWN_NAME, checked_name, folded, name_of
from xnai.documents.protocol import DocumentLibrary
from xnai.errors import (
    LIBRARIES_TOO_MANY,
    LIBRARY_EXPIRED,
    LIBRARY_NAME_TAKEN,
    NOT_FOUND,
    XnaiError,
)
from xnai.observability.audit import AuditLog
from xnai.retrieval.libraries import HOME, LibraryTables, NamedLibrary, Standing, own_id
from xnai.types import Document

MOST = 2000  # of one person
_DAY = 86_400.0  # seconds between two notes of the same use

_log = structlog.get_logger(__name__)


class Libraries:
    """The libraries of all persons; what somebody may not see is not there.

    Args:
        tables: keep them.
        library: has the documents.
        audit: is told what was made, filled and deleted.

    """

    def __init__(
        self, tables: LibraryTables, library: DocumentLibrary, audit: AuditLog | None = None
    ) -> None:
        self._tables = tables
        self._library = library
        self.homes = Homes(tables, library)
        self._audit = audit

    async def start(self) -> None:
        """Make libraries anew that were lost with an index, as far as documents tell of them."""
        if made := await self._tables.restore():
            _log.warning("libraries_made_again", count=made)

    async def own(self, person: Principal) -> NamedLibrary:
        """Return the library that everybody has, which is made when it is first needed."""
        made = _own_of(person, time.time())
        found = await self._tables.get(made.id)
        if found is None:
            await self._tables.create(made)
            found = await self._tables.get(made.id)
        return found or made

    async def all(self, person: Principal) -> list[NamedLibrary]:
        """Return all that somebody may see, their own first, then oldest first.

        Their own is there before it is made: a list is shown on a full disk, too.
        """
        found = await self._tables.seen_by(person.person_id)
        own = _own_of(person)
        first = next((one for one in found if one.id == own.id), own)
        return [first, *(one for one in found if one.id != own.id)]

    async def get(self, person: Principal, library_id: str, action: Action = "see") -> NamedLibrary:
        """Return a library with which somebody may do something, or NOT_FOUND."""
        found = await self._tables.get(library_id)
        if found is None and library_id == own_id(person.person_id):
            found = _own_of(person) if action == "see" else await self.own(person)
        if found is None or not may(person, action, found):
            raise _missing("library", library_id)
        return found

    async def asked(self, person: Principal, library_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of libraries that are to be searched, and note that they are used.

        Raises:
            XnaiError: NOT_FOUND, LIBRARY_EXPIRED.

        """
        ids = tuple(dict.fromkeys(library_ids))
        for found in [await self.get(person, library_id) for library_id in ids]:
            await self._use(found)
        return ids

    async def askable(self, person: Principal, library_ids: Sequence[str]) -> list[NamedLibrary]:
        """Return those of some libraries that can be searched now; note that they are used."""
        there = []
        for library_id in library_ids:
            try:
                found = await self.get(person, library_id)
                await self._use(found)
            except XnaiError as exc:
                if exc.kind is not NOT_FOUND and exc.kind is not LIBRARY_EXPIRED:
                    raise
                continue
            if found.states.keys() & {"processed", "missing"}:
                there.append(found)
        return there

    async def _use(self, library: NamedLibrary) -> None:
        now = time.time()
        if library.expires_at is not None and library.expires_at <= now:
            unused = f"{library.expires_days} days"
            raise XnaiError(LIBRARY_EXPIRED, name=name_of(library), time=unused)
        if library.expires_days is not None or now - library.used_at > _DAY:
            await self._tables.use(library.id, now)

    async def create(
        self,
        person: Principal,
        name: str | None,
        *,
        metadata: Mapping[str, str] | None = None,
        expires_days: int | None = None,
    ) -> NamedLibrary:
        """Make a library; without a name (None) it gets one.

        Raises:
            XnaiError: LIBRARY_NAME_EMPTY, LIBRARY_NAME_TOO_LONG, LIBRARY_NAME_UNSEEN,
                LIBRARY_NAME_TAKEN, LIBRARIES_TOO_MANY.

        """
        library_id, now = uuid.uuid4().hex, time.time()
        shown = f"Library {library_id[:8]}" if name is None else checked_name(name)
        theirs = await self._tables.seen_by(person.person_id)
        if sum(one.owner == person.person_id for one in theirs) >= MOST:
            raise XnaiError(LIBRARIES_TOO_MANY, limit=MOST)
        names = (person.person_id, shown, folded(shown))
        made = NamedLibrary(library_id, *names, now, now, expires_days, metadata or {})
        if made.folded == folded(OWN_NAME) or not await self._tables.create(made):
            raise XnaiError(LIBRARY_NAME_TAKEN, name=shown)
        self._note("created", library=library_id)
        return made

    async def change(
        self,
        person: Principal,
        library_id: str,
        *,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        expires_days: int | None = None,
    ) -> NamedLibrary:
        """Rename a library, or set what programs note of it; None leaves a thing as it is.

        The library that everybody has keeps its name. Setting an expiry (0: none) begins its time.

        Raises:
            XnaiError: NOT_FOUND, and those of ``create`` for a name.

        """
        found = await self.get(person, library_id, "change")
        changed = found
        if name is not None and not found.is_own:
            shown = checked_name(name)
            changed = replace(changed, name=shown, folded=folded(shown))
        if metadata is not None:
            changed = replace(changed, metadata=metadata)
        if expires_days is not None:
            changed = replace(changed, expires_days=expires_days or None, used_at=time.time())
        if changed.folded == folded(OWN_NAME) or not await self._tables.change(changed):
            if await self._tables.get(library_id) is None:
                raise _missing("library", library_id)
            raise XnaiError(LIBRARY_NAME_TAKEN, name=changed.name)
        return changed

    async def keep(
        self,
        person: Principal,
        library_id: str,
        document_id: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> Standing:
        """Have a document of a person stand in a library.

        Raises:
            XnaiError: NOT_FOUND, where one of the two is not there or may not be touched.

        """
        library = await self.get(person, library_id, "add")
        document = await self._library.get(document_id)
        if document is None or not may(person, "change", document):
            raise _missing("document", document_id)
        standing = Standing(time.time(), person.person_id, attributes or {})
        if not await self._tables.put(library.id, document.id, standing):
            if await self._library.get(document_id) is None:
                raise _missing("document", document_id)
            raise _missing("library", library_id)
        self._note("added", library=library.id, document=document.id)
        return standing

    async def take_out(self, person: Principal, library_id: str, document_id: str) -> bool:
        """Take a document out of a library, and keep it; False if it did not stand there.

        If it belonged to this library alone, it belongs to another one, or to its person's files.

        Raises:
            XnaiError: NOT_FOUND.

        """
        library = await self.get(person, library_id, "change")
        taken = await self.homes.withdraw(library.id, document_id)
        if taken:
            self._note("removed", library=library.id, document=document_id)
        return taken

    async def standing(self, person: Principal, library_id: str) -> list[tuple[Document, Standing]]:
        """Return the documents of a library, in the order in which they came, or NOT_FOUND."""
        library = await self.get(person, library_id)
        return await self._tables.standing(library.id)

    async def standing_of(
        self, person: Principal, library_id: str, document_id: str
    ) -> tuple[Document, Standing] | None:
        """Return one document of a library, None if it does not stand there, or NOT_FOUND."""
        library = await self.get(person, library_id)
        return next(iter(await self._tables.standing(library.id, document_id)), None)

    async def noted(
        self, person: Principal, library_id: str, document_ids: Sequence[str] | None = None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return what is noted of documents of a library, of all of them or some, or NOT_FOUND."""
        library = await self.get(person, library_id)
        return await self._tables.noted(library.id, document_ids)

    async def libraries_of(self, document_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the ids of the libraries that each document stands in, of those that do."""
        return await self._tables.libraries_of(document_ids)

    async def shows(self, person: Principal, document_id: str) -> bool:
        """Return whether a document stands in a library that somebody may see."""
        return await self._tables.shows(person.person_id, document_id)

    async def going(self, person: Principal, library_id: str) -> tuple[list[Document], int]:
        """Return the documents that are deleted with a library, and how many stay elsewhere.

        What a chat, a program or another library has stays.
        """
        library = await self.get(person, library_id, "change")
        there = [document for document, _ in await self._tables.standing(library.id)]
        others = await self._tables.libraries_of([one.id for one in there])
        home = HOME + library.id
        goes = [one for one in there if one.collection == home and len(others[one.id]) == 1]
        return goes, len(there) - len(goes)

    async def delete(self, person: Principal, library_id: str, *, keeps_all: bool) -> int:
        """Delete a library, and what belongs to it alone unless all is kept; returns how many.

        Documents go first, so that one that is cut off in the middle can be done again.

        Raises:
            XnaiError: NOT_FOUND.

        """
        library = await self.get(person, library_id, "change")
        goes = [] if keeps_all else (await self.going(person, library.id))[0]
        for document in goes:
            await self._library.delete(document.id)
        staying = await self._tables.standing(library.id)
        if not await self._tables.remove(library.id):
            raise _missing("library", library_id)
        self._note("deleted", library=library.id)
        for document, _ in staying:
            if document.collection == HOME + library.id:
                await self.homes.settle(document)
        return len(goes)

    async def release(self, collection: str) -> int:
        """Have documents of a chat that goes belong to libraries; see ``Homes.release``."""
        return await self.homes.release(collection)

    def _note(self, outcome: str, **fields: str) -> None:
        if self._audit is not None:
            self._audit.record("library", outcome=outcome, **fields)


def _own_of(person: Principal, made_at: float = 0.0) -> NamedLibrary:
    return NamedLibrary(own_id(person.person_id), person.person_id, "", "", made_at, made_at)


def _missing(what: str, name: str) -> XnaiError:
    return XnaiError(NOT_FOUND, what=what, name=name[:100])
