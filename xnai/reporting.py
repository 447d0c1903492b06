"""What becomes of an exception where a request ends: it is counted, logged and put into words."""

import structlog

from xnai.errors import INTERNAL, XnaiError
from xnai.telemetry import metrics

log = structlog.get_logger(__name__)

NO_REQUEST = "-"


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
