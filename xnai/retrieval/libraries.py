"""Libraries as an index keeps them, beside the documents that stand in them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from xnai.types import Document

HOME = "library:"  # begins the collection of documents that belong to a library alone
_DAY = 86_400.0  # seconds


def own_id(person_id: str) -> str:
    """Return the id of the library that a person has of their own."""
    return hashlib.blake2b(f"library of {person_id}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class NamedLibrary:
    """A library: whose it is, what it is called, and who else may do what with it.

    ``folded`` is the name as names are compared; empty for the library that everybody has. Times
    are in seconds since the epoch; ``expires_days`` count from the last use. ``count`` documents
    stand in it, of ``size`` bytes together, and ``states`` says how many of each status.
    """

    id: str
    owner: str
    name: str
    folded: str
    created_at: float
    used_at: float
    expires_days: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, int] = field(default_factory=dict)
    size: int = 0

    @property
    def is_own(self) -> bool:
        """Whether it is the one that everybody has."""
        return not self.folded

    @property
    def count(self) -> int:
        """How many documents stand in it."""
        return sum(self.states.values())

    @property
    def expires_at(self) -> float | None:
        """When it is no longer asked; None: never."""
        return None if self.expires_days is None else self.used_at + self.expires_days * _DAY


@dataclass(frozen=True, slots=True)
class Standing:
    """That a document stands in a library: since when, by whom, and what a program noted of it."""

    added_at: float
    added_by: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class LibraryTables(Protocol):
    """Libraries, their members and documents; every method runs off the event loop.

    Rights are asked by the caller, but where a person's id is given.
    """

    async def create(self, library: NamedLibrary) -> bool:
        """Keep a new one; False if its owner has one of that name, or with that id."""
        ...

    async def get(self, library_id: str) -> NamedLibrary | None:
        """One of them."""
        ...

    async def seen_by(self, person_id: str) -> list[NamedLibrary]:
        """All that somebody may see, oldest first."""
        ...

    async def change(self, library: NamedLibrary) -> bool:
        """Keep name, expiry, use and metadata; False if it is gone, or the name is taken."""
        ...

    async def use(self, library_id: str, at: float) -> None:
        """Note when it was used last."""
        ...

    async def noted(
        self, library_id: str, document_ids: Sequence[str] | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """The attributes of the documents in it, of some of them or all (None), by their ids."""
        ...

    async def remove(self, library_id: str) -> bool:
        """Remove it, its members and no document; False if there was none."""
        ...

    async def put(self, library_id: str, document_id: str, standing: Standing) -> bool:
        """Have a document stand in it; False if one of the two is gone."""
        ...

    async def take(self, library_id: str, document_id: str) -> bool:
        """Have a document stand in it no more; False if it did not."""
        ...

    async def standing(
        self, library_id: str, document_id: str | None = None
    ) -> list[tuple[Document, Standing]]:
        """The documents in it, or one of them, in the order in which they came."""
        ...

    async def libraries_of(self, document_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """The ids of the libraries that each document stands in, of those that do."""
        ...

    async def shows(self, person_id: str, document_id: str) -> bool:
        """Whether a document stands in a library that somebody may see."""
        ...

    async def kept(self, owner: str, collection: str) -> int:
        """How many documents of an owner's collection stand in a library."""
        ...

    async def kept_in(self, collection: str) -> list[Document]:
        """The documents of a collection that stand in a library."""
        ...

    async def inherit(self, document_id: str, former: Sequence[str]) -> None:
        """Have a document stand wherever documents stand whose new version it is."""
        ...

    async def move(self, document_id: str, collection: str) -> Document | None:
        """Have a document belong to another collection of its owner; None if it is gone."""
        ...

    async def restore(self) -> int:
        """Make libraries anew that documents belong to and that are gone; returns how many."""
        ...
