"""What is wrong with Redis: the one place that says whom an error concerns, and in which words.

The words are our own, since its texts may hold anything.
"""

import re
import ssl
from dataclasses import dataclass
from typing import Literal

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import MasterNotFoundError

from xnai.resilience.redis import wire
from xnai.resilience.store import StoreAwayError

Concern = Literal["store", "key"]

_READ = 400  # characters of an error that are looked at
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (MasterNotFoundError, "the Sentinels know no master of that name"),
    (AuthenticationError, "it refuses the user or the password"),
    (NoPermissionError, "the user may not do what breakers need"),
    (ReadOnlyError, "it is a read-only replica"),
    (OutOfMemoryError, "it is out of memory"),
    (BusyLoadingError, "it is still loading its data"),
    (ClusterDownError, "the cluster is down"),
)
_CODES = {
    "READONLY": "it is a read-only replica",
    "OOM": "it is out of memory",
    "NOPERM": "the user may not do what breakers need",
    "user executing the script can't": "the user may not do what breakers need",
    "NOAUTH": "it wants a password",
    "WRONGPASS": "it refuses the user or the password",
    "MISCONF": "it cannot save its data and takes no changes",
    "LOADING": "it is still loading its data",
    "CLUSTERDOWN": "the cluster is down",
    "NOREPLICAS": "too few of its replicas are there, so it takes no changes",
    "MASTERDOWN": "it is a replica that has lost its master",
    "BUSY": "another script keeps it busy",
}
# What another program has put under our keys. Anything else that Redis says concerns all of it: an
# unknown error that is taken for one key's would have every breaker ask on, and none notice.
_OF_A_KEY = re.compile(r"WRONGTYPE|user_script:\d{1,5}: (?:attempt to|bad argument)")


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error of the store: whether it ``concerns`` all of it or one breaker's keys, and why."""

    concerns: Concern
    words: str


def classify(exc: BaseException, seconds: float) -> Trouble:
    """What any exception of the client means; ``seconds`` is the time that a script has."""
    if isinstance(exc, ResponseError) and _OF_A_KEY.search(str(exc)[:_READ]):
        return Trouble("key", "something else is stored under its keys")
    return Trouble("store", in_words(exc, seconds))


def in_words(exc: BaseException, seconds: float) -> str:
    """Why Redis is of no use."""
    if words := next((words for kind, words in _WORDS if isinstance(exc, kind)), ""):
        return words
    match exc:
        case StoreAwayError():
            words = str(exc)
        case ClusterError() | RedisClusterException():
            words = _connection(exc, "no node of the cluster can be asked")
        case ResponseError():
            code = next((code for code in _CODES if code in str(exc)[:_READ]), "")
            words = _CODES.get(code, f"it refuses the script ({type(exc).__name__})")
        case RedisTimeoutError() | TimeoutError():
            words = f"no answer within {seconds:g} s"
        case wire.GarbledReplyError():
            words = f"its answer makes no sense ({exc})"
        case RedisError() | OSError():
            words = _connection(exc, "the connection was lost")
        case _:  # the client could not read it
            words = f"its answer makes no sense ({type(exc).__name__})"
    return words


def _connection(exc: BaseException, otherwise: str) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted by this machine"
        if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
            return "nothing listens there"
        cause = cause.__cause__ or cause.__context__
    told = str(exc)[:1000].lower() if isinstance(exc, RedisConnectionError) else ""
    if "certificate verify failed" in told:
        return "its certificate is not trusted by this machine"
    if "refused" in told:
        return "nothing listens there"
    return otherwise
