"""Brings a library in step with a folder: looks, compares, reads what differs, sends it."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from xnai.documents.folders.opening import opened
from xnai.documents.folders.plan import Change, Differences, changes, compare
from xnai.documents.folders.scan import LeftOut, Scan, scan
from xnai.errors import SYNC_FOLDER_UNUSABLE, Category, XnaiError
from xnai.retrieval.synced import SyncedFile

AT_ONCE = 3  # files that are sent
_TOLD_AT_ONCE = 100  # changes
_BLOCK = 2**20
_YOUNG = 2_000_000_000  # nanoseconds: a file that was written since may be written again unnoticed


class Keeper(Protocol):
    """Keeps what the files of one folder are, in one library; here or on a server."""

    async def files(self) -> Sequence[SyncedFile]:
        """What is known of them."""
        ...

    async def note(self, changes: Sequence[Change]) -> Sequence[bool]:
        """Note changes, and say of which files the content is known; see ``SyncedLibraries``."""
        ...

    async def send(self, file: SyncedFile, content: BinaryIO) -> SyncedFile:
        """Take a file in."""
        ...

    async def forget(self, paths: Sequence[str]) -> int:
        """Delete what is gone; returns how many documents were."""
        ...


@dataclass(slots=True)
class Summary:
    """What was done, or would be; ``gone`` are paths that stay in the library until it is asked."""

    unchanged: int = 0
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    copies: int = 0
    gone: list[str] = field(default_factory=list)
    deleted: int = 0
    unsure: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    refused: list[LeftOut] = field(default_factory=list)
    links: int = 0


Tell = Callable[[str, int, int], None]  # what is done, how many are, of how many
Ask = Callable[[Sequence[str]], bool]  # whether what is gone is to be deleted


async def bring_in_step(
    folder: Path,
    keeper: Keeper,
    tell: Tell,
    may_delete: Ask,
    *,
    only_look: bool = False,
) -> Summary:
    """Bring a library in step with a folder; with ``only_look`` say what would be done.

    Nothing is deleted unless ``may_delete`` says so, and nothing of what cannot be seen.

    Raises:
        XnaiError: SYNC_FOLDER_UNUSABLE, IGNORE_FILE_UNREADABLE, and whatever the keeper cannot do.

    """
    tell("looking", 0, 0)
    found = await asyncio.to_thread(scan, folder)
    known = {file.path: file for file in await keeper.files()}
    refuse_vanished(folder, found, known)
    differences = compare(found, known)
    summary = _summary(found, differences)
    read = await _read(folder, differences.unlike, summary, tell)
    made = changes(read, known, differences)
    summary.gone, summary.unsure = sorted(differences.gone), sorted(differences.unsure)
    if only_look:
        await _look(made, known, summary)
        return summary
    await _Bringing(folder, keeper, known, summary, tell).bring(made)
    if summary.gone and may_delete(summary.gone):
        for at in range(0, len(summary.gone), _TOLD_AT_ONCE):
            tell("deleting", at, len(summary.gone))
            summary.deleted += await keeper.forget(summary.gone[at : at + _TOLD_AT_ONCE])
        summary.gone = []
    return summary


def refuse_vanished(folder: Path, found: Scan, known: dict[str, SyncedFile]) -> None:
    """Refuse a folder that has nothing any more: so looks the place of a disk that is not there.

    Raises:
        XnaiError: SYNC_FOLDER_UNUSABLE.

    """
    if known and not found.files and not found.unsure and not found.left_out:
        reason = f"it is empty, and had {len(known):,} files: its disk may not be mounted"
        raise XnaiError(SYNC_FOLDER_UNUSABLE, folder=folder, reason=reason)


def _summary(found: Scan, differences: Differences) -> Summary:
    refused = [LeftOut(file.path, file.refused) for file in differences.refused]
    return Summary(
        unchanged=differences.unchanged,
        left_out=found.left_out,
        refused=refused,
        links=found.links,
    )


async def _read(
    folder: Path, paths: Sequence[str], summary: Summary, tell: Tell
) -> list[SyncedFile]:
    """Read what differs, to know it by its content."""
    read = []
    for number, path in enumerate(paths):
        tell("reading", number, len(paths))
        try:
            read.append(await asyncio.to_thread(_known_by_content, folder, path))
        except OSError as exc:
            reason = exc.strerror or "it cannot be read"
            summary.left_out.append(LeftOut(path, reason))
    return [file for file in read if file.size]


def _known_by_content(folder: Path, path: str) -> SyncedFile:
    """Read a file; blocks.

    One that was written a moment ago is noted with no time, and read again the next time: it may
    be written once more within one tick of the disk's clock.
    """
    with opened(folder, path) as file:
        there = os.fstat(file.fileno())
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
    is_young = time.time_ns() - there.st_mtime_ns < _YOUNG
    return SyncedFile(
        path=path,
        sha256=digest.hexdigest(),
        size=there.st_size,
        mtime_ns=0 if is_young else there.st_mtime_ns,
        inode=there.st_ino & 0x7FFFFFFFFFFFFFFF,
    )


async def _look(made: Iterable[Change], known: dict[str, SyncedFile], summary: Summary) -> None:
    """Say what would be done with what has changed."""
    for change in made:
        _count(change, known, summary)


def _count(change: Change, known: dict[str, SyncedFile], summary: Summary) -> None:
    path, former = change.file.path, known.get(change.file.path)
    if change.before:
        summary.moved.append((change.before, path))
    elif former is None:
        summary.added.append(path)
    elif former.sha256 == change.file.sha256 and not former.refused:
        summary.unchanged += 1
    else:
        summary.changed.append(path)


class _Bringing:
    """Tells a keeper what has changed, and sends it what it does not know."""

    def __init__(
        self,
        folder: Path,
        keeper: Keeper,
        known: dict[str, SyncedFile],
        summary: Summary,
        tell: Tell,
    ) -> None:
        self._folder = folder
        self._keeper = keeper
        self._known = known
        self._summary = summary
        self._tell = tell
        self._done = self._total = 0

    async def bring(self, made: Sequence[Change]) -> None:
        self._total = len(made)
        for at in range(0, len(made), _TOLD_AT_ONCE):
            some = made[at : at + _TOLD_AT_ONCE]
            known = await self._keeper.note(some)
            waiting = []
            for change, is_known in zip(some, known, strict=True):
                if is_known:
                    self._noted(change)
                else:
                    waiting.append(change.file)
            await self._send_all(waiting)

    def _noted(self, change: Change) -> None:
        path = change.file.path
        if not change.before and path not in self._known:
            self._summary.copies += 1
        _count(change, self._known, self._summary)
        self._step()

    def _step(self) -> None:
        self._done += 1
        self._tell("sending", self._done, self._total)

    async def _send_all(self, files: list[SyncedFile]) -> None:
        """Send some at once; what is no fault of a file ends all of them."""
        waiting = list(reversed(files))

        async def work() -> None:
            while waiting:
                await self._send(waiting.pop())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
        except BaseExceptionGroup as exc:
            raise exc.exceptions[0] from None

    async def _send(self, file: SyncedFile) -> None:
        try:
            content = await asyncio.to_thread(opened, self._folder, file.path)
            with content:
                sent = await self._keeper.send(file, content)
        except OSError as exc:
            reason = exc.strerror or "it cannot be read"
            self._summary.left_out.append(LeftOut(file.path, reason))
        except XnaiError as exc:
            if exc.kind.category is not Category.DOCUMENT:
                raise
            self._summary.left_out.append(LeftOut(file.path, exc.message))
        else:
            if sent.refused:
                self._summary.refused.append(LeftOut(file.path, sent.refused))
            else:
                _count(Change(file), self._known, self._summary)
        self._step()
