"""Keeps records and original files true to each other, without ever deleting either.

A record whose file is not there is marked ``missing`` and comes back by itself when the file does;
a file without a record is read again. What goes is only what a person has had deleted before, and
uploads of the program's own that were cut off.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from xnai.aio import in_thread
from xnai.data_folder import marker
from xnai.documents import cards, survey
from xnai.documents.folder_lock import FolderClaim
from xnai.documents.storage import OriginalFiles
from xnai.documents.survey import NOT_THERE, Survey
from xnai.documents.unrecorded import Recovery
from xnai.errors import DOCUMENT_MISSING, DOCUMENTS_AWAY, DOCUMENTS_MISSING, XnaiError
from xnai.observability.health import PartDegraded
from xnai.retrieval.protocol import Index
from xnai.types import Document, DocumentStatus

YOUNG_SECONDS = 60.0  # a file of that age may be another process's upload under way
_LOOK_SECONDS = 20.0  # a network disk that hangs is away
_log = structlog.get_logger(__name__)


class Upkeep:
    """Compares the folder with the index; ``missing`` counts records without their files."""

    def __init__(
        self, data_dir: Path, index: Index, files: OriginalFiles, recovery: Recovery
    ) -> None:
        self._data_dir = data_dir
        self._index = index
        self._files = files
        self._recovery = recovery
        self._claim: FolderClaim | None = None
        self._turn = asyncio.Lock()
        self.missing = 0
        self.alone = False  # nobody else had the folder when it was taken
        self.away = ""
        self.started = False

    async def compare(self) -> list[str]:
        """Make records and files agree; returns the documents that are to be read."""
        async with self._turn:
            records = await self._index.documents()
            known = bool(records)
            found = await self._in_time(lambda: survey.look(self._data_dir, known=known))
            is_fresh = self._claim is None and not found.away
            if is_fresh:
                await in_thread(self._take_folder)
            self.away = found.away
            to_read = [one for one in [await self._settle(r, found) for r in records] if one]
            self.missing = sum(bool(found.fault(record)) for record in records)
            # Where records cannot be read, files without one may well have one.
            if not found.away and not self._index.damage.unreadable("documents"):
                to_read += await self._pair(records, found, is_fresh=is_fresh)
            if self._claim is not None and is_fresh:
                self._claim.share()
            self.started = True
            return to_read

    def told(self) -> str:
        """Say how it stands, in words for people.

        Raises:
            PartDegraded: files are missing.

        """
        if not self.missing and not self.away:
            return ""
        reason = self.away or "`xnai documents list` names them"
        raise PartDegraded(XnaiError(DOCUMENTS_MISSING, count=self.missing, reason=reason))

    async def require_folder(self) -> None:
        """Refuse to keep a file while the folder is away: it would hide what comes back.

        Raises:
            XnaiError: DOCUMENTS_AWAY.

        """
        found = await self._in_time(lambda: Survey(survey.away_now(self._data_dir, known=True)))
        if found.away:
            raise XnaiError(DOCUMENTS_AWAY, reason=found.away)

    def release(self) -> None:
        """Give the claim on the folder up."""
        if self._claim is not None:
            self._claim.release()

    async def _in_time(self, work: Callable[[], Survey]) -> Survey:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await in_thread(work)
        except TimeoutError:
            return Survey(f"{self._files.folder} does not answer")

    def _take_folder(self) -> None:
        """Make the folder if it is new, and mark it; blocks."""
        self._claim = FolderClaim(self._files.folder)
        marker.record(self._data_dir, marker.DOCUMENTS)
        self.alone = self._claim.alone
        if not self.alone:
            _log.info("data_folder_shared")
        if self.alone and (cut := self._files.clean()):
            _log.info("uploads_cut_off_removed", count=cut)

    async def _settle(self, record: Document, found: Survey) -> str:
        """Mark a record as what it is; returns its id if it is to be read."""
        fault = found.fault(record)
        if record.status == "missing":
            if fault:
                return ""
            back = await self.came_back(record)
            return back.id if back.status == "uploaded" else ""
        if fault:
            await self.mark(record, fault)
        return ""

    async def mark(self, record: Document, fault: str) -> Document:
        """Mark a document whose file is not what it should be."""
        error = XnaiError(DOCUMENT_MISSING, name=record.file_name, reason=fault)
        marked = replace(
            record,
            status="missing",
            error_code=error.code,
            error_message=error.message,
            error_hint=error.hint,
        )
        if await self._index.change(marked, was=record.status):
            _log.warning("document_missing", document_id=record.id, reason=fault)
        return marked

    async def came_back(self, record: Document) -> Document:
        """Make a document what it was before it was missing, as far as its text is known."""
        status: DocumentStatus = "processed" if record.chunk_count else "uploaded"
        back = replace(record, status=status, error_code="", error_message="", error_hint="")
        if not await self._index.change(back, was="missing"):
            return await self._index.get(record.id) or record
        _log.info("document_came_back", document_id=record.id)
        return back

    async def require_file(self, record: Document) -> Document:
        """Return the record of a document whose file is there.

        Raises:
            XnaiError: DOCUMENT_MISSING.

        """
        if await asyncio.to_thread(self._files.path(record.id).is_file):
            return await self.came_back(record) if record.status == "missing" else record
        reason = self.away or NOT_THERE
        if record.status != "missing":
            await self.mark(record, reason)
        raise XnaiError(DOCUMENT_MISSING, name=record.file_name, reason=reason)

    async def _pair(
        self, records: Sequence[Document], found: Survey, *, is_fresh: bool
    ) -> list[str]:
        """Give files their records and records their cards; returns what is to be read."""
        alone = is_fresh and self.alone
        known = {record.id: record for record in records}
        deleted = found.gone | await asyncio.to_thread(self._files.deleted.ids)
        to_read: list[str] = []
        for name in sorted((found.originals.keys() | found.cards | found.gone) - known.keys()):
            original = found.originals.get(name)
            is_old = original is not None and time.time() - original.changed > YOUNG_SECONDS
            if not alone and not is_old:
                continue
            if name in deleted:
                await asyncio.to_thread(self._files.remove, name)
            elif record := await self._adopt(name, found):
                to_read += [name] if record.status == "uploaded" else []
        if is_fresh:
            there = [record for record in records if record.id in found.originals]
            await asyncio.to_thread(self._write_cards, there, found)
        for name in found.gone & known.keys() if alone else ():
            # A deletion that was begun, and not finished.
            await self._index.delete(name)
            await asyncio.to_thread(self._files.remove, name)
        return to_read

    async def _adopt(self, name: str, found: Survey) -> Document | None:
        """Make a record for a file, or a card, without one."""
        path = self._files.path(name)
        is_there = name in found.originals
        try:
            if is_there and name in found.drafts - found.cards:
                await asyncio.to_thread(cards.finish, path)
            record = await self._recorded(path, is_there=is_there)
            if record is None or await self._index.get(name) is not None:
                return None
            await self._index.put_document(record)
            if not is_there:
                return await self.mark(record, found.fault(record))
            await asyncio.to_thread(cards.write, path, record)
        except (OSError, XnaiError) as exc:
            _log.warning("file_not_recorded", document_id=name, exception=type(exc).__name__)
            return None
        _log.warning("file_without_record_is_read_again", document_id=name)
        return record

    async def _recorded(self, path: Path, *, is_there: bool) -> Document | None:
        if not is_there:
            return await asyncio.to_thread(self._recovery.of_card, path)
        return await self._recovery.record(path)

    def _write_cards(self, records: Sequence[Document], found: Survey) -> None:
        """Write the cards that records lack, or that say what was true before; blocks."""
        for record in records:
            path = self._files.path(record.id)
            known = cards.read(path) if record.id in found.cards else None
            if known is not None and cards.agree(known, record):
                continue
            try:
                cards.write(path, record)
            except OSError as exc:
                _log.warning("card_not_written", document_id=record.id, reason=exc.strerror)


def is_unfinished(record: Document) -> bool:
    """Whether a document is yet to be read, or its former versions are yet to be deleted."""
    if record.status == "processed":
        return bool(record.replaces)
    return record.status not in {"error", "missing"}
