"""Attached files: the step that shows how they are read, and the list of documents."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import chainlit as cl
import structlog
from chainlit.element import Element

from xnai.documents.protocol import DocumentLibrary, IngestProgress
from xnai.errors import DOCUMENT_DELETED, NOT_FOUND, TOO_MANY_FILES, XnaiError
from xnai.reporting import current_request_id, report
from xnai.types import Document, Scope
from xnai.ui import render
from xnai.ui.elements import side_element
from xnai.ui.steps import progress_step

log = structlog.get_logger(__name__)

_STAGES = {
    "parsing": ("Reading", "pages"),
    "chunking": ("Splitting", "pages"),
    "embedding": ("Indexing", "passages"),
    "storing": ("Saving", "passages"),
}


def owner_of(thread_id: str) -> str:
    """Name the owner that a chat thread is to the library."""
    return f"thread:{thread_id}"


def show_attachments_as_files() -> None:
    """Have Chainlit show attached files by name: its previews load the file into the page."""
    Element.infer_type_from_mime = classmethod(lambda _cls, _mime: "file")


def attached_files(message: cl.Message) -> list[Element]:
    """Files that came with a message and were not read yet."""
    return [element for element in message.elements or [] if element.path]


async def read_files(
    library: DocumentLibrary, owner: str, files: list[Element], limit: int
) -> tuple[list[Document], list[XnaiError]]:
    """Ingest the files of one message, each in a step of its own that shows the progress."""
    read: list[Document] = []
    failed: list[XnaiError] = []
    paths = [Path(file.path) for file in files]
    try:
        # What came with earlier messages; files of one message never replace each other.
        former = await library.documents(owner)
        if len(files) > limit:
            kind, name = TOO_MANY_FILES, "XNAI_UPLOAD_MAX_FILES"
            raise XnaiError(kind, count=len(files), limit=limit, setting=name)
        for file, path in zip(files, paths, strict=True):
            try:
                document = await _read_file(library, owner, file.name, path, former)
                read.append(document)
                await _link(file, document)
            except XnaiError as exc:
                failed.append(exc)
            finally:
                await asyncio.to_thread(path.unlink, missing_ok=True)
    finally:
        # Also those that were refused, or that nobody came to when the reading was stopped.
        for file, path in zip(files, paths, strict=True):
            path.unlink(missing_ok=True)
            file.path = None
    return read, failed


async def _link(file: Element, document: Document) -> None:
    """Let the attachment on the page open the library's copy; there is no other any more."""
    file.path, file.chainlit_key = None, None
    file.url = f"/v1/files/{document.id}/content"
    file.persisted = False
    await file.send(for_id=file.for_id)


async def _read_file(
    library: DocumentLibrary, owner: str, name: str, path: Path, former: Sequence[Document]
) -> Document:
    async with progress_step(f"Opening {name}") as step:
        document = None
        try:
            document = await library.add(owner, name, path, former)
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
            words = f"{render.plain(exc.hint)}\n\n{render.told_as(exc, current_request_id())}"
            await step.fail(exc.message, words)
            raise exc from raised.__cause__
        notes = "\n".join(f"- {render.plain(note)}" for note in document.notes)
        title = f"Read {document.file_name}"
        if document.replaces:
            title += f", which replaces the earlier {document.file_name}"
        await step.finish(title, render.document_line(document), notes)
        return document


async def _discard(library: DocumentLibrary, document_id: str) -> None:
    """Delete a document whose reading was stopped, unless it was read by then.

    The list would show it as waiting, and the next start would read it after all.
    """
    document = await library.get(document_id)
    if document is not None and document.status != "processed":
        await library.delete(document_id)


def _words(name: str, event: IngestProgress) -> str:
    verb, unit = _STAGES[event.stage]
    if not event.total:
        return f"{verb} {name}" + (f": {event.done:,} {unit}" if event.done else "")
    return f"{verb} {name}: {event.done:,} of {event.total:,} {unit}"


async def scope_of(library: DocumentLibrary, owner: str) -> Scope | None:
    """What a question in this thread searches; None if there is nothing to search."""
    documents = await library.documents(owner)
    if any(document.status == "processed" for document in documents):
        return Scope(owner)
    return None


async def show_list(library: DocumentLibrary, owner: str) -> None:
    """Open the side panel with this chat's documents."""
    documents = await library.documents(owner)
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


async def delete_from_list(library: DocumentLibrary, owner: str, payload: dict[str, Any]) -> None:
    """Delete a document at the user's word; what the page sends is not trusted."""
    document_id = str(payload.get("id", ""))
    document = await library.get(document_id, owner)
    if document is None:
        await cl.context.emitter.send_toast("That document is not here any more.", "warning")
    else:
        await library.delete(document.id)
        await cl.context.emitter.send_toast(f"Deleted {document.file_name}.", "success")
    await show_list(library, owner)
