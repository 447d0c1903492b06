"""The middleware that every request of the port passes, the page's and Chainlit's included."""

import re
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xnai.api.bodies import BodyLimit, Linger
from xnai.api.clients import Clients
from xnai.api.errors import REQUEST_ID, ErrorBoundary
from xnai.api.headers import SecurityHeaders
from xnai.api.hosts import HostGuard
from xnai.observability import metrics, traces
from xnai.settings import Settings

log = structlog.get_logger(__name__)

_HEADER = "X-Request-ID"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/health", "/metrics")
_TRACED = "/v1/"  # the page's socket is one request for many questions
_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class RequestContext:
    """Gives every request an id, puts it on its response and log lines, and counts the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with the id bound."""
        headers = Headers(scope=scope)
        given = headers.get(_HEADER, "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
        scope[REQUEST_ID] = request_id
        started = time.monotonic()
        status = 0

        async def labelled(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[_HEADER] = request_id
            if message["type"] == "http.response.start":
                status = message["status"]
                metrics.request(_route(scope), status)
            await send(message)

        caller = traces.incoming(headers if scope["path"].startswith(_TRACED) else {})
        with structlog.contextvars.bound_contextvars(request_id=request_id), caller:
            try:
                await self._app(scope, receive, labelled)
            finally:
                if scope["type"] == "http" and not scope["path"].startswith(_QUIET):
                    log.debug(
                        "request",
                        method=scope["method"],
                        route=_route(scope),
                        status=status,
                        seconds=round(time.monotonic() - started, 4),
                    )


def _route(scope: Scope) -> str:
    """Return the template of the matched route: few values, and none of a client's choosing."""
    return getattr(scope.get("route"), "path", "other")


class Guard:
    """The whole stack, as one pure ASGI middleware; ``lifespan`` passes untouched."""

    def __init__(
        self, app: ASGIApp, settings: Settings, context_tokens: Callable[[], int] = int
    ) -> None:
        self._app = app
        guarded = HostGuard(BodyLimit(app, settings, context_tokens), settings)
        bounded = SecurityHeaders(Linger(ErrorBoundary(guarded)))
        self._guarded = RequestContext(Clients(bounded, settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch by kind of connection."""
        if scope["type"] in {"http", "websocket"}:
            await self._guarded(scope, receive, send)
        else:
            await self._app(scope, receive, send)
