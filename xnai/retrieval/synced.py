"""Files of a folder that a library is kept in step with, as an index keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SyncedFile:
    """A file as it was when it was looked at last, and the document that it is.

    ``path`` is relative to the folder, with ``/`` between its parts. ``refused`` says, in words for
    people, why it is no document; ``document_id`` is empty then.
    """

    path: str
    sha256: str
    size: int  # bytes
    mtime_ns: int
    inode: int
    document_id: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class SyncSource:
    """A folder of a machine, and the library that is kept in step with it."""

    library_id: str
    name: str  # names machine and folder


class SyncTables(Protocol):
    """Keeps which files a folder had; whether somebody may touch them is its caller's to say."""

    async def files(self, source: SyncSource) -> list[SyncedFile]:
        """All that were there when the folder was looked at last."""
        ...

    async def file(self, source: SyncSource, path: str) -> SyncedFile | None:
        """One of them."""
        ...

    async def put(self, source: SyncSource, file: SyncedFile, folder: str, by: str) -> bool:
        """Keep what a file is, with its document in the library; False if one of them is gone."""
        ...

    async def move(self, source: SyncSource, before: str, file: SyncedFile, folder: str) -> bool:
        """Have a file be known under another path, and its document stand in that folder."""
        ...

    async def forget(self, source: SyncSource, paths: Sequence[str]) -> None:
        """Keep nothing of some files; their documents stay."""
        ...

    async def alike(self, library_id: str, sha256: str) -> str:
        """The id of a document of the library's own that has a content; empty if none has."""
        ...

    async def paths_of(self, document_id: str) -> list[str]:
        """Under which paths a document is known, of every folder."""
        ...

    async def rename(self, document_id: str, file_name: str) -> bool:
        """Give a document another name; False if it is gone."""
        ...
