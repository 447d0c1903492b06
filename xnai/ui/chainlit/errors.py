"""Errors of the page's HTTP routes, Chainlit's included, in the format of the API.

Chainlit's page shows ``detail``, so the response has that too. What Chainlit or FastAPI put into it
may be the text of an exception, or what was sent; it is passed on only where the page looks it up.
"""

from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from xnai.errors import (
    BAD_REQUEST,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    SIGN_IN_NEEDED,
    XnaiError,
)
from xnai.observability.error_reports import current_request_id, error_body, error_headers, report

_LOOKED_UP = frozenset({"credentialssignin"})


class PageError(HTTPException):
    """A catalogued error of a route of the page."""

    def __init__(self, error: XnaiError) -> None:
        super().__init__(error.kind.status, str(error))
        self.error = error


def refuse(problem: str) -> PageError:
    """Return the error of a request that no page would send."""
    return PageError(XnaiError(BAD_REQUEST, problem=problem, fix="Reload the page."))


def install(app: FastAPI) -> None:
    """Install the handlers for all routes of an application; call it before the server starts."""
    app.add_exception_handler(StarletteHTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer)


async def _answer(request: Request, exc: Exception) -> JSONResponse:
    error = report(_catalogued(request, exc))
    detail = getattr(exc, "detail", None)
    body: dict[str, object] = dict(error_body(error, current_request_id()))
    body["detail"] = detail if detail in _LOOKED_UP else str(error)
    return JSONResponse(body, error.kind.status, headers=error_headers(error))


def _catalogued(request: Request, exc: Exception) -> XnaiError:
    if isinstance(exc, PageError):
        return exc.error
    status = exc.status_code if isinstance(exc, StarletteHTTPException) else BAD_REQUEST.status
    if status == SIGN_IN_NEEDED.status:
        return XnaiError(SIGN_IN_NEEDED)
    if status == NOT_FOUND.status:
        return XnaiError(NOT_FOUND, what="address", name=request.url.path)
    if status == METHOD_NOT_ALLOWED.status:
        headers: Any = getattr(exc, "headers", None) or {}
        allowed = ", ".join(sorted(headers.get("Allow", "GET").split(", ")))
        method, path = request.method, request.url.path
        return XnaiError(METHOD_NOT_ALLOWED, method=method, path=path, allowed=allowed)
    if status >= INTERNAL.status:
        return XnaiError(INTERNAL)
    problem = "The page asked for something that is not understood here."
    return XnaiError(BAD_REQUEST, problem=problem, fix="Reload the page.")
