"""The socket guard: nothing from a browser reaches Chainlit's handlers unchecked.

Chainlit trusts session ids (it makes and removes folders of that name), thread ids, message ids
and every payload; its handlers raise into the event loop on anything unexpected.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from chainlit.chat_context import chat_contexts
from chainlit.session import WebsocketSession, ws_sessions_id
from socketio.exceptions import ConnectionRefusedError as RefusedError

from xnai.errors import (
    BAD_REQUEST,
    CHAT_CLOSED,
    CONNECTION_REFUSED,
    MESSAGE_TOO_LONG,
    SIGN_IN_NEEDED,
    TOO_MANY_SESSIONS,
    XnaiError,
)
from xnai.reporting import current_request_id, error_body, report
from xnai.settings import Settings
from xnai.ui import payloads, render
from xnai.ui.origins import same_origin
from xnai.ui.payloads import MalformedError, MessageTooLongError

log = structlog.get_logger(__name__)

MAX_SESSIONS = 256
NAMESPACE = "/"

Handler = Callable[..., Awaitable[Any]]

_CHECKS: dict[str, Callable[[object], Any]] = {
    "client_message": payloads.client_message,
    "edit_message": payloads.edit_message,
    "message_favorite": payloads.message_favorite,
    "chat_settings_change": payloads.chat_settings,
    "chat_settings_edit": payloads.chat_settings,
    "window_message": payloads.window_message,
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
        max_sessions: how many sessions are kept; disconnected ones make room, oldest first.
        chat_profiles: the names of the chat profiles there are.

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
    handlers["connect"] = _connect(sio, handlers["connect"], max_sessions, chat_profiles)
    handlers["disconnect"] = _disconnect(handlers["disconnect"])


def _connect(
    sio: Any, handler: Handler, max_sessions: int, chat_profiles: frozenset[str]
) -> Handler:
    async def connect(sid: str, environ: dict[str, Any], auth: object = None) -> Any:
        try:
            checked = payloads.connection(auth, chat_profiles)
            await _make_room(sio, checked["sessionId"], max_sessions)
            return await handler(sid, environ, checked)
        except (RefusedError, ConnectionRefusedError) as exc:  # Chainlit's: nobody is signed in
            raise _refused(XnaiError(SIGN_IN_NEEDED)) from exc
        except MalformedError as exc:
            raise _refused(XnaiError(CONNECTION_REFUSED, problem=exc)) from exc
        except Exception as exc:
            raise _refused(exc) from exc

    return connect


async def _make_room(sio: Any, session_id: str, max_sessions: int) -> None:
    if session_id in ws_sessions_id:
        return
    for session in list(ws_sessions_id.values()):
        if len(ws_sessions_id) < max_sessions:
            return
        if not sio.manager.is_connected(session.socket_id, NAMESPACE):
            await session.delete()
    if len(ws_sessions_id) >= max_sessions:
        raise XnaiError(TOO_MANY_SESSIONS, count=max_sessions)


def _refused(exc: Exception) -> RefusedError:
    error = report(exc)
    log.warning("socket refused", code=error.code, reason=error.message)
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
        except MalformedError as exc:
            log.warning("socket event dropped", dropped=event, reason=str(exc))
            await _tell(sio, sid, XnaiError(BAD_REQUEST, problem=_STRANGE, fix="Reload the page."))
        except MessageTooLongError:
            await _tell(sio, sid, XnaiError(MESSAGE_TOO_LONG, limit=payloads.MAX_MESSAGE))
        else:
            await _call(sio, event, handler, sid, payload)

    return checked


def _bare(sio: Any, event: str, handler: Handler) -> Handler:
    async def bare(sid: str, *_args: object) -> None:
        try:
            _session(sid)
        except MalformedError as exc:
            log.warning("socket event dropped", dropped=event, reason=str(exc))
            await _tell(sio, sid, XnaiError(CHAT_CLOSED))
        else:
            await _call(sio, event, handler, sid)

    return bare


async def _stop(sid: str) -> None:
    # Chainlit's own says so in a message of its own; the answer that was stopped does that here.
    if task := _session(sid).current_task:
        task.cancel()


async def _call(sio: Any, event: str, handler: Handler, sid: str, *args: object) -> None:
    try:
        await handler(sid, *args)
    except Exception as exc:  # noqa: BLE001 - the page would wait for ever
        log.warning("socket event failed", failed=event)
        await _tell(sio, sid, exc)


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


async def _tell(sio: Any, sid: str, exc: Exception) -> None:
    """Say on the page what became of an event of its own."""
    words = render.toast(report(exc), current_request_id())
    await sio.emit("toast", {"message": words, "type": "error"}, to=sid)
    await sio.emit("task_end", {}, to=sid)
