"""Attached files: the steps that show how they are read."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import chainlit as cl
import structlog
from chainlit.element import Element

from xnai.accounts import Principal
from xnai.aio import cancel_and_wait
from xnai.documents.protocol import DocumentLibrary, IngestProgress
from xnai.errors import DOCUMENT_DELETED, NOT_FOUND, TOO_MANY_FILES, XnaiError
from xnai.locale import in_all_languages, marked
from xnai.observability.error_reports import current_request_id, report
from xnai.types import Document, Scope
from xnai.ui import markdown
from xnai.ui.auth import principal_of
from xnai.ui.document_words import progress_words
from xnai.ui.file_rows import FileRow, FileRows
from xnai.ui.reading_language import texts_of
from xnai.ui.steps import progress_step

log = structlog.get_logger(__name__)

SAMPLE = Path(__file__).with_name("sample-lighthouse.txt")
SAMPLE_QUESTION = marked("When was the lamp of the lighthouse replaced, and by what?")


class ChatDocuments(NamedTuple):
    """The documents of one chat: the person they belong to, and their collection."""

    person: Principal
    collection: str


def chat_documents(session: Any) -> ChatDocuments:
    """Return the documents of the chat that a session is in."""
    return ChatDocuments(principal_of(session), collection_of(session.thread_id))


def collection_of(thread_id: str) -> str:
    """Return the name of the collection that holds the documents of a thread."""
    return f"thread:{thread_id}"


def show_attachments_as_files() -> None:
    """Make Chainlit show attached files by name; its previews load the file into the page."""
    Element.infer_type_from_mime = classmethod(lambda _cls, _mime: "file")


def attached_files(message: cl.Message) -> list[Element]:
    """Return the files that came with a message and were not read yet."""
    return [element for element in message.elements or [] if element.path]


async def read_files(
    library: DocumentLibrary,
    chat: ChatDocuments,
    files: list[Element],
    limit: int,
    begun: frozenset[str] = frozenset(),
) -> tuple[list[Document], list[XnaiError]]:
    """Ingest the files of one message at once, each in a step and a row that show the progress.

    ``begun`` are documents of these files that were begun to be read when they were attached.
    """
    texts = texts_of(cl.context.session)
    paths = [Path(file.path) for file in files]
    waits = texts.say("Waits for its turn")
    told = [FileRow(file.name, f"{file.name}: {waits}") for file in files]
    rows = FileRows(told, cl.context.session.emit)
    try:
        # Files replace those of earlier messages, never those of the same message.
        there = await library.documents(chat.person.person_id, chat.collection)
        former = [one for one in there if one.id not in begun]
        if len(files) > limit:
            kind, name = TOO_MANY_FILES, "XNAI_UPLOAD_MAX_FILES"
            raise XnaiError(kind, count=len(files), limit=limit, setting=name)
        await rows.tell()
        reading = [
            asyncio.create_task(_read_attached(library, chat, file, former, (row, rows)))
            for file, row in zip(files, told, strict=True)
        ]
        try:
            ended = await asyncio.gather(*reading)
        finally:
            await cancel_and_wait(*reading)
            await rows.end()
    finally:
        # Files that were refused, or not reached before the reading was stopped, go too.
        for file, path in zip(files, paths, strict=True):
            path.unlink(missing_ok=True)
            file.path = None
    read = [one for one in ended if isinstance(one, Document)]
    return read, [one for one in ended if isinstance(one, XnaiError)]


async def _read_attached(
    library: DocumentLibrary,
    chat: ChatDocuments,
    file: Element,
    former: Sequence[Document],
    shown: tuple[FileRow, FileRows],
) -> Document | XnaiError:
    """Read one of several files; the others are read whatever comes of it."""
    row, rows = shown
    path = Path(file.path)
    try:
        document = await _read_file(library, chat, (file.name, path), former, shown)
        row.state, row.share = "read", 100
        await _link(file, document)
    except XnaiError as exc:
        row.state, row.share = "failed", None
        row.words = " ".join(markdown.told(exc, texts_of(cl.context.session)))
        row.again = bool(row.document) and exc.kind is not DOCUMENT_DELETED
        return exc
    else:
        return document
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        await rows.tell()


async def read_sample(library: DocumentLibrary, chat: ChatDocuments, question: str) -> None:
    """Read the sample document into a chat without documents that asks the question about it."""
    if question in in_all_languages(SAMPLE_QUESTION) and await scope_of(library, chat) is None:
        with suppress(XnaiError):  # its step has said what went wrong
            await _read_file(library, chat, (SAMPLE.name, SAMPLE), ())


async def _link(file: Element, document: Document) -> None:
    """Link the attachment on the page to the library's copy, which is the only one left."""
    file.path, file.chainlit_key = None, None
    file.url = f"/v1/files/{document.id}/content"
    file.persisted = False
    await file.send(for_id=file.for_id)


async def _read_file(
    library: DocumentLibrary,
    chat: ChatDocuments,
    file: tuple[str, Path],
    former: Sequence[Document],
    shown: tuple[FileRow, FileRows] | None = None,
) -> Document:
    """Read a file, given as its name and its path."""
    name, path = file
    texts = texts_of(cl.context.session)
    async with progress_step(texts.say("Opening {file}", file=name)) as step:
        document = None
        try:
            document = await library.add(
                chat.person.person_id, name, path, former, collection=chat.collection
            )
            async with aclosing(library.ingest(document.id)) as events:
                async for event in events:
                    document = event.document or document
                    words = progress_words(document.file_name, event, texts)
                    await step.show(words)
                    if shown is not None:
                        await _tell(shown, document, event, words)
        except asyncio.CancelledError:
            if document is not None and all(document.id != other.id for other in former):
                await _discard(library, document.id)
            raise
        except Exception as raised:  # noqa: BLE001 - whatever it is, the step says so
            error = raised
            if document is not None and isinstance(raised, XnaiError) and raised.kind is NOT_FOUND:
                error = XnaiError(DOCUMENT_DELETED, name=document.file_name)
            exc = report(error)
            reference = markdown.error_reference(exc, current_request_id())
            message, hint = markdown.told(exc, texts)
            await step.fail(message, f"{markdown.plain(hint)}\n\n{reference}")
            raise exc from raised.__cause__
        notes = "\n".join(f"- {markdown.plain(note)}" for note in document.notes)
        replaced = marked("Read {file}, which replaces the earlier {file}")
        title = texts.say(
            replaced if document.replaces else marked("Read {file}"), file=document.file_name
        )
        await step.finish(title, markdown.document_line(document, texts), notes)
        return document


async def _tell(
    shown: tuple[FileRow, FileRows], document: Document, event: IngestProgress, words: str
) -> None:
    row, rows = shown
    row.document, row.words, row.state = document.id, words, "reading"
    row.share = round(100 * event.share)
    await rows.tell(now=False)


async def _discard(library: DocumentLibrary, document_id: str) -> None:
    """Delete a document whose reading was stopped, unless it was finished by then.

    Otherwise the list would show it as waiting, and the next start would read it after all.
    """
    document = await library.get(document_id)
    if document is not None and document.status != "processed":
        await library.delete(document_id)


async def scope_of(
    library: DocumentLibrary,
    chat: ChatDocuments,
    libraries: tuple[str, ...] = (),
    chosen: tuple[str, ...] = (),
) -> Scope | None:
    """Return what a question in this chat searches; None if there is nothing to search.

    ``libraries`` are the ids of those that the chat asks beside its own documents, ``chosen`` those
    of documents.
    """
    owner, collection = chat.person.person_id, chat.collection
    documents = await library.documents(owner, collection)
    if libraries or chosen or any(document.is_searchable for document in documents):
        return Scope(owner, chosen or None, collection, libraries)
    return None
