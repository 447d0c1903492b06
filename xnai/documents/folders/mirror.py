"""Keeps libraries in step with folders of the server's own machine (``XNAI_SYNC_FOLDERS``)."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog

from xnai.accounts import Principal
from xnai.aio import cancel_and_wait
from xnai.documents.folders.in_step import Summary, bring_in_step
from xnai.documents.folders.keeping import SyncedLibraries
from xnai.documents.folders.plan import Change
from xnai.documents.folders.watching import changed
from xnai.errors import SYNC_FOLDER_UNUSABLE, XnaiError
from xnai.observability.error_reports import report
from xnai.retrieval.synced import SyncedFile, SyncSource

AGAIN_SECONDS = 60.0  # after which a folder that could not be read is looked at again
_BLOCK = 2**20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FolderState:
    """How it stands with a folder: what was done last, or why nothing can be done."""

    folder: Path
    library: str
    library_id: str = ""
    summary: Summary | None = None
    error: XnaiError | None = None


class LocalKeeper:
    """Keeps what the files of a folder of this machine are; see ``Keeper``."""

    def __init__(self, synced: SyncedLibraries, person: Principal, source: SyncSource) -> None:
        self._synced = synced
        self._person = person
        self._source = source

    async def files(self) -> Sequence[SyncedFile]:
        """What is known of them."""
        return await self._synced.files(self._person, self._source)

    async def note(self, changes: Sequence[Change]) -> Sequence[bool]:
        """Note changes, and say of which files the content is known."""
        return await self._synced.note(self._person, self._source, changes)

    async def send(self, file: SyncedFile, content: BinaryIO) -> SyncedFile:
        """Take a file in."""
        async with aclosing(_blocks(content)) as blocks:
            return await self._synced.send(self._person, self._source, file, blocks)

    async def forget(self, paths: Sequence[str]) -> int:
        """Delete what is gone; returns how many documents were."""
        return await self._synced.forget(self._person, self._source, paths)


async def _blocks(content: BinaryIO) -> AsyncGenerator[bytes, None]:
    while block := await asyncio.to_thread(content.read, _BLOCK):
        yield block


class FolderMirror:
    """Looks at folders whenever something in them changes, one after the other.

    Args:
        synced: keeps what their files are.
        person: has the libraries.
        folders: are the folders, each with the name of its library.
        deletes: whether documents go when their files do.

    """

    def __init__(
        self,
        synced: SyncedLibraries,
        person: Principal,
        folders: Sequence[tuple[Path, str]],
        *,
        deletes: bool,
    ) -> None:
        self._synced = synced
        self._person = person
        self._deletes = deletes
        self._states = {folder: FolderState(folder, library) for folder, library in folders}
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def states(self) -> Sequence[FolderState]:
        """How it stands with each folder."""
        return tuple(self._states.values())

    def start(self) -> None:
        """Begin; call it when documents can be taken in."""
        self._tasks = [asyncio.create_task(self._follow(folder)) for folder in self._states]

    async def stop(self) -> None:
        """End what goes on; it goes on where it was at the next start."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            await cancel_and_wait(task)

    async def _follow(self, folder: Path) -> None:
        while True:
            async with self._turn:
                await self._look(folder)
            if self._states[folder].error is None:
                await changed(folder)
            else:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _look(self, folder: Path) -> None:
        state = self._states[folder]
        library = None
        try:
            library = await self._synced.find(self._person, state.library)
            place = await asyncio.to_thread(_real, folder)
            library = library or await self._synced.find_or_make(self._person, state.library)
            name = hashlib.blake2b(f"server\0{place}".encode(), digest_size=16).hexdigest()
            keeper = LocalKeeper(self._synced, self._person, SyncSource(library.id, name))
            summary = await bring_in_step(place, keeper, lambda *_: None, lambda _: self._deletes)
        except Exception as exc:  # noqa: BLE001 - one folder keeps no other from being in step
            error = report(exc)
            known = library.id if library else ""
            self._states[folder] = FolderState(folder, state.library, known, None, error)
            return
        self._states[folder] = FolderState(folder, state.library, library.id, summary)
        _log.info(
            "folder_in_step",
            added=len(summary.added),
            changed=len(summary.changed),
            moved=len(summary.moved),
            deleted=summary.deleted,
            left_out=len(summary.left_out) + len(summary.refused),
        )


def _real(folder: Path) -> Path:
    """Return where a folder is; blocks.

    Raises:
        XnaiError: SYNC_FOLDER_UNUSABLE.

    """
    try:
        return folder.resolve(strict=True)
    except OSError as exc:
        reason = exc.strerror or "it is not there"
        raise XnaiError(SYNC_FOLDER_UNUSABLE, folder=folder, reason=reason) from exc
