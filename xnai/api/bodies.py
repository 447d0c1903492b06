"""Limits on the size of requests, and how a client that exceeds one is told."""

import asyncio
import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xnai.answering.limits import body_limit
from xnai.errors import BODY_TOO_LARGE, FILE_TOO_LARGE, XnaiError
from xnai.settings import Settings

MEGABYTE = 1024 * 1024
UPLOAD_OVERHEAD = MEGABYTE  # boundaries, part headers and small fields around a file
_OTHER_LIMIT = MEGABYTE // 4  # the page's own requests are small
_SYNC_LIMIT = 2 * MEGABYTE  # a hundred paths, each as long as a path can be
_SOCKET_LIMIT = 4 * MEGABYTE  # of the page's socket, where it goes by HTTP: a frame of any text
_API_FILES = "/v1/files"
_SYNC = "/v1/sync/"
_API_CHAT = frozenset({"/v1/chat/completions", "/v1/responses"})
_API_EMBEDDINGS = "/v1/embeddings"
_EMBEDDINGS_LIMIT = 4 * MEGABYTE
_SOCKET = "/ws/socket.io"
SYNC_UPLOADS = "/v1/sync/files"
LIBRARIES, ADDED = "/libraries", "/files"  # a file is added to a library between the two
_UPLOAD_PATHS = frozenset({_API_FILES, SYNC_UPLOADS, "/project/file"})
_LINGER_SECONDS = 10.0
_LINGER_IDLE_SECONDS = 2.0


def declared_length(headers: Headers) -> int:
    """Return ``Content-Length`` in bytes, 0 if there is none."""
    value = headers.get("content-length", "")
    return parse_number(value) or 0


def parse_number(text: str) -> int | None:
    """Parse a number of at most 18 decimal digits (``int`` raises on thousands of them)."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


class BodyLimit:
    """Counts the bytes of every request while they arrive, and stops at the limit."""

    def __init__(self, app: ASGIApp, settings: Settings, context_tokens: Callable[[], int]) -> None:
        self._app = app
        self._upload_mb = settings.upload_max_mb
        self._context_tokens = context_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with a counted ``receive``.

        Raises:
            XnaiError: FILE_TOO_LARGE or BODY_TOO_LARGE, whatever the application made of it.

        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, error = self._limit(scope["path"])
        # The files API knows the file's name a moment later and refuses with it.
        if scope["path"] != _API_FILES and declared_length(Headers(scope=scope)) > limit:
            raise error
        received = 0
        exceeded = False

        async def counted() -> Message:
            nonlocal received, exceeded
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                exceeded = True
                raise error
            return message

        async def unless_exceeded(message: Message) -> None:
            if not exceeded:
                await send(message)

        try:
            await self._app(scope, counted, unless_exceeded)
        except Exception as exc:
            if exceeded:
                raise error from exc
            raise
        if exceeded:
            raise error

    def _limit(self, path: str) -> tuple[int, XnaiError]:
        if path in _UPLOAD_PATHS or (path.startswith(f"{LIBRARIES}/") and path.endswith(ADDED)):
            error = XnaiError(FILE_TOO_LARGE, name="The upload", limit_mb=self._upload_mb)
            return self._upload_mb * MEGABYTE + UPLOAD_OVERHEAD, error
        if path in _API_CHAT:
            limit = body_limit(self._context_tokens())
        elif path.startswith(_SYNC):
            limit = _SYNC_LIMIT
        elif path == _API_EMBEDDINGS:
            limit = _EMBEDDINGS_LIMIT
        else:
            limit = _SOCKET_LIMIT if _SOCKET in path else _OTHER_LIMIT
        return limit, XnaiError(BODY_TOO_LARGE, limit_mb=f"{limit / MEGABYTE:.3g}")


class Linger:
    """Lets a client that is still sending its body read a response that came early.

    Closing a socket with unread data resets the connection, and the reset may overtake the
    response. So the rest is read and discarded for a short while (like nginx' lingering_close).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; hold back the end of its response while a body is arriving."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        arriving = True

        async def watched() -> Message:
            nonlocal arriving
            message = await receive()
            arriving = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def patient(message: Message) -> None:
            if not arriving:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                await drain()
                await send({"type": "http.response.body", "body": b""})

        async def drain() -> None:
            try:
                async with asyncio.timeout(_LINGER_SECONDS):
                    while arriving:
                        async with asyncio.timeout(_LINGER_IDLE_SECONDS):
                            await watched()
            except TimeoutError:
                return

        await self._app(scope, watched, patient)


def _has_body(headers: Headers) -> bool:
    return declared_length(headers) > 0 or "transfer-encoding" in headers
