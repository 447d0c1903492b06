"""Lists of documents, a page at a time, as an index makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from xnai.retrieval.former import FormerDocument
from xnai.types import Document

Order = Literal["newest", "oldest", "name", "size", "state"]


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """Which documents are listed: those of a person, or of a library that they may see.

    ``words`` are part of the name, ``collection`` is what they belong to (None: whatever),
    ``folder`` and ``tag`` where they stand in the library (None: anywhere; a folder has those
    below it too).
    """

    person_id: str
    library_id: str = ""
    words: str = ""
    collection: str | None = None
    folder: str | None = None
    tag: str | None = None
    order: Order = "newest"


@dataclass(frozen=True, slots=True)
class Listed:
    """Documents of a list, and how many it has on all its pages, and without ``words``."""

    documents: Sequence[Document]
    count: int
    all: int


@dataclass(frozen=True, slots=True)
class Shelved:
    """Where a document stands in a library."""

    folder: str
    tags: tuple[str, ...]


class Listing(Protocol):
    """Lists documents; whether somebody may see a library is its caller's to say."""

    async def former(self, document_id: str) -> FormerDocument | None:
        """What became of a document that is gone; None if there never was one."""
        ...

    async def page(self, wanted: DocumentQuery, offset: int, limit: int) -> Listed:
        """Some of a list."""
        ...

    async def ids(self, wanted: DocumentQuery, limit: int) -> list[str]:
        """The ids of a whole list, at most ``limit``."""
        ...

    async def shelved(self, library_id: str, document_ids: Sequence[str]) -> dict[str, Shelved]:
        """Where documents stand in a library, by their ids."""
        ...

    async def shelves(self, library_id: str) -> tuple[dict[str, int], dict[str, int]]:
        """The folders and the tags of a library, each with how many documents."""
        ...

    async def shelve(
        self,
        library_id: str,
        document_ids: Sequence[str],
        folder: str | None = None,
        tags: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> int:
        """Put documents into a folder (None: where they are), with tags added and taken away."""
        ...

    async def transfer(
        self, library_id: str, target_id: str, document_ids: Sequence[str]
    ) -> list[Document]:
        """Have documents of a library stand in another one, and belong there if they did here."""
        ...

    async def contenders(
        self, belongs: tuple[str, str], sha256: str, ids: Sequence[str]
    ) -> list[Document]:
        """Of an owner's collection: what has a content, is named by id, or replaces others."""
        ...
