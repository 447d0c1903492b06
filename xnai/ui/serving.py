"""The server around the page: how it listens, cuts off clients that take nothing, and ends.

Chainlit builds ``uvicorn.Config`` and ``uvicorn.Server`` itself; see ``address`` for how it is
given ours.
"""

import asyncio
import heapq
import os
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import structlog
import uvicorn

from xnai.settings import Settings

log = structlog.get_logger(__name__)

# A half-open connection is noticed after at most the sum of both, in seconds.
PING_INTERVAL = 10.0
PING_TIMEOUT = 10.0
CLOSE_SECONDS = 3  # for responses still being sent when the answers have ended
END_SECONDS = 12.0  # for everything after the drain; then the process ends whatever is open
FORCED_SECONDS = 1.0
INTERRUPTED = 130  # exit code after a second Ctrl-C
_LOOK_SECONDS = 1.0
_CANCELLED_TIMERS = 50  # so many may wait for their time

Step = Callable[[], Coroutine[Any, Any, None]]


def install(settings: Settings, refuse: Callable[[], None], drain: Step, stop: Step) -> None:
    """Have ``chainlit run`` use our server, if it is what runs this.

    Args:
        settings: ``drain_seconds`` and ``slow_client_seconds``.
        refuse: called at once when the server is told to stop.
        drain: lets the answers that run come to their ends; the port is still open meanwhile.
        stop: ends everything at once.

    """
    cli = sys.modules.get("chainlit.cli")
    if cli is None:
        return
    configure: Callable[..., uvicorn.Config] = cli.uvicorn.Config

    def configured(app: Any, **options: Any) -> uvicorn.Config:
        ours = {
            "ws_ping_interval": PING_INTERVAL,
            "ws_ping_timeout": PING_TIMEOUT,
            "timeout_graceful_shutdown": CLOSE_SECONDS,
        }
        return configure(app, **{**options, **ours})

    def server(config: uvicorn.Config) -> uvicorn.Server:
        return DrainingServer(config, settings, refuse, drain, stop)

    original = getattr(cli.uvicorn, "original", cli.uvicorn)
    cli.uvicorn = SimpleNamespace(  # type: ignore[attr-defined]
        Config=configured, Server=server, original=original
    )


class DrainingServer(uvicorn.Server):
    """Ends in order: no new answers, the running ones finish, then the port closes."""

    def __init__(
        self,
        config: uvicorn.Config,
        settings: Settings,
        refuse: Callable[[], None],
        drain: Step,
        stop: Step,
    ) -> None:
        super().__init__(config)
        self._settings = settings
        self._refuse = refuse
        self._drain = drain
        self._stop = stop

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Take a signal; the second Ctrl-C ends the process within a second."""
        super().handle_exit(sig, frame)
        self._refuse()
        if self.force_exit:
            _end_after(FORCED_SECONDS, INTERRUPTED, quiet=True)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and watch over the connections."""
        await super().startup(sockets)
        self._looking = asyncio.create_task(self._look_after(), name="server-care")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then end; the process ends in any case."""
        _end_after(self._settings.drain_seconds + END_SECONDS, 1, quiet=False)
        draining = asyncio.create_task(self._drain())
        while not draining.done() and not self.force_exit:
            await asyncio.wait({draining}, timeout=0.05)
        if self.force_exit:
            draining.cancel()
            await self._stop()
            os._exit(INTERRUPTED)
        self._looking.cancel()
        await super().shutdown(sockets)

    async def _look_after(self) -> None:
        stuck: dict[Any, tuple[int, float]] = {}
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            stuck = self._cut_stuck_clients(stuck, loop.time())
            drop_cancelled_timers(loop)

    def _cut_stuck_clients(
        self, stuck: dict[Any, tuple[int, float]], now: float
    ) -> dict[Any, tuple[int, float]]:
        """Close connections whose other end has taken nothing for too long.

        A transport that is merely closed waits for ever until its last bytes are taken. Gives what
        each transport could not send, and since when, for the next look.
        """
        seen: dict[Any, tuple[int, float]] = {}
        for connection in list(self.server_state.connections):
            transport: Any = connection.transport
            left = transport.get_write_buffer_size() if transport else 0
            if not left:
                continue
            size, since = stuck.get(transport, (left, now))
            if size != left:
                since = now
            seen[transport] = (left, since)
            if now - since >= self._settings.slow_client_seconds:
                log.warning("a client took nothing and was cut off", unsent_bytes=left)
                transport.abort()
        return seen


def drop_cancelled_timers(loop: Any) -> None:
    """Forget cancelled timers, as asyncio itself does.

    The event loop of nest_asyncio, which Chainlit installs, keeps them until they are due. A time
    limit of minutes would so hold everything that its request knew, long after the request's end.
    """
    timers = loop._scheduled  # noqa: SLF001 - there is no other way
    kept = [timer for timer in timers if not timer.cancelled()]
    if len(timers) - len(kept) <= _CANCELLED_TIMERS:
        return
    for timer in timers:
        timer._scheduled = not timer.cancelled()  # noqa: SLF001
    timers[:] = kept  # in place: the loop has the list at hand
    heapq.heapify(timers)
    loop._timer_cancelled_count = 0  # noqa: SLF001


def _end_after(seconds: float, code: int, *, quiet: bool) -> None:
    def end() -> None:
        if not quiet:
            log.error("the server did not end by itself", seconds=seconds)
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
