"""Files that are read as soon as they are attached, before the message that they come with is sent.

What is sent meets its document in the library, read or half read. What is not sent goes again: with
the next message, or with its session. A file that would replace another one waits for the message,
since nothing is deleted for a file that may yet be taken back.
"""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xnai.accounts import acting
from xnai.aio import cancel_and_wait
from xnai.documents.names import display_name
from xnai.documents.protocol import DocumentLibrary
from xnai.errors import NOT_FOUND, XnaiError
from xnai.locale import Texts
from xnai.observability.error_reports import report
from xnai.ui import markdown
from xnai.ui.auth import principal_of
from xnai.ui.document_words import progress_words
from xnai.ui.documents import chat_documents
from xnai.ui.file_rows import FileRow, FileRows
from xnai.ui.reading_language import texts_of


@dataclass(eq=False, slots=True)
class _Attached:
    """Files of a session that were not sent yet; documents of ``new`` go if they never are."""

    session: Any
    rows: FileRows
    new: set[str] = field(default_factory=set)
    adding: set[asyncio.Task[None]] = field(default_factory=set)


class Attachments:
    """Reads what is attached; one task for each file.

    Args:
        library: the documents.
        most: files that one message may have; what is more is read when it is sent, or refused.

    """

    def __init__(self, library: DocumentLibrary, most: int) -> None:
        self._library = library
        self._most = most
        self._attached: dict[str, _Attached] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def received(self, session: Any, name: str, path: Path) -> None:
        """Begin to read a file that was uploaded."""
        held = self._attached.get(session.id)
        if held is None:
            held = self._attached[session.id] = _Attached(session, FileRows([], session.emit))
        if len(held.rows.rows) >= self._most:
            return
        waits = f"{name}: {texts_of(session).say('Waits for its turn')}"
        row = FileRow(name, waits)
        held.rows.rows.append(row)
        task = self._spawn(self._read(held, row, path))
        held.adding.add(task)
        task.add_done_callback(held.adding.discard)

    async def sent(self, session: Any) -> frozenset[str]:
        """End what is shown of a session's files; returns the documents that nobody has seen yet.

        A file that is being copied is waited for, so that it is not added twice.
        """
        held = self._attached.pop(session.id, None)
        if held is None:
            return frozenset()
        if held.adding:
            await asyncio.wait(set(held.adding))
        return frozenset(held.new)

    async def discard(self, documents: frozenset[str]) -> None:
        """Delete documents whose files were taken back before they were sent."""
        for document_id in documents:
            try:
                await self._library.delete(document_id)
            except XnaiError as exc:
                report(exc)  # it can be deleted in the list of documents

    def keep(self, documents: frozenset[str]) -> None:
        """Let documents stay that were sent: in another session they may still be new."""
        for held in self._attached.values():
            held.new -= documents

    def forget(self, session: Any) -> None:
        """Delete what a session that has ended has never sent."""
        held = self._attached.pop(session.id, None)
        if held is not None:
            self._spawn(self._discard_all(held))

    def again(self, document_id: str) -> None:
        """Read a document once more; where it is attached, its row follows that."""
        self._library.ingest_in_background(document_id)
        for held in self._attached.values():
            for row in held.rows.rows:
                if row.document == document_id and row.again:
                    row.again = False  # what follows it does so once, however often it is asked
                    self._spawn(self._follow(held, row, document_id))

    async def close(self) -> None:
        """End all tasks, and delete what was never sent."""
        await cancel_and_wait(*self._tasks)
        for session_id in list(self._attached):
            await self.discard(frozenset(self._attached.pop(session_id).new))

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name="attachment")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _discard_all(self, held: _Attached) -> None:
        if held.adding:
            await asyncio.wait(set(held.adding))
        await self.discard(frozenset(held.new))

    async def _read(self, held: _Attached, row: FileRow, path: Path) -> None:
        """Copy a file in, unless it would replace another one, and have it read."""
        session = held.session
        acting.set(principal_of(session))
        await held.rows.tell()
        try:
            document_id = await self._add(held, row, path)
        except Exception as exc:  # noqa: BLE001 - the row says what is wrong
            self._fail(held, row, exc)
            await held.rows.tell()
            return
        if document_id:
            self._library.ingest_in_background(document_id)
            self._spawn(self._follow(held, row, document_id))
        else:
            held.rows.rows.remove(row)
            await held.rows.tell()

    async def _add(self, held: _Attached, row: FileRow, path: Path) -> str:
        chat = chat_documents(held.session)
        there = await self._library.documents(chat.person.person_id, chat.collection)
        name = display_name(row.name)
        if any(one.file_name == name and one.id not in held.new for one in there):
            return ""
        document = await self._library.add(
            chat.person.person_id, row.name, path, own_name=True, collection=chat.collection
        )
        row.document = document.id
        if all(one.id != document.id for one in there):
            held.new.add(document.id)
            row.new = True
        return document.id

    async def _follow(self, held: _Attached, row: FileRow, document_id: str) -> None:
        """Tell the page how far the reading is; it goes on when the page does not look."""
        texts = texts_of(held.session)
        acting.set(principal_of(held.session))
        row.state, row.again = "reading", False
        try:
            async with aclosing(self._library.ingest(document_id)) as events:
                async for event in events:
                    row.words = progress_words(row.name, event, texts)
                    row.share = round(100 * event.share)
                    if event.document is not None:
                        row.state, row.share = "read", 100
                        row.words = _ready_words(row.name, event.document.page_count, texts)
                    await self._tell(held, now=False)
        except Exception as exc:  # noqa: BLE001 - the row says what is wrong
            self._fail(held, row, exc)
        await self._tell(held, now=True)

    async def _tell(self, held: _Attached, *, now: bool) -> None:
        # After it was sent the rows are those of the message.
        if self._attached.get(held.session.id) is held:
            await held.rows.tell(now=now)

    def _fail(self, held: _Attached, row: FileRow, exc: Exception) -> None:
        error = report(exc)
        if error.kind is NOT_FOUND and row.document:  # taken back, or deleted in the list
            held.new.discard(row.document)
            if row in held.rows.rows:
                held.rows.rows.remove(row)
            return
        row.state, row.share = "failed", None
        row.words = " ".join(markdown.told(error, texts_of(held.session)))
        row.again = bool(row.document)


def _ready_words(name: str, pages: int, texts: Texts) -> str:
    ready = f"{texts.say('Ready to be asked about:')} {name}"
    if pages <= 1:
        return ready
    return f"{ready} ({texts.say_number('{number} page', '{number} pages', pages)})"
