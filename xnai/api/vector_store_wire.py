"""OpenAI's vector stores on the wire: bodies that are read, and objects that are written."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request

from xnai.api.bodies import parse_number
from xnai.api.fields import bad_field, read_fields, refuse
from xnai.documents.library_names import name_of
from xnai.retrieval.libraries import NamedLibrary, Standing
from xnai.types import Document, Passage

_DAYS_MAX = 365
_NOTES_MAX = 16  # pairs of metadata, and attributes of a file
_FILES_MAX = 1000  # with which a store is made
_SHOWN_MAX = 100  # things in one answer
_STATES = frozenset({"in_progress", "completed", "failed", "cancelled"})
_QUERY_MAX = 10_000  # characters

_Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Text = Annotated[str, StringConstraints(max_length=512)]
Attributes = Annotated[dict[_Key, bool | float | _Text], Field(max_length=_NOTES_MAX)]
_Metadata = Annotated[dict[_Key, _Text], Field(max_length=_NOTES_MAX)]
FileId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class StoreRequest(BaseModel):
    """A body that is read; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Expiry(StoreRequest):
    """When a store is no longer searched: so many days after its last use."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=_DAYS_MAX)]


class StoreBody(StoreRequest):
    """The body that makes or changes a store; unknown fields are ignored."""

    name: str | None = None
    metadata: _Metadata | None = None
    expires_after: Expiry | None = None
    file_ids: Annotated[
        tuple[FileId, ...], Field(max_length=_FILES_MAX, fail_fast=True, strict=False)
    ] = ()


class FileBody(StoreRequest):
    """The body that puts a file into a store."""

    file_id: FileId
    attributes: Attributes | None = None


class AttributesBody(StoreRequest):
    """The body that changes what is noted of a file in a store."""

    attributes: Attributes | None = None


class RankingOptions(StoreRequest):
    """What a result must be worth."""

    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.0


class SearchBody(StoreRequest):
    """The body of a search in a store."""

    query: str | Annotated[tuple[str, ...], Field(min_length=1, max_length=16, strict=False)]
    filters: dict[str, Any] | None = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    ranking_options: RankingOptions = RankingOptions()

    @property
    def queries(self) -> list[str]:
        """What is looked for, as a list."""
        return [self.query] if isinstance(self.query, str) else list(self.query)


Read = TypeVar("Read", bound=StoreRequest)


async def read_body(request: Request, kind: type[Read]) -> Read:
    """Parse and check the body of a request.

    Raises:
        XnaiError: BAD_REQUEST naming the field and what it may be.

    """
    fields = read_fields(await request.body() or b"{}", "Send an object.")
    try:
        read = kind.model_validate(fields)
    except ValidationError as exc:
        raise bad_field(exc) from None
    if isinstance(read, SearchBody) and sum(map(len, read.queries)) > _QUERY_MAX:
        raise refuse(f"'query' has more than {_QUERY_MAX:,} characters.", "Ask for less at once.")
    return read


class _Listed(Protocol):
    @property
    def id(self) -> str:
        """What it is named by."""
        ...


Thing = TypeVar("Thing", bound=_Listed)


def page_of(things: Sequence[Thing], request: Request) -> tuple[list[Thing], dict[str, object]]:
    """Return part of a list that is oldest first, and the object around it.

    ``limit``, ``order``, ``after`` and ``before`` say which part.

    Raises:
        XnaiError: BAD_REQUEST.

    """
    query = request.query_params
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise refuse(f"order={order[:20]!r} is not valid.", "Send 'asc' or 'desc'.")
    limit = parse_number(query.get("limit", "20"))
    if limit is None or not 1 <= limit <= _SHOWN_MAX:
        raise refuse(f"limit={query['limit'][:20]!r} is not valid.", f"Send 1 to {_SHOWN_MAX}.")
    ordered = list(things) if order == "asc" else list(things)[::-1]
    ids = [thing.id for thing in ordered]
    start, end = 0, len(ids)
    if (after := query.get("after", "")) in ids:
        start = ids.index(after) + 1
    if (before := query.get("before", "")) in ids:
        end = ids.index(before)
        start = max(start, end - limit)
    shown = ordered[start : min(end, start + limit)]
    around: dict[str, object] = {
        "object": "list",
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
        "has_more": start + len(shown) < end,
    }
    return shown, around


def wanted_state(request: Request) -> str:
    """Return the state by which files are listed; empty for all.

    Raises:
        XnaiError: BAD_REQUEST.

    """
    wanted = request.query_params.get("filter", "")
    if wanted and wanted not in _STATES:
        raise refuse(f"filter={wanted[:20]!r} is not valid.", f"Send {sorted(_STATES)}.")
    return wanted


def store_object(library: NamedLibrary) -> dict[str, object]:
    """Return a library as OpenAI's vector store."""
    counts = dict.fromkeys(("in_progress", "completed", "cancelled", "failed"), 0)
    for status, count in library.states.items():
        counts[_state(status)] += count
    status = "in_progress" if counts["in_progress"] else "completed"
    ends = library.expires_at
    if ends is not None and ends <= time.time():
        status = "expired"
    days = library.expires_days
    return {
        "id": library.id,
        "object": "vector_store",
        "created_at": int(library.created_at),
        "name": name_of(library),
        "usage_bytes": library.size,
        "file_counts": {**counts, "total": library.count},
        "status": status,
        "expires_after": days and {"anchor": "last_active_at", "days": days},
        "expires_at": ends and int(ends),
        "last_active_at": int(library.used_at),
        "metadata": dict(library.metadata),
    }


def store_file_object(library_id: str, document: Document, standing: Standing) -> dict[str, object]:
    """Return a document of a library as OpenAI's file of a vector store."""
    error = None
    if state_of(document) == "failed":
        unsupported = document.error_code == "file_type_unsupported"
        code = "unsupported_file" if unsupported else "invalid_file"
        error = {"code": code, "message": document.error_message}
    return {
        "id": document.id,
        "object": "vector_store.file",
        "usage_bytes": document.size,
        "created_at": int(standing.added_at),
        "vector_store_id": library_id,
        "status": state_of(document),
        "last_error": error,
        "chunking_strategy": {"type": "other"},
        "attributes": dict(standing.attributes),
    }


def result_object(passage: Passage, attributes: dict[str, Any]) -> dict[str, object]:
    """Return a passage as a result of OpenAI's search; the place is ours beside it."""
    return {
        "file_id": passage.document_id,
        "filename": passage.file_name,
        "score": max(0.0, min(1.0, passage.score)),
        "attributes": attributes,
        "content": [{"type": "text", "text": passage.text}],
        "page": passage.page,
        "start": passage.start,
        "end": passage.end,
    }


def state_of(document: Document) -> str:
    """Return how far a document is, in OpenAI's words."""
    return "completed" if document.is_searchable else _state(document.status)


def _state(status: str) -> str:
    if status == "processed":
        return "completed"
    return "failed" if status in {"error", "missing"} else "in_progress"
