"""Which documents a request may be answered from."""

from typing import Literal

from xnai.api.chat_wire import Retrieval
from xnai.api.errors import require_search
from xnai.api.protocol import ApiRuntime
from xnai.errors import DOCUMENT_BUSY, DOCUMENT_FAILED, NOT_FOUND, XnaiError
from xnai.types import Document, Scope

_BUSY_SECONDS = 2.0


async def scope_of(
    runtime: ApiRuntime, owner: str, retrieval: Retrieval | Literal[False] | None
) -> Scope | None:
    """The documents named, or all the caller has; None asks for a plain chat.

    Raises:
        XnaiError: SEARCH_DOWN; NOT_FOUND, DOCUMENT_BUSY or DOCUMENT_FAILED for a document named.

    """
    if retrieval is False:
        return None
    require_search(runtime)
    if retrieval is not None and retrieval.document_ids is not None:
        ids = tuple(dict.fromkeys(retrieval.document_ids))
        for document_id in ids:
            require_processed(await owned(runtime, owner, document_id))
        return Scope(owner, ids)
    documents = await runtime.library.documents(owner)
    return Scope(owner) if any(d.status == "processed" for d in documents) else None


async def owned(runtime: ApiRuntime, owner: str, document_id: str) -> Document:
    """A document of the caller.

    Raises:
        XnaiError: SEARCH_DOWN; NOT_FOUND, also for somebody else's.

    """
    require_search(runtime)
    document = await runtime.library.get(document_id, owner)
    if document is None:
        raise XnaiError(NOT_FOUND, what="document", name=document_id[:100])
    return document


def require_processed(document: Document) -> None:
    """Refuse a document without text.

    Raises:
        XnaiError: DOCUMENT_BUSY, DOCUMENT_FAILED.

    """
    if document.status == "error":
        raise XnaiError(DOCUMENT_FAILED, name=document.file_name, reason=document.error_message)
    if document.status != "processed":
        raise XnaiError(DOCUMENT_BUSY, retry_after=_BUSY_SECONDS, name=document.file_name)
