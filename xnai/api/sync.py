"""``/v1/sync``: keeps a library in step with a folder of another machine, for ``xnai sync``.

The other side looks at its folder and tells what has changed; what is known of the folder is kept
here, so that a program that was cut off anywhere goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xnai.api.auth import Authority
from xnai.api.bodies import SYNC_UPLOADS
from xnai.api.errors import require_accepting, require_search
from xnai.api.fields import bad_field, refuse
from xnai.api.protocol import ApiRuntime
from xnai.documents.folders.keeping import MOST_CHANGES
from xnai.documents.folders.plan import Change
from xnai.errors import TOO_MANY_REQUESTS, XnaiError
from xnai.net import holders
from xnai.resilience.shares import NoShareError, Shares
from xnai.retrieval.synced import SyncedFile, SyncSource

FILE_HEADER = "x-xnai-file"  # says in JSON which file the body of a request is
_UPLOADS = 64  # under way at once; one person may have half of them
_LARGEST = 2**63 - 1
_NO_STORE = {"Cache-Control": "no-store"}

Asked = TypeVar("Asked", bound=BaseModel)
_Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
_Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Source = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Number = Annotated[int, Field(ge=0, le=_LARGEST)]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _SyncBody(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class FileEntry(_SyncBody):
    """A file as the other side sees it; ``before`` is the path under which it was known."""

    path: _Path
    sha256: _Digest
    size: _Number
    mtime_ns: _Number
    inode: _Number
    before: Annotated[str, StringConstraints(max_length=4096)] = ""

    def change(self) -> Change:
        """Return the same in the words of this side.

        Raises:
            XnaiError: BAD_REQUEST, the path is none below a folder.

        """
        for path in filter(None, (self.path, self.before)):
            _require_below(path)
        file = SyncedFile(self.path, self.sha256, self.size, self.mtime_ns, self.inode)
        return Change(file, self.before)


class OpenBody(_SyncBody):
    """Which library is to be in step with what; it is made if that is wanted."""

    library: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    source: _Source
    make: bool = True


class ChangesBody(_SyncBody):
    """What has changed in a folder."""

    library_id: _Id
    source: _Source
    changes: Annotated[tuple[FileEntry, ...], Field(max_length=MOST_CHANGES, strict=False)]


class SentFile(FileEntry):
    """A file whose content is the body of the request."""

    library_id: _Id
    source: _Source


class GoneBody(_SyncBody):
    """What is in a folder no more."""

    library_id: _Id
    source: _Source
    paths: Annotated[tuple[_Path, ...], Field(max_length=MOST_CHANGES, strict=False)]


class SyncRoutes:
    """The endpoints."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority
        self._uploads = Shares(_UPLOADS)

    def routes(self) -> list[Route]:
        """Return paths and methods."""
        return [
            Route("/v1/sync", self.open, methods=["POST"]),
            Route("/v1/sync/changes", self.note, methods=["POST"]),
            Route(SYNC_UPLOADS, self.send, methods=["POST"]),
            Route("/v1/sync/gone", self.forget, methods=["POST"]),
        ]

    async def open(self, request: Request) -> Response:
        """Find or make the library, and tell what is known of the folder."""
        caller = self._authority.caller(request)
        require_search(self._runtime)
        body = await read_body(request, OpenBody)
        if body.make:
            require_accepting(self._runtime)
        synced = self._runtime.synced
        look = synced.find_or_make if body.make else synced.find
        library = await look(caller, body.library)
        if library is None:
            found: dict[str, object] = {"library_id": "", "files": []}
            return JSONResponse(found, headers=_NO_STORE)
        files = await synced.files(caller, SyncSource(library.id, body.source))
        rows = await asyncio.to_thread(lambda: [_row(file) for file in files])
        return JSONResponse({"library_id": library.id, "files": rows}, headers=_NO_STORE)

    async def note(self, request: Request) -> Response:
        """Note what has changed; say of which files the content is known."""
        caller = self._authority.caller(request)
        require_search(self._runtime)
        require_accepting(self._runtime)
        body = await read_body(request, ChangesBody)
        source = SyncSource(body.library_id, body.source)
        changes = [entry.change() for entry in body.changes]
        known = await self._runtime.synced.note(caller, source, changes)
        return JSONResponse({"known": known}, headers=_NO_STORE)

    async def send(self, request: Request) -> Response:
        """Take a file in, whose content is the body."""
        caller = self._authority.caller(request)
        address = request.client.host if request.client else ""
        require_search(self._runtime)
        require_accepting(self._runtime)
        entry = _sent(request.headers.get(FILE_HEADER, ""))
        source = SyncSource(entry.library_id, entry.source)
        file = entry.change().file
        try:
            with self._uploads.share(*holders(caller.person_id, address)):
                content = _content(request)
                sent = await self._runtime.synced.send(caller, source, file, content)
        except NoShareError as exc:
            raise XnaiError(TOO_MANY_REQUESTS, count=exc.held) from None
        return JSONResponse({"file": _row(sent)}, headers=_NO_STORE)

    async def forget(self, request: Request) -> Response:
        """Delete the documents of files that are gone."""
        caller = self._authority.caller(request)
        require_search(self._runtime)
        require_accepting(self._runtime)
        body = await read_body(request, GoneBody)
        source = SyncSource(body.library_id, body.source)
        deleted = await self._runtime.synced.forget(caller, source, body.paths)
        return JSONResponse({"deleted": deleted}, headers=_NO_STORE)


async def read_body(request: Request, kind: type[Asked]) -> Asked:
    """Parse and check the body of a request.

    Raises:
        XnaiError: BAD_REQUEST.

    """
    try:
        return kind.model_validate_json(await request.body() or b"{}")
    except ValidationError as exc:
        raise bad_field(exc) from None


async def _content(request: Request) -> AsyncIterator[bytes]:
    async for data in request.stream():
        yield data


def _sent(header: str) -> SentFile:
    if not header:
        raise refuse(f"The header {FILE_HEADER} is missing.", "Say in it which file is sent.")
    try:
        return SentFile.model_validate_json(header)
    except ValidationError as exc:
        raise bad_field(exc) from None


def _require_below(path: str) -> None:
    parts = path.split("/")
    if "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise refuse(f"The path {path[:100]!r} is not one below a folder.", "Send it as it is.")


def _row(file: SyncedFile) -> list[str | int]:
    identity = (file.path, file.sha256, file.size, file.mtime_ns, file.inode)
    return [*identity, file.document_id, file.refused]
