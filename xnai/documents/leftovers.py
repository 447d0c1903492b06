"""What is kept beside the documents to spare work, and goes with them."""

from collections.abc import Collection
from typing import Protocol


class Cache(Protocol):
    """Files that can be made again, each of one document; the methods block."""

    def clean(self, known: Collection[str]) -> None:
        """Delete what is kept of all documents but those of these ids."""
        ...

    def remove(self, document_id: str) -> None:
        """Delete what is kept of a document."""
        ...


class Caches:
    """Several caches as one."""

    def __init__(self, *caches: Cache) -> None:
        self._caches = caches

    def clean(self, known: Collection[str]) -> None:
        """Delete what is kept of all documents but those of these ids."""
        for cache in self._caches:
            cache.clean(known)

    def remove(self, document_id: str) -> None:
        """Delete what is kept of a document."""
        for cache in self._caches:
            cache.remove(document_id)
