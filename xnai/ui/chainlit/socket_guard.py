"""The guard of the socket: nothing from a browser reaches Chainlit's handlers unchecked.

Chainlit trusts session ids (it makes and removes folders of that name), thread ids, message ids
and every payload; its handlers raise into the event loop on anything unexpected.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from chainlit.chat_context import chat_contexts
from chainlit.session import WebsocketSession
from socketio.exceptions import ConnectionRefusedError as RefusedError
from starlette.requests import HTTPConnection

from xnai.errors import (
    BAD_REQUEST,
    CHAT_CLOSED,
    CONNECTION_REFUSED,
    MESSAGE_TOO_LONG,
    SIGN_IN_NEEDED,
    XnaiError,
)
from xnai.observability.error_reports import current_request_id, error_body, report
from xnai.observability.throttled_log import SparingLog
from xnai.settings import Settings
from xnai.ui import markdown
from xnai.ui.actor import require_thread
from xnai.ui.auth import page_identifier
from xnai.ui.chainlit import socket_payloads
from xnai.ui.chainlit.origins import same_origin
from xnai.ui.chainlit.session_shares import SessionShares
from xnai.ui.chainlit.socket_frames import Sockets
from xnai.ui.chainlit.socket_payloads import MalformedError, MessageTooLongError

log = structlog.get_logger(__name__)

_warn = SparingLog(log.warning)

MAX_SESSIONS = 512
NAMESPACE = "/"

Handler = Callable[..., Awaitable[Any]]

_CHECKS: dict[str, Callable[[object], Any]] = {
    "client_message": socket_payloads.client_message,
    "edit_message": socket_payloads.edit_message,
    "message_favorite": socket_payloads.message_favorite,
    "chat_settings_change": socket_payloads.chat_settings,
    "chat_settings_edit": socket_payloads.chat_settings,
    "window_message": socket_payloads.window_message,
}
_BARE = ("connection_successful", "clear_session", "stop", "fetch_favorites")
_STRANGE = "The page sent something that is not understood."
_KEPT = {"connect", "disconnect", *_BARE, *_CHECKS}


def install(
    sio: Any,
    settings: Settings,
    max_sessions: int = MAX_SESSIONS,
    chat_profiles: frozenset[str] = frozenset(),
) -> None:
    """Put the guard before the handlers of Chainlit's socket server; call it once, before start.

    Events that XNAi does not use (speech) have no handler afterwards.

    Args:
        sio: ``chainlit.server.sio``.
        settings: names the hosts whose pages may connect.
        max_sessions: how many sessions are kept, see ``session_shares``.
        chat_profiles: the names of the existing chat profiles.

    """
    sio.eio.cors_allowed_origins = same_origin(settings)
    handlers: dict[str, Handler] = sio.handlers[NAMESPACE]
    for event in list(handlers):
        if event not in _KEPT:
            del handlers[event]
    for event, check in _CHECKS.items():
        handlers[event] = _checked(sio, event, handlers[event], check)
    handlers["stop"] = _stop
    for event in _BARE:
        handlers[event] = _bare(sio, event, handlers[event])
    shares = SessionShares(sio, max_sessions)
    handlers["connect"] = _connect(handlers["connect"], shares, chat_profiles)
    handlers["disconnect"] = _disconnect(handlers["disconnect"])
    Sockets(sio).install()


def _connect(handler: Handler, shares: SessionShares, chat_profiles: frozenset[str]) -> Handler:
    async def connect(sid: str, environ: dict[str, Any], auth: object = None) -> Any:
        try:
            checked = socket_payloads.connection(auth, chat_profiles)
            require_thread(environ, checked["threadId"])
            connection = HTTPConnection(environ["asgi.scope"])
            person = page_identifier(connection) or ""
            address = connection.client.host if connection.client else ""
            async with shares.opening(checked["sessionId"], person, address):
                return await handler(sid, environ, checked)
        except (RefusedError, ConnectionRefusedError) as exc:  # Chainlit's: nobody is signed in
            raise _refused(XnaiError(SIGN_IN_NEEDED)) from exc
        except MalformedError as exc:
            raise _refused(XnaiError(CONNECTION_REFUSED, problem=exc)) from exc
        except Exception as exc:
            raise _refused(exc) from exc

    return connect


def _refused(exc: Exception) -> RefusedError:
    error = report(exc)
    _warn("socket refused", code=error.code, reason=error.message)
    return RefusedError(str(error), error_body(error, current_request_id())["error"])


def _disconnect(handler: Handler) -> Handler:
    async def disconnect(sid: str, _reason: object = None) -> None:
        try:
            await handler(sid)
        except Exception:
            log.exception("a disconnect was not handled to its end")

    return disconnect


def _checked(sio: Any, event: str, handler: Handler, check: Callable[[object], Any]) -> Handler:
    async def checked(sid: str, *args: object) -> None:
        try:
            session = _session(sid)
            payload = check(args[0] if len(args) == 1 else None)
            if event == "edit_message":
                _require_own_message(session, payload["message"]["id"])
        except (MalformedError, RecursionError) as exc:
            _warn("socket event dropped", dropped=event, reason=str(exc))
            await _report_refusal(
                sio, sid, XnaiError(BAD_REQUEST, problem=_STRANGE, fix="Reload the page.")
            )
        except MessageTooLongError:
            await _report_refusal(
                sio, sid, XnaiError(MESSAGE_TOO_LONG, limit=socket_payloads.MAX_MESSAGE)
            )
        else:
            await _call(sio, event, handler, sid, payload)

    return checked


def _bare(sio: Any, event: str, handler: Handler) -> Handler:
    async def bare(sid: str, *_args: object) -> None:
        try:
            _session(sid)
        except MalformedError as exc:
            _warn("socket event dropped", dropped=event, reason=str(exc))
            await _report_refusal(sio, sid, XnaiError(CHAT_CLOSED))
        else:
            await _call(sio, event, handler, sid)

    return bare


async def _stop(sid: str) -> None:
    # Chainlit's handler sends a message of its own; here the stopped answer is marked.
    if task := _session(sid).current_task:
        task.cancel()


async def _call(sio: Any, event: str, handler: Handler, sid: str, *args: object) -> None:
    try:
        await handler(sid, *args)
    except Exception as exc:  # noqa: BLE001 - the page would wait for ever
        log.warning("socket event failed", failed=event)
        await _report_refusal(sio, sid, exc)


def _session(sid: str) -> Any:
    session = WebsocketSession.get(sid)
    if session is None:
        raise MalformedError("the socket has no session")
    return session


def _require_own_message(session: Any, message_id: str) -> None:
    for message in chat_contexts.get(session.id, []):
        if message.id == message_id and message.type == "user_message":
            return
    raise MalformedError("the message is not one of the person's in this chat")


async def _report_refusal(sio: Any, sid: str, exc: Exception) -> None:
    """Show on the page that one of its events was refused."""
    words = markdown.toast(report(exc), current_request_id())
    await sio.emit("toast", {"message": words, "type": "error"}, to=sid)
    await sio.emit("task_end", {}, to=sid)
