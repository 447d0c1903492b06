"""What becomes of an exception where a request ends: counted, logged, and put on the wire."""

import math

import structlog

from xnai.errors import INTERNAL, METHOD_NOT_ALLOWED, UNAUTHORIZED, XnaiError
from xnai.observability import metrics

log = structlog.get_logger(__name__)

NO_REQUEST = "-"
_WAIT_STATUSES = frozenset({429, 503})
_WAIT_SECONDS = 5.0
_WAIT_LIMIT_SECONDS = 3600


def report(exc: Exception) -> XnaiError:
    """Count an error, log it, and return what may be told to others.

    Of an exception that nobody foresaw only the log hears more than ``internal``.
    """
    if isinstance(exc, XnaiError):
        error = exc
        if error.kind.status >= INTERNAL.status:
            causes = list(error.causes)
            log.warning("request failed", code=error.code, reason=error.message, causes=causes)
    else:
        log.error("request failed unexpectedly", exc_info=exc)
        error = XnaiError(INTERNAL)
        error.__cause__ = exc
    metrics.error(error.code)
    return error


def current_request_id() -> str:
    """The id under which the log has what is going on in this task."""
    return str(structlog.contextvars.get_contextvars().get("request_id", NO_REQUEST))


def error_body(error: XnaiError, request_id: str) -> dict[str, dict[str, object]]:
    """The JSON of an error."""
    return {
        "error": {
            "code": error.code,
            "category": error.kind.category.value,
            "message": error.message,
            "hint": error.hint,
            "retryable": error.kind.retryable,
            "causes": list(error.causes),
            "request_id": request_id,
            "timestamp": error.timestamp,
        }
    }


def error_headers(error: XnaiError) -> dict[str, str]:
    """``Retry-After`` in whole seconds where waiting helps, and what the status demands."""
    headers = {"Cache-Control": "no-store"}
    wait = error.retry_after
    if wait is None and error.kind.status in _WAIT_STATUSES:
        wait = _WAIT_SECONDS
    if wait is not None:
        headers["Retry-After"] = str(min(max(math.ceil(wait), 1), _WAIT_LIMIT_SECONDS))
    if error.kind is UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.kind is METHOD_NOT_ALLOWED:
        headers["Allow"] = str(error.values["allowed"])
    return headers
