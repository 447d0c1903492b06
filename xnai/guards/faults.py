"""Which errors are a dependency's own fault; the caller's, a full queue or a deadline are not."""

from xnai import errors
from xnai.errors import XnaiError

_FAULTS = frozenset(
    {
        errors.INTERNAL,
        errors.MODEL_DOWN,
        errors.MODEL_CRASHED,
        errors.REMOTE_UNREACHABLE,
        errors.REMOTE_CONNECT_TIMEOUT,
        errors.REMOTE_FIRST_TOKEN_TIMEOUT,
        errors.REMOTE_STALLED,
        errors.REMOTE_BROKE_OFF,
        errors.REMOTE_GARBLED,
        errors.REMOTE_KEY_REFUSED,
        errors.EMBEDDING_MODEL_MISSING,
        errors.INDEX_DAMAGED,
        errors.DISK_FULL,
    }
)
# Another try may meet another endpoint, or the same one in better health.
_HEALING = frozenset(
    {
        errors.REMOTE_UNREACHABLE,
        errors.REMOTE_CONNECT_TIMEOUT,
        errors.REMOTE_BROKE_OFF,
        errors.REMOTE_BUSY,
    }
)


def is_fault(exc: BaseException) -> bool:
    """Whether an error counts against the dependency that raised it."""
    return exc.kind in _FAULTS if isinstance(exc, XnaiError) else isinstance(exc, Exception)


def heals(exc: BaseException) -> bool:
    """Whether the same call may do better in a moment."""
    return isinstance(exc, XnaiError) and exc.kind in _HEALING


def retry_after(exc: BaseException) -> float | None:
    """How long it is of no use to try again, if the error says so."""
    return exc.retry_after if isinstance(exc, XnaiError) else None


def words(exc: BaseException) -> str:
    """Why it failed, for logs and people; foreign errors may quote what is private."""
    return exc.message.rstrip(".") if isinstance(exc, XnaiError) else type(exc).__name__
