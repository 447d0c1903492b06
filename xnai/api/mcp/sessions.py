"""The sessions of agents, of each person apart: an id of somebody else's is not there.

Nothing runs before the first request, and what runs then waits without ticking. It ends when the
answers of the server have ended: until then calls finish as answers do.
"""

import asyncio
import contextvars
from typing import Any, Final

import structlog
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sse_starlette import sse
from starlette.types import Receive, Scope, Send

from xnai.answering.streams import Streams
from xnai.errors import SHUTTING_DOWN, XnaiError

MOST_SESSIONS: Final = 128  # of one person
IDLE_SECONDS: Final = 1800.0  # without a request or an open stream; then a session ends
_BODY: Final = 1024 * 1024  # bytes; the guard of the port has refused larger ones before
_LAST_SECONDS: Final = 2.0  # for results that are still being sent when the answers have ended

log = structlog.get_logger(__name__)


def let_us_drain() -> None:
    """Have the SDK's streams end when we say so.

    Its library of events would cut them at the first signal, while their answers may still finish,
    and look for one twice a second from the first stream on, also when none is open any more.
    """
    sse.AppStatus.enable_automatic_graceful_drain = False
    sse._ensure_watcher_started_on_this_loop = _watch_nothing  # noqa: SLF001 - there is no setting


def _watch_nothing() -> None:
    return


class PersonSessions:
    """All sessions of one person, from their first request to the end of the server."""

    def __init__(self, server: "Server[Any, Any]", streams: Streams) -> None:
        self._streams = streams
        self._manager = StreamableHTTPSessionManager(
            server,
            session_idle_timeout=IDLE_SECONDS,
            max_sessions=MOST_SESSIONS,
            max_request_body_size=_BODY,
        )
        self._open = asyncio.Event()
        self._over = False
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()
        # Sessions outlive the request that begins them, and know nothing of it.
        self._held = asyncio.create_task(
            self._hold(), name="mcp-sessions", context=contextvars.Context()
        )

    @property
    def runs(self) -> bool:
        """Whether it can serve; the server is ending, or the SDK has failed, if not."""
        return not self._over

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of the person."""
        await self._open.wait()
        if not self.runs:
            raise XnaiError(SHUTTING_DOWN)
        is_call = scope["method"] == "POST"
        self._count(is_call)
        try:
            await self._manager.handle_request(scope, receive, send)
        finally:
            self._count(-is_call)

    def _count(self, calls: int) -> None:
        self._calls += calls
        if self._calls:
            self._idle.clear()
        else:
            self._idle.set()

    async def _hold(self) -> None:
        try:
            async with self._manager.run():
                self._open.set()
                await self._streams.ended.wait()
                await self._last_calls()
        finally:
            self._over = True
            self._open.set()  # whoever waits for the beginning is told that there is none

    async def _last_calls(self) -> None:
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.warning("calls of agents were cut off", count=self._calls)
