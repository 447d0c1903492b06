"""Attached files: the steps that show how they are read, and the list of documents."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import chainlit as cl
import structlog
from chainlit.element import Element

from xnai.accounts import Principal, may
from xnai.documents.progress import rest, seconds_left, verb_and_count
from xnai.documents.protocol import DocumentLibrary, IngestProgress
from xnai.errors import DOCUMENT_DELETED, NOT_FOUND, TOO_MANY_FILES, XnaiError
from xnai.observability.error_reports import current_request_id, report
from xnai.types import Document, Scope
from xnai.ui import markdown
from xnai.ui.auth import principal_of
from xnai.ui.elements import side_element
from xnai.ui.steps import progress_step

log = structlog.get_logger(__name__)

SAMPLE = Path(__file__).with_name("sample-lighthouse.txt")
SAMPLE_QUESTION = "When was the lamp of the lighthouse replaced, and by what?"


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
    library: DocumentLibrary, chat: ChatDocuments, files: list[Element], limit: int
) -> tuple[list[Document], list[XnaiError]]:
    """Ingest the files of one message, each in a step of its own that shows the progress."""
    read: list[Document] = []
    failed: list[XnaiError] = []
    paths = [Path(file.path) for file in files]
    try:
        # Files replace those of earlier messages, never those of the same message.
        former = await library.documents(chat.person.person_id, chat.collection)
        if len(files) > limit:
            kind, name = TOO_MANY_FILES, "XNAI_UPLOAD_MAX_FILES"
            raise XnaiError(kind, count=len(files), limit=limit, setting=name)
        for file, path in zip(files, paths, strict=True):
            try:
                document = await _read_file(library, chat, file.name, path, former)
                read.append(document)
                await _link(file, document)
            except XnaiError as exc:
                failed.append(exc)
            finally:
                await asyncio.to_thread(path.unlink, missing_ok=True)
    finally:
        # Files that were refused, or not reached before the reading was stopped, go too.
        for file, path in zip(files, paths, strict=True):
            path.unlink(missing_ok=True)
            file.path = None
    return read, failed


async def read_sample(library: DocumentLibrary, chat: ChatDocuments, question: str) -> None:
    """Read the sample document into a chat without documents that asks the question about it."""
    if question == SAMPLE_QUESTION and await scope_of(library, chat) is None:
        with suppress(XnaiError):  # its step has said what went wrong
            await _read_file(library, chat, SAMPLE.name, SAMPLE, ())


async def _link(file: Element, document: Document) -> None:
    """Link the attachment on the page to the library's copy, which is the only one left."""
    file.path, file.chainlit_key = None, None
    file.url = f"/v1/files/{document.id}/content"
    file.persisted = False
    await file.send(for_id=file.for_id)


async def _read_file(
    library: DocumentLibrary, chat: ChatDocuments, name: str, path: Path, former: Sequence[Document]
) -> Document:
    async with progress_step(f"Opening {name}") as step:
        document = None
        try:
            document = await library.add(
                chat.person.person_id, name, path, former, collection=chat.collection
            )
            async with aclosing(library.ingest(document.id)) as events:
                async for event in events:
                    document = event.document or document
                    await step.show(_words(document.file_name, event))
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
            await step.fail(exc.message, f"{markdown.plain(exc.hint)}\n\n{reference}")
            raise exc from raised.__cause__
        notes = "\n".join(f"- {markdown.plain(note)}" for note in document.notes)
        title = f"Read {document.file_name}"
        if document.replaces:
            title += f", which replaces the earlier {document.file_name}"
        await step.finish(title, markdown.document_line(document), notes)
        return document


async def _discard(library: DocumentLibrary, document_id: str) -> None:
    """Delete a document whose reading was stopped, unless it was finished by then.

    Otherwise the list would show it as waiting, and the next start would read it after all.
    """
    document = await library.get(document_id)
    if document is not None and document.status != "processed":
        await library.delete(document_id)


def _words(name: str, event: IngestProgress) -> str:
    verb, count = verb_and_count(event)
    told = rest(event.share, seconds_left(event, time.monotonic()))
    far = ", ".join(filter(None, (count, told)))
    return f"{verb} {name}" + (f": {far}" if far else "")


async def scope_of(library: DocumentLibrary, chat: ChatDocuments) -> Scope | None:
    """Return what a question in this chat searches; None if there is nothing to search."""
    owner, collection = chat.person.person_id, chat.collection
    documents = await library.documents(owner, collection)
    if any(document.is_searchable for document in documents):
        return Scope(owner, collection=collection)
    return None


async def show_list(library: DocumentLibrary, chat: ChatDocuments) -> None:
    """Open the side panel with the documents of this chat."""
    documents = await library.documents(chat.person.person_id, chat.collection)
    element = side_element("Documents", {"documents": [_row(document) for document in documents]})
    await cl.ElementSidebar.set_title("Documents in this chat")
    await cl.ElementSidebar.set_elements([element])


def _row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "name": document.file_name,
        "status": document.status,
        "pages": document.page_count,
        "passages": document.chunk_count,
        "size": document.size,
        "error": document.error_message,
    }


async def delete_from_list(
    library: DocumentLibrary, chat: ChatDocuments, payload: dict[str, Any]
) -> None:
    """Delete a document for the person; what the page sends is not trusted."""
    document_id = str(payload.get("id", ""))
    document = await library.get(document_id)
    is_here = document is not None and document.collection == chat.collection
    if document is None or not is_here or not may(chat.person, "change", document):
        await cl.context.emitter.send_toast("That document is not here any more.", "warning")
    else:
        await library.delete(document.id)
        await cl.context.emitter.send_toast(f"Deleted {document.file_name}.", "success")
    await show_list(library, chat)
