"""The documents that a request may be answered from."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from xnai.accounts import Action, Principal, may
from xnai.api.chat_request import Retrieval
from xnai.api.errors import require_search
from xnai.api.protocol import ApiRuntime
from xnai.api.vector_store_filters import Matches, matcher
from xnai.errors import (
    DOCUMENT_BUSY,
    DOCUMENT_FAILED,
    DOCUMENT_MISSING,
    NOT_FOUND,
    XnaiError,
)
from xnai.types import Document, Scope

_BUSY_SECONDS = 2.0


async def scope_of(
    runtime: ApiRuntime, caller: Principal, retrieval: Retrieval | Literal[False] | None
) -> Scope | None:
    """Return the documents and libraries named, or all files of the caller; None: a plain chat.

    Raises:
        XnaiError: SEARCH_DOWN; NOT_FOUND, DOCUMENT_BUSY or DOCUMENT_FAILED for a document named,
            NOT_FOUND or LIBRARY_EXPIRED for a library.

    """
    if retrieval is False:
        return None
    require_search(runtime)
    if retrieval is not None and (retrieval.document_ids or retrieval.vector_store_ids):
        ids = tuple(dict.fromkeys(retrieval.document_ids or ()))
        for document_id in ids:
            require_processed(await allowed(runtime, caller, "see", document_id))
        libraries = await runtime.libraries.asked(caller, retrieval.vector_store_ids or ())
        return Scope(caller.person_id, ids or None, libraries=libraries)
    documents = await runtime.library.documents(caller.person_id)
    if not any(document.is_searchable for document in documents):
        return None
    return Scope(caller.person_id, collection="")


async def within_stores(
    runtime: ApiRuntime,
    caller: Principal,
    store_ids: Sequence[str],
    filters: Mapping[str, Any] | None,
) -> Scope:
    """Return what stands in libraries, of that what has the attributes that filters ask for.

    Raises:
        XnaiError: NOT_FOUND, LIBRARY_EXPIRED; BAD_REQUEST for the filters.

    """
    matches = None if filters is None else matcher(filters)
    libraries = await runtime.libraries.asked(caller, store_ids)
    if matches is None:
        return Scope(caller.person_id, libraries=libraries)
    chosen: dict[str, None] = {}
    for library_id in libraries:
        noted = await runtime.libraries.noted(caller, library_id)
        # Of many documents that takes a while.
        chosen |= await asyncio.to_thread(_matching, noted, matches)
    return Scope(caller.person_id, tuple(chosen))


def _matching(noted: Mapping[str, Mapping[str, Any]], matches: Matches) -> dict[str, None]:
    return dict.fromkeys(one for one, attributes in noted.items() if matches(attributes))


async def allowed(
    runtime: ApiRuntime, caller: Principal, action: Action, document_id: str
) -> Document:
    """Return a document that somebody may see or change.

    Raises:
        XnaiError: SEARCH_DOWN; NOT_FOUND, also for somebody else's.

    """
    require_search(runtime)
    document = await runtime.library.get(document_id)
    # A library shows its documents to its members, who may not change them.
    if document is None or not (
        may(caller, action, document)
        or (action == "see" and await runtime.libraries.shows(caller, document.id))
    ):
        raise XnaiError(NOT_FOUND, what="document", name=document_id[:100])
    return document


def require_processed(document: Document) -> None:
    """Refuse a document without text.

    Raises:
        XnaiError: DOCUMENT_BUSY, DOCUMENT_FAILED, DOCUMENT_MISSING.

    """
    if document.status == "error":
        reason = document.error_message or "nobody knows why"
        if repr(document.file_name) not in reason:
            reason = f"{document.file_name!r}: {reason}"
        raise XnaiError(DOCUMENT_FAILED, reason=reason)
    if document.status == "missing" and not document.is_searchable:
        raise missing(document)
    if not document.is_searchable:
        raise XnaiError(DOCUMENT_BUSY, retry_after=_BUSY_SECONDS, name=document.file_name)


def missing(document: Document) -> XnaiError:
    """Return the error of a document whose original file is missing."""
    reason = document.error_message.partition("is missing: ")[2].rstrip(".") or "it is not there"
    return XnaiError(DOCUMENT_MISSING, name=document.file_name, reason=reason)
