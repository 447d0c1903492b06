"""``/v1/files``: documents that programs bring, in the form of OpenAI's files API."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xnai.accounts import Action
from xnai.api.auth import Authority
from xnai.api.bodies import MEGABYTE, UPLOAD_OVERHEAD, declared_length, parse_number
from xnai.api.errors import require_accepting, require_search
from xnai.api.fields import refuse
from xnai.api.multipart import FileUpload
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed
from xnai.documents.progress import seconds_left, verb_and_count
from xnai.documents.protocol import IngestProgress
from xnai.errors import FILE_TOO_LARGE, NOT_FOUND, TOO_MANY_REQUESTS, XnaiError
from xnai.net import holders
from xnai.resilience.shares import NoShareError, Shares
from xnai.types import Document

log = structlog.get_logger(__name__)

UPLOADS = 512  # under way at once; one person may have half of them
_PURPOSES = frozenset({"assistants", "user_data"})
_REPLACE = "replace"  # the form field that lets a file replace those of the same name
_LIST_MAX = 10_000
_NO_STORE = {"Cache-Control": "no-store"}


def file_object(document: Document, progress: IngestProgress | None = None) -> dict[str, object]:
    """Return a document as OpenAI's file object: how far it is, and the outcome of reading it."""
    error = None
    if document.status in {"error", "missing"}:
        error = {
            "code": document.error_code,
            "message": document.error_message,
            "hint": document.error_hint,
        }
    details, share, left, pages = document.error_message or None, 0.0, None, document.page_count
    if document.is_searchable:
        share, left = 1.0, 0
    elif document.status == "processing" and progress is not None:
        details = ": ".join(filter(None, verb_and_count(progress)))
        share, left = progress.share, seconds_left(progress, time.monotonic())
        pages = progress.page_count
    return {
        "id": document.id,
        "object": "file",
        "bytes": document.size,
        "created_at": int(document.created_at),
        "filename": document.file_name,
        "purpose": "assistants",
        "status": document.status,
        "status_details": details,
        "progress": round(share, 3),
        "eta_seconds": left,
        "error": error,
        "media_type": document.media_type,
        "page_count": pages,
        "chunk_count": document.chunk_count,
        "notes": list(document.notes),
        "report": document.report._asdict(),
    }


class FileRoutes:
    """The endpoints."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority
        self._uploads = Shares(UPLOADS)

    def routes(self) -> list[Route]:
        """Return paths and methods."""
        return [
            Route("/v1/files", self.collection, methods=["GET", "POST"]),
            Route("/v1/files/{id}", self.item, methods=["GET", "DELETE"]),
        ]

    async def collection(self, request: Request) -> Response:
        """List the caller's documents, or take a new one."""
        caller = self._authority.caller(request)
        require_search(self._runtime)
        if request.method == "POST":
            return await self._share_of_uploads(request, caller.person_id)
        documents = await self._runtime.library.documents(caller.person_id)
        listed = _page(documents, request, self._runtime.library.progress)
        return JSONResponse(listed, headers=_NO_STORE)

    async def item(self, request: Request) -> Response:
        """Show or delete one document of the caller."""
        caller = self._authority.caller(request)
        action: Action = "change" if request.method == "DELETE" else "see"
        document = await allowed(self._runtime, caller, action, request.path_params["id"])
        if request.method != "DELETE":
            progress = self._runtime.library.progress(document.id)
            return JSONResponse(file_object(document, progress), headers=_NO_STORE)
        if not await self._runtime.library.delete(document.id):
            raise XnaiError(NOT_FOUND, what="document", name=document.id)
        log.info("document deleted", document=document.id)
        deleted = {"id": document.id, "object": "file", "deleted": True}
        return JSONResponse(deleted, headers=_NO_STORE)

    async def _share_of_uploads(self, request: Request, owner: str) -> Response:
        address = request.client.host if request.client else ""
        try:
            with self._uploads.share(*holders(owner, address)):
                return await self._upload(request, owner)
        except NoShareError as exc:
            raise XnaiError(TOO_MANY_REQUESTS, count=exc.held) from None

    async def _upload(self, request: Request, owner: str) -> Response:
        require_accepting(self._runtime)
        limit_mb = self._runtime.settings.upload_max_mb
        upload = FileUpload(request.headers.get("content-type", ""), request.stream())
        await upload.open()
        purpose = upload.fields.get("purpose", "assistants")
        if purpose not in _PURPOSES:
            raise refuse(f"The purpose {purpose!r} is not supported.", "Send 'assistants'.")
        if declared_length(request.headers) > limit_mb * MEGABYTE + UPLOAD_OVERHEAD:
            raise XnaiError(FILE_TOO_LARGE, name=repr(upload.file_name[:255]), limit_mb=limit_mb)
        library = self._runtime.library
        replacing = _is_to_replace(upload)
        former = await library.documents(owner) if replacing else ()
        source = _unchanged(upload, upload.fields.get(_REPLACE))
        # Replacing means: the file exists under this name, with this content.
        document = await library.add(owner, upload.file_name, source, former, own_name=replacing)
        library.ingest_in_background(document.id)
        log.info("document added", document=document.id, size=document.size)
        return JSONResponse(file_object(document), headers=_NO_STORE)


def _is_to_replace(upload: FileUpload) -> bool:
    """Return the value of the field ``replace``, which has to come before the file."""
    given = upload.fields.get(_REPLACE, "false")
    if given not in {"true", "false"}:
        raise refuse(f"replace={given[:20]!r} is not valid.", "Send 'true' or 'false'.")
    return given == "true"


async def _unchanged(upload: FileUpload, given: str | None) -> AsyncGenerator[bytes, None]:
    """Yield the file's bytes; refuse a field ``replace`` after them, which would come too late."""
    async for data in upload.chunks():
        yield data
    if upload.fields.get(_REPLACE) != given:
        raise refuse("The field 'replace' comes after the file.", "Send it before the file.")


def _page(
    documents: Sequence[Document],
    request: Request,
    progress: Callable[[str], IngestProgress | None],
) -> dict[str, object]:
    """Return part of the list, oldest first: ``limit`` documents after the id ``after``."""
    query = request.query_params
    limit = parse_number(query.get("limit", str(_LIST_MAX)))
    if limit is None or not 1 <= limit <= _LIST_MAX:
        given = query["limit"][:20]
        raise refuse(f"limit={given!r} is not valid.", f"Send 1 to {_LIST_MAX}.")
    ids = [document.id for document in documents]
    after = query.get("after", "")
    start = ids.index(after) + 1 if after in ids else 0
    shown = documents[start : start + limit]
    return {
        "object": "list",
        "data": [file_object(document, progress(document.id)) for document in shown],
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
        "has_more": start + len(shown) < len(ids),
    }
