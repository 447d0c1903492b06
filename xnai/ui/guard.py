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

from xnai.errors import XnaiError
from xnai.settings import Settings
from xnai.ui import payloads
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
        handlers[event] = _bare(event, handlers[event])
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
        except MalformedError as exc:
            log.warning("socket refused", reason=str(exc))
            raise RefusedError(f"This connection was refused: {exc}.") from exc
        except XnaiError as exc:
            log.warning("socket refused", code=exc.code)
            raise RefusedError(exc.message) from exc
        except (RefusedError, ConnectionRefusedError):
            raise
        except Exception as exc:
            log.exception("a session could not be opened")
            raise RefusedError("The server could not open a session; reload the page.") from exc

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
        log.warning("socket refused", reason="too many sessions", sessions=max_sessions)
        raise RefusedError(
            f"{max_sessions} sessions are open already; close another tab, then reload this page."
        )


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
        except MessageTooLongError:
            log.warning("socket event dropped", dropped=event, reason="the message is too long")
            await _say_too_long(sio, sid)
        else:
            await _call(event, handler, sid, payload)

    return checked


def _bare(event: str, handler: Handler) -> Handler:
    async def bare(sid: str, *_args: object) -> None:
        try:
            _session(sid)
        except MalformedError as exc:
            log.warning("socket event dropped", dropped=event, reason=str(exc))
        else:
            await _call(event, handler, sid)

    return bare


async def _stop(sid: str) -> None:
    # Chainlit's own says so in a message of its own; the answer that was stopped does that here.
    if task := _session(sid).current_task:
        task.cancel()


async def _call(event: str, handler: Handler, *args: object) -> None:
    try:
        await handler(*args)
    except Exception:
        log.exception("socket event failed", failed=event)


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


async def _say_too_long(sio: Any, sid: str) -> None:
    words = (
        f"The message is longer than {payloads.MAX_MESSAGE:,} characters and was not sent. "
        "Put the text into a file and attach that."
    )
    await sio.emit("toast", {"message": words, "type": "error"}, to=sid)
    await sio.emit("task_end", {}, to=sid)
