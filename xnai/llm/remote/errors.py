"""What goes wrong with a model endpoint, in words of the catalogue.

Whatever an endpoint says about an error may be hostile or hold another's secrets: only numbers and
known codes are read from it, never its text.
"""

import errno
import json
import math
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from xnai.errors import (
    CATALOGUE,
    MODEL_DOWN,
    QUESTION_TOO_LONG,
    REMOTE_BROKE_OFF,
    REMOTE_BUSY,
    REMOTE_CONNECT_TIMEOUT,
    REMOTE_GARBLED,
    REMOTE_KEY_REFUSED,
    REMOTE_MODEL_UNKNOWN,
    REMOTE_REFUSED,
    REMOTE_UNREACHABLE,
    XnaiError,
)

LONGEST_WAIT = 120.0  # seconds of a Retry-After that are honoured

_TOO_LONG_CODES = {"context_length_exceeded", "exceed_context_size_error", "question_too_long"}
_TOO_LONG = re.compile(
    r"context (?:length|size|window)|maximum model length|max_model_len|too many tokens",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"maximum (?:context|model) length (?:is|of) (\d{1,9})", re.IGNORECASE)
_ASKED = re.compile(
    r"(\d{1,9}) in the messages|(?:contains (?:at least )?|question has |requested )(\d{1,9})",
    re.IGNORECASE,
)
_HUNG_UP = re.compile(r"disconnected|closed connection")
_BAD_REQUEST = {400, 413, 422}
_KEY_REFUSED = {401, 403}
_NOT_FOUND = 404
_NO_ADDRESS = {404, 405}
_REDIRECTS = range(300, 400)
_SERVER_ERROR = 500
_NAME_LONGEST = 100
_NAMES_SHOWN = 10


def printable(text: object, longest: int = _NAME_LONGEST) -> str:
    """A name that an endpoint gave, fit for a line of a log or a page."""
    shown = "".join(char if char.isprintable() else " " for char in str(text)[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def unknown_model(endpoint: str, name: str, available: tuple[str, ...]) -> XnaiError:
    """An endpoint has no model of that name."""
    shown = ", ".join(available[:_NAMES_SHOWN]) or "(it names none)"
    return XnaiError(REMOTE_MODEL_UNKNOWN, endpoint=endpoint, name=printable(name), available=shown)


@contextmanager
def translated(endpoint: str, connect_timeout: float) -> Iterator[None]:
    """Raise the library's errors as those of the catalogue."""
    try:
        yield
    except httpx.ConnectTimeout as exc:
        raise XnaiError(REMOTE_CONNECT_TIMEOUT, endpoint=endpoint, seconds=connect_timeout) from exc
    except httpx.ConnectError as exc:
        raise XnaiError(REMOTE_UNREACHABLE, endpoint=endpoint, reason=_why(exc)) from exc
    except httpx.RemoteProtocolError as exc:
        # The same class stands for a connection that was closed and for what is no HTTP.
        if is_hang_up(exc):
            raise XnaiError(REMOTE_BROKE_OFF, endpoint=endpoint, reason="it hung up") from exc
        raise XnaiError(REMOTE_GARBLED, endpoint=endpoint, problem="that is not HTTP") from exc
    except httpx.HTTPError as exc:
        raise XnaiError(
            REMOTE_BROKE_OFF, endpoint=endpoint, reason="the connection was lost"
        ) from exc


def is_hang_up(exc: httpx.HTTPError) -> bool:
    """Whether the other end has closed the connection, as against sending what is no HTTP."""
    return not isinstance(exc, httpx.RemoteProtocolError) or bool(_HUNG_UP.search(str(exc)))


def _why(exc: BaseException) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted by this machine"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS (is the address https by mistake?)"
        if isinstance(cause, socket.gaierror):
            return "its name is not known"
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return "nothing listens there"
        if isinstance(cause, OSError) and (name := errno.errorcode.get(cause.errno or 0)):
            return name
        cause = cause.__cause__ or cause.__context__
    return "no connection"


def refusal(
    endpoint: str, status: int, headers: Mapping[str, str], body: bytes, *, model: str = ""
) -> XnaiError:
    """The error for a response other than 200."""
    told = _told(body)
    if status in _BAD_REQUEST and (error := too_long(told)):
        return error
    if status == _NOT_FOUND and told and model:
        return unknown_model(endpoint, model, ())
    return _by_status(endpoint, status, headers, told)


def _by_status(
    endpoint: str, status: int, headers: Mapping[str, str], told: Mapping[str, Any]
) -> XnaiError:
    if status in _KEY_REFUSED:
        return XnaiError(REMOTE_KEY_REFUSED, endpoint=endpoint, status=status)
    if problem := _no_such_server(status):
        return XnaiError(REMOTE_GARBLED, endpoint=endpoint, problem=problem)
    if status == REMOTE_BUSY.status:
        wait = _retry_after(headers) or 1.0
        return XnaiError(REMOTE_BUSY, endpoint=endpoint, retry_after=wait)
    if status < _SERVER_ERROR:
        return XnaiError(REMOTE_REFUSED, endpoint=endpoint, status=status)
    reason = f"{endpoint} says it cannot answer now (HTTP {status}{_known_code(told)})"
    return XnaiError(MODEL_DOWN, reason=reason, retry_after=_retry_after(headers))


def _no_such_server(status: int) -> str:
    if status in _REDIRECTS:
        return f"it redirects (HTTP {status}), which is not followed"
    return f"it has no such address (HTTP {status})" if status in _NO_ADDRESS else ""


def reported(endpoint: str, told: Mapping[str, Any]) -> XnaiError:
    """The error for one that came within the stream."""
    if error := too_long(told):
        return error
    reason = f"it reported an error{_known_code(told)}"
    return XnaiError(REMOTE_BROKE_OFF, endpoint=endpoint, reason=reason)


def too_long(told: Mapping[str, Any]) -> XnaiError | None:
    """QUESTION_TOO_LONG, if that is what an endpoint means; 0 stands for figures it left out."""
    message = str(told.get("message", ""))[:2000]
    codes = {str(told.get("code")), str(told.get("type"))}
    if not codes & _TOO_LONG_CODES and not _TOO_LONG.search(message):
        return None
    limit = _number(told.get("n_ctx")) or _found(_LIMIT, message)
    tokens = _number(told.get("n_prompt_tokens")) or _found(_ASKED, message)
    return XnaiError(QUESTION_TOO_LONG, tokens=tokens, limit=limit)


def error_of(value: object) -> Mapping[str, Any]:
    """What a JSON body says of an error; empty if it says nothing of one."""
    if not isinstance(value, dict):
        return {}
    error = value.get("error")
    if isinstance(error, dict):
        return error
    if error or value.get("object") == "error":
        return value if not error else {"message": error}
    return {"message": str(value["detail"])} if "detail" in value else {}


def _told(body: bytes) -> Mapping[str, Any]:
    try:
        return error_of(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _known_code(told: Mapping[str, Any]) -> str:
    """A code of our own catalogue, which another XNAi sends."""
    code = told.get("code")
    return f": {code}" if isinstance(code, str) and code in CATALOGUE else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    if not math.isfinite(wait):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)


def _number(value: object) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31
    return value if usable else 0  # type: ignore[return-value]  # an int, or usable is False


def _found(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.search(text)
    return int(next(group for group in match.groups() if group)) if match else 0
