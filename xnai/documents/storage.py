"""Keeps the original files, under names of our own."""

import asyncio
import hashlib
import os
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from xnai.documents import cards
from xnai.errors import FILE_EMPTY, FILE_TOO_LARGE, NOT_FOUND, XnaiError
from xnai.sqlite import reserve
from xnai.sqlite.errors import refused_write
from xnai.types import Document

_BLOCK = 2**20
_MEGABYTE = 1_000_000
_INCOMING = ".incoming"
DELETED = "documents.deleted"  # beside the folder
_ID_LENGTH = 32


@dataclass(slots=True)
class Received:
    """A file as it came in; ``path`` is temporary until it is kept."""

    path: Path
    name: str
    size: int = 0  # bytes
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """Hash of the content in hexadecimal digits."""
        return self._hash.hexdigest()

    def write(self, target: IO[bytes], block: bytes | bytearray, limit: int) -> None:
        """Append a block.

        Raises:
            XnaiError: FILE_TOO_LARGE past ``limit`` bytes.

        """
        self.size += len(block)
        if self.size > limit:
            raise XnaiError(FILE_TOO_LARGE, name=repr(self.name), limit_mb=limit // _MEGABYTE)
        self._hash.update(block)
        target.write(block)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk into DISK_FULL, and one that is read-only into DATA_READ_ONLY."""
    try:
        yield
    except OSError as exc:
        if refused := refused_write(exc, folder):
            raise refused from exc
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _create(path: Path) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _finish(target: IO[bytes]) -> None:
    target.flush()
    os.fsync(target.fileno())


class Deleted:
    """Ids of documents that were deleted while their files were away; methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, document_id: str) -> None:
        """Note one for good."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self._path, flags, 0o600)
        try:
            os.write(handle, f"{document_id}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def ids(self) -> set[str]:
        """All that were noted."""
        try:
            return set(self._path.read_text("ascii", "replace").split())
        except FileNotFoundError:
            return set()


class OriginalFiles:
    """Original files under ``<folder>/<first two of id>/<id>``, each with its card beside it.

    Methods block unless they are async.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.deleted = Deleted(folder.with_name(DELETED))
        self._max_bytes = max_bytes

    def path(self, document_id: str) -> Path:
        """Where the file of a document lies.

        Raises:
            XnaiError: NOT_FOUND for what is no id; names never become paths.

        """
        if len(document_id) != _ID_LENGTH or not set(document_id) <= set("0123456789abcdef"):
            raise XnaiError(NOT_FOUND, what="document", name=document_id)
        return self.folder / document_id[:2] / document_id

    @asynccontextmanager
    async def receive(
        self, name: str, source: Path | AsyncIterator[bytes]
    ) -> AsyncGenerator[Received, None]:
        """Copy a file in; it is gone after the block unless it was kept.

        Raises:
            XnaiError: FILE_EMPTY, FILE_TOO_LARGE, DISK_FULL, NOT_FOUND (no such file).

        """
        incoming = self.folder / _INCOMING
        with disk_errors(self.folder):
            await asyncio.to_thread(incoming.mkdir, parents=True, exist_ok=True, mode=0o700)
        received = Received(incoming / uuid.uuid4().hex, name)
        try:
            with disk_errors(self.folder):
                if isinstance(source, Path):
                    await self._copy(source, received)
                else:
                    await self._stream(source, received)
            if received.size == 0:
                raise XnaiError(FILE_EMPTY, name=name)
            yield received
        finally:
            with suppress(OSError):  # it is removed at the next start
                received.path.unlink(missing_ok=True)

    async def _copy(self, source: Path, received: Received) -> None:
        stopped = threading.Event()

        def copy() -> None:
            with source.open("rb") as file, _create(received.path) as target:
                while not stopped.is_set() and (block := file.read(_BLOCK)):
                    received.write(target, block, self._max_bytes)
                _finish(target)

        if not await asyncio.to_thread(source.is_file):
            raise XnaiError(NOT_FOUND, what="file", name=source.name)
        copying = asyncio.ensure_future(asyncio.to_thread(copy))
        try:
            await asyncio.shield(copying)
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.wait([copying])
            raise

    async def _stream(self, source: AsyncIterator[bytes], received: Received) -> None:
        target = await asyncio.to_thread(_create, received.path)
        try:
            waiting = bytearray()
            async for block in source:
                waiting += block
                if len(waiting) >= _BLOCK:
                    await asyncio.to_thread(received.write, target, waiting, self._max_bytes)
                    waiting = bytearray()
            await asyncio.to_thread(received.write, target, waiting, self._max_bytes)
            await asyncio.to_thread(_finish, target)
        finally:
            target.close()

    def keep(self, received: Received, document: Document) -> None:
        """Give a received file its place, with a card that says what it is."""
        path = self.path(document.id)
        with disk_errors(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # The card counts only once the file is there, whenever the program is killed.
            cards.draft(path, document)
            received.path.rename(path)
            cards.finish(path)
            _sync_folder(path.parent)

    def give_up(self, document_id: str) -> None:
        """Note that a person has a document deleted, before its record goes.

        A file without a record would be read again otherwise.
        """
        path = self.path(document_id)
        with disk_errors(self.folder):
            self._note_gone(document_id, path)

    def _note_gone(self, document_id: str, path: Path) -> None:
        try:
            if cards.beside(path).exists():  # renamed, as a full disk may have no room for another
                cards.beside(path).replace(cards.beside(path, cards.GONE))
            else:
                note = cards.beside(path, cards.GONE)
                reserve.removing(self.folder.parent, lambda: note.touch(mode=0o600))
        except (FileNotFoundError, NotADirectoryError):  # its folder is away, and may come back
            reserve.removing(self.folder.parent, lambda: self.deleted.add(document_id))

    def take_back(self, document_id: str) -> None:
        """Forget what ``give_up`` has noted: the record is still there."""
        gone = cards.beside(self.path(document_id), cards.GONE)
        with suppress(FileNotFoundError):
            gone.replace(cards.beside(self.path(document_id)))

    def remove(self, document_id: str) -> None:
        """Remove a document's file, if there is one, with its cards."""
        path = self.path(document_id)
        path.unlink(missing_ok=True)
        for suffix in (cards.CARD, cards.DRAFT, cards.GONE):
            cards.beside(path, suffix).unlink(missing_ok=True)
        reserve.refill(self.folder.parent)

    def clean(self) -> int:
        """Remove uploads that were cut off; returns how many."""
        removed = 0
        for path in self.folder.glob(f"{_INCOMING}/*"):
            path.unlink(missing_ok=True)
            removed += 1
        return removed
