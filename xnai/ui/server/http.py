"""uvicorn's HTTP with time limits for what a client sends, and no traceback for junk."""

import asyncio
from typing import Any

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from xnai.observability.throttled_log import SparingLog
from xnai.ui.server.connections import Connection, connection_of

log = structlog.get_logger(__name__)
_warn = SparingLog(log.warning)

BODY_SECONDS = 20.0  # in each such time
BODY_RATE = 512  # bytes a second that must arrive of a body that is being waited for


class HttpProtocol(H11Protocol):
    """Tells the ledger whether a request is under way, and measures how fast a body arrives."""

    _connection: Connection | None = None
    _received = 0
    _mark = (0, 0.0)  # bytes and time, when the body was last looked at

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start with a new connection."""
        super().connection_made(transport)
        self._connection = connection_of(transport)
        if self._connection is not None:
            self._connection.transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse what was sent."""
        self._received += len(data)
        try:
            super().data_received(data)
        except Exception as exc:  # noqa: BLE001 - whatever a stranger's bytes set off
            _warn("a connection sent what cannot be served", kind=type(exc).__name__)
            self.transport.abort()
        self._update_ledger()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._update_ledger()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over; it counts as busy from now on, whatever comes after this."""
        self._update_ledger(waiting=False)
        self._connection = None
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; in the middle of a response, close instead."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.close()

    def is_body_overdue(self, now: float) -> bool:
        """Return whether a body that is being waited for comes too slowly, or not at all."""
        cycle = self.cycle
        if (
            cycle is None
            or cycle.response_complete
            or not cycle.more_body
            or self.flow.read_paused  # we are the slow ones
            or cycle.waiting_for_100_continue
            or not self._mark[1]
        ):
            self._mark = (self._received, now)
            return False
        received, since = self._mark
        if now - since < BODY_SECONDS:
            return False
        self._mark = (self._received, now)
        return self._received - received < BODY_SECONDS * BODY_RATE

    def _update_ledger(self, *, waiting: bool | None = None) -> None:
        connection = self._connection
        if connection is None or connection.ledger is None:
            return
        if waiting is None:
            cycle: Any = self.cycle
            waiting = cycle is None or cycle.response_complete
        if not waiting and connection.waiting:
            self._mark = (self._received, self.loop.time())
        connection.ledger.set_waiting(connection, waiting=waiting)
