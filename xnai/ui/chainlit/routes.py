"""The guard of Chainlit's HTTP routes: unused ones are closed, the others are checked.

The routes here stand before Chainlit's of the same path.
"""

import asyncio
import json
import shutil
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import chainlit.server as chainlit_server
import structlog
from chainlit.auth import get_current_user
from chainlit.config import config, public_dir
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession
from chainlit.types import CallActionRequest, DeleteFeedbackRequest, UpdateFeedbackRequest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.datastructures import UploadFile
from starlette.middleware.cors import CORSMiddleware

from xnai.accounts.attempts import Attempts
from xnai.documents.storage import disk_errors
from xnai.errors import (
    CHAT_CLOSED,
    FILE_EMPTY,
    FILE_TOO_LARGE,
    NOT_FOUND,
    TOO_MANY_REQUESTS,
    UPLOADS_WAITING,
    XnaiError,
)
from xnai.net import holders
from xnai.resilience.shares import NoShareError, Shares
from xnai.settings import Settings
from xnai.ui.chainlit import static
from xnai.ui.chainlit.errors import PageError, refuse
from xnai.ui.chainlit.errors import install as install_errors
from xnai.ui.chainlit.socket_payloads import is_canonical_uuid
from xnai.ui.cookies import CookieOfThisPort, SessionCookie
from xnai.ui.sign_in import SignIn
from xnai.ui.visits import Visits

log = structlog.get_logger(__name__)

MEGABYTE = 1024 * 1024
UPLOADS = 512  # under way at once; one person may have half of them
MAX_NAME = 255  # characters of a file name
MAX_ACTION = 20_000  # characters of an action's payload as JSON
ACTION_KEYS = frozenset({"id", "name", "payload", "label", "tooltip", "icon", "forId"})
ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

# Types that a browser may show in place; all others are downloads.
SHOWN = frozenset({"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"})

# User-set MCP servers, other people's clients and shared threads are not part of XNAi; the
# element routes would let a browser write into any thread.
SHUT = (
    "/docs",
    "/docs/oauth2-redirect",
    "/redoc",
    "/openapi.json",
    "/auth/jwt",
    "/auth/oauth/{rest:path}",
    "/copilot/{rest:path}",
    "/mcp",
    "/project/element",
    "/project/share/{rest:path}",
    "/project/thread/share",
    "/slack/events",
    "/teams/events",
)

User = Annotated[Any, Depends(get_current_user)]
UploadListener = Callable[[Any, str, Path], None]


def install(
    app: FastAPI,
    settings: Settings,
    attempts: Attempts | None = None,
    on_upload: UploadListener = lambda _session, _name, _path: None,
) -> None:
    """Put the checked routes before Chainlit's; call it once, before the server starts.

    ``attempts`` counts wrong keys, those sent to the API included; ``on_upload`` is told of every
    file that has come, by its session, name and path. Pages of other origins may read
    nothing, whatever Chainlit's config file says.
    """
    for middleware in app.user_middleware:
        factory: Any = middleware.cls
        if factory is CORSMiddleware:
            middleware.kwargs["allow_origins"] = list[str]()
    install_errors(app)
    known = len(app.router.routes)
    sign_in = SignIn(settings, attempts or Attempts())
    app.add_middleware(CookieOfThisPort, cookie=SessionCookie(settings.trusted_proxies))
    app.include_router(_router(settings, sign_in, on_upload), prefix=config.run.root_path or "")
    added = app.router.routes[known:]
    del app.router.routes[known:]
    app.router.routes[:0] = added


def _router(settings: Settings, sign_in: SignIn, on_upload: UploadListener) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    for path in SHUT:
        router.add_api_route(path, _shut, methods=ANY_METHOD, response_model=None)
    uploads = _Uploads(settings, on_upload)
    router.add_api_route("/project/file", uploads.receive, methods=["POST"])
    router.add_api_route("/project/file/{file_id}", _get_file, methods=["GET"])
    router.add_api_route("/avatars/{name:path}", _get_avatar, methods=["GET"])
    router.add_api_route("/project/action", _call_action, methods=["POST"])
    router.add_api_route("/set-session-cookie", sign_in.stick, methods=["POST"])
    router.add_api_route("/feedback", _put_feedback, methods=["PUT"])
    router.add_api_route("/feedback", _delete_feedback, methods=["DELETE"])
    static.add_routes(router)
    visits = Visits(sign_in)
    for path in ("/", "/thread", "/thread/{thread_id}"):
        router.add_api_route(path, visits.page, methods=["GET"], response_model=None)
    router.add_api_route("/login", visits.form, methods=["GET"], response_model=None)
    router.add_api_route("/login", visits.enter, methods=["POST"], response_model=None)
    router.add_api_route("/auth/header", sign_in.without_key, methods=["POST"])
    router.add_api_route("/logout", sign_in.out, methods=["POST"])
    return router


async def _shut(request: Request) -> NoReturn:
    raise PageError(XnaiError(NOT_FOUND, what="address", name=request.url.path))


def _own_session(session_id: str, user: Any) -> Any:
    session = WebsocketSession.get_by_id(session_id) if is_canonical_uuid(session_id) else None
    owner = session.user.identifier if session and session.user else None
    if session is None or owner != (user.identifier if user else None):
        raise PageError(XnaiError(CHAT_CLOSED))
    return session


class _Uploads:
    """Receives files into a session's folder, piece by piece."""

    def __init__(self, settings: Settings, on_upload: UploadListener) -> None:
        self._on_upload = on_upload
        self._largest = settings.upload_max_mb * MEGABYTE
        self._all = self._largest * settings.upload_max_files
        self._limit_mb = settings.upload_max_mb
        self._shares = Shares(UPLOADS)

    async def receive(self, request: Request, session_id: str, user: User) -> JSONResponse:
        session = _own_session(session_id, user)
        address = request.client.host if request.client else ""
        try:
            with self._shares.share(*holders(user.identifier if user else "", address)):
                return await self._receive(request, session)
        except NoShareError as exc:
            raise PageError(XnaiError(TOO_MANY_REQUESTS, count=exc.held)) from None

    async def _receive(self, request: Request, session: Any) -> JSONResponse:
        self._check_room(session, int(request.headers.get("content-length") or 0))
        try:
            with disk_errors(session.files_dir.parent):
                file_id = await self._take(request, session)
        except XnaiError as exc:
            raise PageError(exc) from exc
        kept = session.files[file_id]
        self._on_upload(session, kept["name"], kept["path"])
        return JSONResponse({"id": file_id})

    async def _take(self, request: Request, session: Any) -> str:
        async with request.form(max_files=1, max_fields=4) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                raise XnaiError(FILE_EMPTY, name="The upload")
            self._check_room(session, file.size or 0)
            return await _keep(session, file)

    def _check_room(self, session: Any, size: int) -> None:
        if size > self._largest + MEGABYTE:  # the form around the file included
            raise PageError(XnaiError(FILE_TOO_LARGE, name="The upload", limit_mb=self._limit_mb))
        kept = sum(
            entry["size"] for entry in session.files.values() if Path(entry["path"]).exists()
        )
        if kept + size > self._all + MEGABYTE:
            raise PageError(XnaiError(UPLOADS_WAITING))


async def _keep(session: Any, file: UploadFile) -> str:
    file_id = str(uuid.uuid4())
    path: Path = session.files_dir / file_id
    try:
        size = await asyncio.to_thread(_copy, file.file, path)
    except OSError:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise
    if WebsocketSession.get_by_id(session.id) is not session:
        await asyncio.to_thread(shutil.rmtree, session.files_dir, ignore_errors=True)
        raise PageError(XnaiError(CHAT_CLOSED))
    session.files[file_id] = {
        "id": file_id,
        "path": path,
        "name": display_name(file.filename or ""),
        "type": file.content_type or "application/octet-stream",
        "size": size,
    }
    return file_id


def _copy(source: BinaryIO, path: Path) -> int:
    path.parent.mkdir(exist_ok=True)
    source.seek(0)
    with path.open("wb") as target:
        shutil.copyfileobj(source, target, MEGABYTE)
        return target.tell()


def display_name(name: str) -> str:
    """Return a file's name for display: no folders, nothing invisible, 255 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c for c in last if not unicodedata.category(c).startswith("C")).strip()
    if len(shown) > MAX_NAME:
        stem, dot, suffix = shown.rpartition(".")
        end = dot + suffix[:20] if stem else ""
        shown = shown[: MAX_NAME - len(end)] + end
    return shown or "file"


async def _get_avatar() -> FileResponse:
    """Serve the one picture of all steps; Chainlit refuses names that say how far a step is."""
    return FileResponse(Path(public_dir) / "favicon.svg")


async def _get_file(file_id: str, session_id: str, user: User) -> FileResponse:
    entry = _own_session(session_id, user).files.get(file_id)
    if entry is None or not await asyncio.to_thread(Path(entry["path"]).is_file):
        raise PageError(XnaiError(NOT_FOUND, what="file", name=file_id[:100]))
    shown = entry["type"] in SHOWN
    return FileResponse(
        entry["path"],
        media_type=entry["type"] if shown else "application/octet-stream",
        filename=entry["name"],
        content_disposition_type="inline" if shown else "attachment",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"},
    )


async def _call_action(payload: CallActionRequest, user: User) -> Any:
    _own_session(payload.sessionId, user)
    action = payload.action
    name, values = action.get("name"), action.get("payload")
    if not isinstance(name, str) or name not in config.code.action_callbacks:
        raise PageError(XnaiError(NOT_FOUND, what="action", name=str(name)[:100]))
    if not isinstance(values, dict) or len(json.dumps(values)) > MAX_ACTION:
        raise refuse("The payload of the action is not a small object.")
    payload.action = {
        key: value
        for key, value in action.items()
        if key in ACTION_KEYS and (key == "payload" or isinstance(value, str))
    }
    return await chainlit_server.call_action(payload, user)


async def _put_feedback(update: UpdateFeedbackRequest, _user: User) -> JSONResponse:
    try:
        feedback_id = await get_data_layer().upsert_feedback(update.feedback)
    except XnaiError as exc:
        raise PageError(exc) from exc
    return JSONResponse({"success": True, "feedbackId": feedback_id})


async def _delete_feedback(payload: DeleteFeedbackRequest, _user: User) -> JSONResponse:
    try:
        deleted = await get_data_layer().delete_feedback(payload.feedbackId)
    except XnaiError as exc:
        raise PageError(exc) from exc
    return JSONResponse({"success": deleted})
