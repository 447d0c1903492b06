"""Checks of the socket's frames: one that no page sends ends the connection, with one log line.

Engine.IO and Socket.IO decode whatever arrives and raise into the log or into the server. They call
any handler that an event names, those for connecting and disconnecting included, and keep
attachments of binary events until all that were announced have come. So frames are checked here,
before and while they are decoded.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from engineio.async_drivers.asgi import WebSocket
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError
from socketio.packet import Packet
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from xnai.answering.limits import has_too_many_values
from xnai.observability.throttled_log import SparingLog

log = structlog.get_logger(__name__)
_warn = SparingLog(log.warning)

NAMESPACE = "/"
LONGEST_FRAME = 1_000_000  # characters, as Engine.IO has it
FIRST_FRAME = 20_000  # characters, of a socket without a session
CONNECT_SECONDS = 10.0  # for a session to be opened
MOST_UNCONNECTED = 128  # sockets without a session; the oldest makes room
MOST_SOCKETS = 1024
VALUES_MAX = 2_000  # of one frame
RESERVED = frozenset({"connect", "disconnect", "connect_error"})
# Engine.IO: close, probe, pong, upgrade; a message of Socket.IO: connect, disconnect, event, ack.
_FRAME = re.compile(r"1|2probe|3|5|4[0-3]")
_PLAIN = frozenset({"1", "2probe", "3", "5"})
_CONNECT, _DISCONNECT, _EVENT, _ACK = range(4)

Handler = Callable[..., Awaitable[Any]]


class JunkError(ValueError):
    """A frame that no page sends."""


def check_frame(frame: object) -> str:
    """Return an Engine.IO frame that may be decoded.

    Raises:
        JunkError: no page sends such a frame.

    """
    if not isinstance(frame, str):
        raise JunkError("it is binary")
    if frame not in _PLAIN and not (_FRAME.match(frame) and frame[0] == "4"):
        raise JunkError("it is of no known kind")
    if len(frame) > LONGEST_FRAME:
        raise JunkError("it is too long")
    return frame


class CheckedPacket(Packet):  # type: ignore[misc]
    """A Socket.IO packet that is checked while it is decoded."""

    def decode(self, encoded_packet: Any) -> int:
        """Decode and check.

        Raises:
            JunkError: no page sends such a packet.

        """
        if not isinstance(encoded_packet, str) or encoded_packet[:1] not in {"0", "1", "2", "3"}:
            raise JunkError("it is of no known kind")
        if encoded_packet[1:2] in {"/", "-"}:
            raise JunkError("it is for another namespace")
        if has_too_many_values(encoded_packet.encode("utf-8", "replace"), VALUES_MAX):
            raise JunkError("it holds too many values")
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, RecursionError) as exc:
            raise JunkError("it cannot be decoded") from exc
        self._check(attachments)
        return 0

    def _check(self, attachments: int) -> None:
        kind, data = self.packet_type, self.data
        if attachments or self.namespace not in {None, NAMESPACE}:
            raise JunkError("it has attachments, or a namespace")
        if kind == _CONNECT and not isinstance(data, dict | None):
            raise JunkError("its authentication is no object")
        if kind in {_EVENT, _ACK} and not isinstance(data, list):
            raise JunkError("its data are no list")
        if kind == _ACK and self.id is None:
            raise JunkError("it acknowledges nothing")
        if kind == _EVENT and not (data and isinstance(data[0], str) and data[0] not in RESERVED):
            raise JunkError("it names no event")


class _CheckedSocket(WebSocket):  # type: ignore[misc]
    """The driver's WebSocket; a frame that no page sends counts as the end of the connection."""

    async def wait(self) -> str:
        try:
            return check_frame(await super().wait())
        except JunkError as exc:
            _warn("a frame that no page sends ended its connection", reason=str(exc))
            raise OSError from exc


class Sockets:
    """The Engine.IO sockets, and whether a session was opened on each.

    Args:
        sio: ``chainlit.server.sio``.

    """

    def __init__(self, sio: Any) -> None:
        self._sio = sio
        self._unconnected: OrderedDict[str, asyncio.Task[None]] = OrderedDict()

    def install(self) -> None:
        """Check frames before they are decoded, and end sockets on which no session is opened."""
        engine = self._sio.eio
        self._sio.packet_class = CheckedPacket
        # The dictionary is the driver's, of all servers of the process.
        driver = engine._async  # noqa: SLF001
        translate = driver["translate_request"]

        async def translate_whole(scope: Scope, receive: Receive, send: Send) -> dict[str, Any]:
            environ: dict[str, Any] = await translate(scope, receive, send)
            if not environ:  # the client left before its request was whole
                raise ClientDisconnect
            return environ

        checked = {"websocket": _CheckedSocket, "translate_request": translate_whole}
        engine._async = {**driver, **checked}  # noqa: SLF001
        handlers: dict[str, Handler] = engine.handlers
        handlers["connect"] = self._connect(handlers["connect"])
        handlers["message"] = self._message(handlers["message"])
        handlers["disconnect"] = self._disconnect(handlers["disconnect"])
        _catch_junk_posts()

    def _connect(self, handler: Handler) -> Handler:
        async def connect(eio_sid: str, environ: dict[str, Any]) -> Any:
            if len(self._sio.eio.sockets) > MOST_SOCKETS:
                _warn("a socket was refused, as there are too many")
                return False
            if len(self._unconnected) >= MOST_UNCONNECTED:
                oldest, task = self._unconnected.popitem(last=False)
                task.cancel()
                await self._close(oldest)
            self._unconnected[eio_sid] = asyncio.create_task(
                self._expire(eio_sid), name="socket-without-session"
            )
            return await handler(eio_sid, environ)

        return connect

    def _message(self, handler: Handler) -> Handler:
        async def message(eio_sid: str, data: Any) -> None:
            try:
                self._check(eio_sid, data)
                await handler(eio_sid, data)
            except JunkError as exc:
                _warn("a frame that no page sends ended its connection", reason=str(exc))
                await self._close(eio_sid)
            else:
                if self._has_session(eio_sid):
                    self._forget(eio_sid)

        return message

    def _disconnect(self, handler: Handler) -> Handler:
        async def disconnect(eio_sid: str, *reason: object) -> None:
            self._forget(eio_sid)
            await handler(eio_sid, *reason)

        return disconnect

    def _check(self, eio_sid: str, data: object) -> None:
        if not isinstance(data, str):
            raise JunkError("it is binary")
        is_connect = data.startswith(str(_CONNECT))
        if self._has_session(eio_sid):
            if is_connect:
                raise JunkError("it connects twice")
        elif not is_connect or len(data) > FIRST_FRAME:
            raise JunkError("there is no session yet")

    def _has_session(self, eio_sid: str) -> bool:
        return self._sio.manager.sid_from_eio_sid(eio_sid, NAMESPACE) is not None

    def _forget(self, eio_sid: str) -> None:
        task = self._unconnected.pop(eio_sid, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _expire(self, eio_sid: str) -> None:
        await asyncio.sleep(CONNECT_SECONDS)
        self._unconnected.pop(eio_sid, None)
        _warn("a socket without a session was closed")
        await self._close(eio_sid)

    async def _close(self, eio_sid: str) -> None:
        await _close_socket(self._sio.eio, eio_sid)


async def _close_socket(engine: Any, eio_sid: str) -> None:
    """Close a socket at once; Engine.IO would ask the client to close it and wait for that."""
    socket = engine.sockets.pop(eio_sid, None)
    if socket is not None:
        await socket.close(wait=False, abort=True, reason=engine.reason.SERVER_DISCONNECT)
        socket.queue.put_nowait(None)  # ends whoever sends


def _catch_junk_posts() -> None:
    """Make junk in a POST end its socket; Engine.IO would log a traceback and go on."""
    receive = getattr(AsyncSocket.handle_post_request, "original", AsyncSocket.handle_post_request)

    async def handle_post_request(socket: Any, environ: dict[str, Any]) -> None:
        try:
            await receive(socket, environ)
        except (EngineIOError, ValueError, LookupError, RecursionError):
            _warn("a frame that no page sends ended its connection", reason="it cannot be decoded")
            await _close_socket(socket.server, socket.sid)

    handle_post_request.original = receive  # type: ignore[attr-defined]
    AsyncSocket.handle_post_request = handle_post_request
