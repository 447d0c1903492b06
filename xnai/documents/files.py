"""Keeps the original files, under names of our own."""

import asyncio
import errno
import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from xnai.errors import DISK_FULL, FILE_EMPTY, FILE_TOO_LARGE, NOT_FOUND, XnaiError

_BLOCK = 2**20
_MEGABYTE = 1_000_000
_INCOMING = ".incoming"
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
            raise XnaiError(FILE_TOO_LARGE, name=self.name, limit_mb=limit // _MEGABYTE)
        self._hash.update(block)
        target.write(block)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk into DISK_FULL."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        free = f"{shutil.disk_usage(folder).free / _MEGABYTE:.1f} MB"
        raise XnaiError(DISK_FULL, folder=folder, free=free) from exc


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _finish(target: IO[bytes]) -> None:
    target.flush()
    os.fsync(target.fileno())


class OriginalFiles:
    """Original files under ``<folder>/<first two of id>/<id>``; methods block unless async."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
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
        await asyncio.to_thread(incoming.mkdir, parents=True, exist_ok=True)
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
            received.path.unlink(missing_ok=True)

    async def _copy(self, source: Path, received: Received) -> None:
        stopped = threading.Event()

        def copy() -> None:
            with source.open("rb") as file, received.path.open("xb") as target:
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
        target = await asyncio.to_thread(received.path.open, "xb")
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

    def keep(self, received: Received) -> str:
        """Give a received file its place and return the new document's id."""
        document_id = uuid.uuid4().hex
        path = self.path(document_id)
        with disk_errors(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            received.path.rename(path)
            _sync_folder(path.parent)
        return document_id

    def remove(self, document_id: str) -> None:
        """Remove a document's file, if there is one."""
        self.path(document_id).unlink(missing_ok=True)

    def clean(self, known: set[str]) -> int:
        """Remove files of no known document and uploads cut off; returns how many."""
        removed = 0
        for path in self.folder.glob("*/*"):
            if path.is_file() and (path.parent.name == _INCOMING or path.name not in known):
                path.unlink(missing_ok=True)
                removed += 1
        return removed
