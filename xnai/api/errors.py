"""Errors on the wire: one JSON format, whatever went wrong and wherever it was noticed."""

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xnai.api.protocol import ApiRuntime
from xnai.errors import (
    BAD_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    SEARCH_DOWN,
    SHUTTING_DOWN,
    XnaiError,
)
from xnai.observability.error_reports import error_body, error_headers, report

log = structlog.get_logger(__name__)

REQUEST_ID = "xnai.request_id"  # key in the ASGI scope, set by the middleware
# Every path of the interface, unknown ones included; Chainlit's pages at the last three are
# closed.
PATHS = ("/v1", "/mcp", "/health", "/metrics", "/docs", "/redoc", "/openapi.json")


def is_api(path: str) -> bool:
    """Return whether a path belongs to the interface, not to the page."""
    return any(path == taken or path.startswith(f"{taken}/") for taken in PATHS)


def error_response(error: XnaiError, scope: Scope) -> JSONResponse:
    """Return the response to a request that failed; the page's own code shows ``detail``."""
    body: dict[str, object] = dict(error_body(error, scope[REQUEST_ID]))
    if not is_api(scope["path"]):
        body["detail"] = str(error)
    return JSONResponse(body, error.kind.status, headers=error_headers(error))


def from_router(exc: HTTPException, scope: Scope) -> XnaiError:
    """Return the catalogued error for one that Starlette raises by itself."""
    path = scope["path"]
    if exc.status_code == NOT_FOUND.status:
        return XnaiError(NOT_FOUND, what="address", name=path)
    if exc.status_code == METHOD_NOT_ALLOWED.status:
        allowed = ", ".join(sorted((exc.headers or {}).get("Allow", "").split(", ")))
        return XnaiError(METHOD_NOT_ALLOWED, method=scope["method"], path=path, allowed=allowed)
    return XnaiError(BAD_REQUEST, problem="The request is malformed.", fix="Check its syntax.")


def require_accepting(runtime: ApiRuntime) -> None:
    """Refuse new work while the server is stopping.

    Raises:
        XnaiError: SHUTTING_DOWN.

    """
    if not runtime.accepting:
        raise XnaiError(SHUTTING_DOWN)


def require_search(runtime: ApiRuntime) -> None:
    """Refuse a request that needs the documents while they cannot be reached.

    Raises:
        XnaiError: SEARCH_DOWN.

    """
    search = runtime.search_state
    if search.state == "starting":
        raise XnaiError(SEARCH_DOWN, retry_after=2, reason="the index is still being opened")
    if search.state != "ready":
        raise search_down(search.detail)


def search_down(detail: str) -> XnaiError:
    """Build SEARCH_DOWN from the detail of a part, which may be the text of that very error."""
    reason = detail.removeprefix(SEARCH_DOWN.message.partition("{")[0])
    reason = reason.removesuffix(SEARCH_DOWN.hint).strip().rstrip(".")
    return XnaiError(SEARCH_DOWN, reason=reason or "the index is closed")


class ErrorBoundary:
    """Turns whatever is raised below into a response of the one format."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; an error after the response has begun is raised again."""
        started = False

        async def tracked(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, tracked)
        except ClientDisconnect:
            log.debug("client gone", path=scope["path"])
        except Exception as exc:
            if scope["type"] == "websocket" and isinstance(exc, OSError):
                log.debug("client gone", path=scope["path"])
                return
            error = report(exc)
            if started:
                raise
            await error_response(error, scope)(scope, receive, send)
