"""What is wrong with Redis, in words of our own: its texts may hold anything."""

import ssl

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis has its own
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis has its own
)
from redis.sentinel import MasterNotFoundError

from xnai.resilience import wire
from xnai.resilience.store import StoreAwayError

_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (MasterNotFoundError, "the Sentinels know no master of that name"),
    (AuthenticationError, "it refuses the user or the password"),
    (NoPermissionError, "the user may not do what breakers need"),
    (ReadOnlyError, "it is a read-only replica"),
    (OutOfMemoryError, "it is out of memory"),
    (BusyLoadingError, "it is still loading its data"),
    (ClusterDownError, "the cluster is down"),
)
_SCRIPT_WORDS = {
    "READONLY": "it is a read-only replica",
    "OOM": "it is out of memory",
    "NOPERM": "the user may not do what breakers need",
    "NOAUTH": "it wants a password",
    "WRONGPASS": "it refuses the user or the password",
    "MISCONF": "it cannot save its data and takes no changes",
    "LOADING": "it is still loading its data",
    "CLUSTERDOWN": "the cluster is down",
}


def is_of_one(exc: BaseException) -> bool:
    """Whether only this breaker's keys are unusable, such as one that somebody else has written."""
    if not isinstance(exc, ResponseError) or isinstance(exc, tuple(kind for kind, _ in _WORDS)):
        return False
    return not any(code in str(exc)[:400] for code in _SCRIPT_WORDS)


def in_words(exc: BaseException, seconds: float) -> str:
    """Why Redis is of no use; ``seconds`` is the time that a script has."""
    if isinstance(exc, StoreAwayError):
        return str(exc)
    for kind, words in _WORDS:
        if isinstance(exc, kind):
            return words
    if isinstance(exc, ResponseError):
        code = next((code for code in _SCRIPT_WORDS if code in str(exc)[:400]), "")
        return _SCRIPT_WORDS.get(code, f"it refuses the script ({type(exc).__name__})")
    if isinstance(exc, (TimeoutError, OSError)) and isinstance(exc, _slow()):
        return f"no answer within {seconds:g} s"
    if isinstance(exc, wire.GarbledError):
        return f"its answer makes no sense ({exc})"
    return _connection(exc)


def _slow() -> tuple[type[BaseException], ...]:
    import builtins  # noqa: PLC0415 - the name is taken above

    return (TimeoutError, builtins.TimeoutError)


def _connection(exc: BaseException) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted by this machine"
        if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
            return "nothing listens there"
        cause = cause.__cause__ or cause.__context__
    told = str(exc)[:1000].lower() if isinstance(exc, ConnectionError) else ""
    if "certificate verify failed" in told:
        return "its certificate is not trusted by this machine"
    if "refused" in told:
        return "nothing listens there"
    return "the connection was lost"
