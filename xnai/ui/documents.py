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
from xnai.documents.progress import seconds_left
from xnai.documents.protocol import DocumentLibrary, IngestProgress
from xnai.errors import DOCUMENT_DELETED, NOT_FOUND, TOO_MANY_FILES, XnaiError
from xnai.locale import Texts, in_all_languages, marked
from xnai.observability.error_reports import current_request_id, report
from xnai.types import Document, Scope
from xnai.ui import markdown
from xnai.ui.auth import principal_of
from xnai.ui.elements import side_element
from xnai.ui.reading_language import texts_of
from xnai.ui.steps import progress_step

log = structlog.get_logger(__name__)

SAMPLE = Path(__file__).with_name("sample-lighthouse.txt")
SAMPLE_QUESTION = marked("When was the lamp of the lighthouse replaced, and by what?")

# What is said at each stage: before anything is counted, then how far it is.
_STAGES = {
    "parsing": (marked("Reading {file}"), marked("Reading {file}: {done} of {total} pages")),
    "chunking": (marked("Splitting {file}"), ""),
    "embedding": (marked("Indexing {file}"), marked("Indexing {file}: {done} of {total} passages")),
    "storing": (marked("Saving {file}"), marked("Saving {file}: {done} of {total} passages")),
}
_MINUTE = 60  # seconds
_IN_SECONDS = 90  # below that, seconds read better than minutes


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
    if question in in_all_languages(SAMPLE_QUESTION) and await scope_of(library, chat) is None:
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
                    await step.show(_words(document.file_name, event, texts))
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


async def _discard(library: DocumentLibrary, document_id: str) -> None:
    """Delete a document whose reading was stopped, unless it was finished by then.

    Otherwise the list would show it as waiting, and the next start would read it after all.
    """
    document = await library.get(document_id)
    if document is not None and document.status != "processed":
        await library.delete(document_id)


def _words(name: str, event: IngestProgress, texts: Texts) -> str:
    begins, goes_on = _STAGES[event.stage]
    if goes_on and event.total:
        said = texts.say(goes_on, file=name, done=f"{event.done:,}", total=f"{event.total:,}")
    else:
        said = texts.say(begins, file=name)
        said += f": {event.done:,}" if event.done else ""
    return ", ".join(filter(None, (said, _rest(event, texts))))


def _rest(event: IngestProgress, texts: Texts) -> str:
    """How far it is, and how long the rest will take, if that can be told."""
    left = seconds_left(event, time.monotonic())
    percent = f"{event.share:.0%}" if event.share else ""
    if not percent or left is None:
        return percent
    if left < _IN_SECONDS:
        return texts.say("{percent}, about {number} s left", percent=percent, number=left)
    minutes = round(left / _MINUTE)
    return texts.say("{percent}, about {number} min left", percent=percent, number=minutes)


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
    texts = texts_of(cl.context.session)
    rows = [_row(document, texts) for document in documents]
    said = {name: texts.say(text) for name, text in _LIST.items()}
    element = side_element("Documents", {"documents": rows, "texts": said})
    await cl.ElementSidebar.set_title(texts.say("Documents in this chat"))
    await cl.ElementSidebar.set_elements([element])


# What public/elements/Documents.jsx says.
_LIST = {
    "none": marked(
        "No documents in this chat yet. Attach one with the paper clip, or drop it into the window."
    ),
    "delete": marked("Delete"),
    "keep": marked("Keep"),
}


def _row(document: Document, texts: Texts) -> dict[str, Any]:
    return {
        "id": document.id,
        "name": document.file_name,
        "state": _state(document, texts),
        "remove": texts.say("Delete {file}", file=document.file_name),
    }


def _state(document: Document, texts: Texts) -> str:
    match document.status:
        case "missing":
            return document.error_message or texts.say("its file is missing")
        case "error":
            return document.error_message or texts.say("could not be read")
        case "processed":
            pages = texts.say_number("{number} page", "{number} pages", document.page_count)
            passages = texts.say_number(
                "{number} passage", "{number} passages", document.chunk_count
            )
            counted = (pages, passages) if document.page_count > 1 else (passages,)
            return ", ".join((*counted, _size(document.size)))
        case _:
            return texts.say("being read…")


def _size(count: int) -> str:
    return f"{max(1, round(count / 1e3))} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"  # noqa: PLR2004 - a megabyte


async def delete_from_list(
    library: DocumentLibrary, chat: ChatDocuments, payload: dict[str, Any]
) -> None:
    """Delete a document for the person; what the page sends is not trusted."""
    texts = texts_of(cl.context.session)
    document_id = str(payload.get("id", ""))
    document = await library.get(document_id)
    is_here = document is not None and document.collection == chat.collection
    if document is None or not is_here or not may(chat.person, "change", document):
        gone = texts.say("That document is not here any more.")
        await cl.context.emitter.send_toast(gone, "warning")
    else:
        await library.delete(document.id)
        deleted = texts.say("Deleted {file}.", file=document.file_name)
        await cl.context.emitter.send_toast(deleted, "success")
    await show_list(library, chat)
