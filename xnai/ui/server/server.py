"""The server around the page: it listens, cuts off clients that read nothing, and stops in order.

Chainlit builds ``uvicorn.Config`` and ``uvicorn.Server`` itself; ``address`` says how it is given
ours.

    serving ──[first signal]──► draining: no new answers, the running ones finish
                                   │ drain_seconds at most            │ second signal
                                   ▼                                  ▼
                                port closed, everything ended     process exits within a second
"""

import asyncio
import contextlib
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

from xnai.aio import sleep_to_tick
from xnai.observability.throttled_log import SparingLog
from xnai.settings import Settings
from xnai.ui.server import tls
from xnai.ui.server.connections import Ledger, listen, raise_file_limit
from xnai.ui.server.http import HttpProtocol

log = structlog.get_logger(__name__)

# A half-open connection is noticed after at most the sum of both, in seconds.
PING_INTERVAL = 10.0
PING_TIMEOUT = 10.0
FRAME_BYTES = 4_000_000  # of the page's socket; Engine.IO takes a million characters
CLOSE_SECONDS = 3  # for responses still being sent when the answers have ended
END_SECONDS = 12.0  # for everything after the drain; then the process ends whatever is open
FORCED_SECONDS = 1.0
STARTUP_FAILURE = 3  # uvicorn's
INTERRUPTED = 130  # exit code after a second Ctrl-C
_LOOK_SECONDS = 1.0
_TICK_SECONDS = 1.0
_CANCELLED_TIMERS = 50  # how many may stay in the loop's list

_warn = SparingLog(log.warning)

Step = Callable[[], Coroutine[Any, Any, None]]


def install(settings: Settings, refuse: Callable[[], None], drain: Step, stop: Step) -> None:
    """Make ``chainlit run`` use our server, if that is what runs this.

    Args:
        settings: ``drain_seconds`` and ``slow_client_seconds``.
        refuse: called at once when the server is told to stop.
        drain: lets the running answers finish; the port is still open meanwhile.
        stop: ends everything at once.

    """
    cli = sys.modules.get("chainlit.cli")
    if cli is None:
        return
    configure: Callable[..., uvicorn.Config] = cli.uvicorn.Config
    certificate = tls.options(settings)

    def configured(app: Any, **options: Any) -> uvicorn.Config:
        ours = {
            "ws_ping_interval": PING_INTERVAL,
            "ws_ping_timeout": PING_TIMEOUT,
            "timeout_graceful_shutdown": CLOSE_SECONDS,
            "ws_max_size": FRAME_BYTES,
            "http": HttpProtocol,
            # XNAI_TRUSTED_PROXIES says who is believed about a client's address.
            "proxy_headers": False,
            **certificate,
        }
        return configure(app, **{**options, **ours})

    def server(config: uvicorn.Config) -> uvicorn.Server:
        return DrainingServer(config, settings, refuse, drain, stop)

    original = getattr(cli.uvicorn, "original", cli.uvicorn)
    cli.uvicorn = SimpleNamespace(  # type: ignore[attr-defined]
        Config=configured, Server=server, original=original
    )


class DrainingServer(uvicorn.Server):
    """Stops in order: no new answers, the running ones finish, then the port closes."""

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
        self._ledger = Ledger(raise_file_limit(), settings.trusted_proxies)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._exiting = asyncio.Event()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Handle a signal; the second Ctrl-C ends the process within a second."""
        super().handle_exit(sig, frame)
        self._refuse()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._exiting.set)
        if self.force_exit:
            _exit_after(FORCED_SECONDS, INTERRUPTED, quiet=True)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, start, and watch the connections.

        Raises:
            SystemExit: the address is taken.

        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_handle_loop_error)
        if sockets is None:
            try:
                sockets = [*listen(self.config.host, self.config.port, self._ledger)]
            except OSError as exc:
                log.error("cannot listen", host=self.config.host, reason=exc.strerror or str(exc))
                sys.exit(STARTUP_FAILURE)
        await super().startup(sockets)
        self._looking = asyncio.create_task(self._look_after(), name="server-care")

    async def main_loop(self) -> None:
        """Tick once a second until the end; uvicorn's ten ticks keep an idle server awake."""
        self._loop = asyncio.get_running_loop()
        # Every tenth tick of uvicorn's renews the date that responses carry.
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                # With the other timers of a second.
                until = _TICK_SECONDS - self._loop.time() % _TICK_SECONDS
                async with asyncio.timeout(until):
                    await self._exiting.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then stop; the process ends in any case."""
        _exit_after(self._settings.drain_seconds + END_SECONDS, 1, quiet=False)
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
            await sleep_to_tick(_LOOK_SECONDS)
            stuck = self._cut_stuck_clients(stuck, loop.time())
            self._cut_slow_senders(loop.time())
            drop_cancelled_timers(loop)

    def _cut_slow_senders(self, now: float) -> None:
        """Close connections whose request, or whose body, does not come."""
        if ended := self._ledger.close_overdue():
            _warn("connections sent no request in time and were closed", count=ended)
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpProtocol) and connection.is_body_overdue(now):
                _warn("a body came too slowly and was cut off")
                connection.transport.abort()

    def _cut_stuck_clients(
        self, stuck: dict[Any, tuple[int, float]], now: float
    ) -> dict[Any, tuple[int, float]]:
        """Close connections whose other end has read nothing for too long.

        A transport that is merely closed waits for ever until its last bytes are read. Returns, for
        the next look, what each transport could not send and since when.
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


def _handle_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Skip what was logged in one line already: that there was no room for a connection."""
    if "socket.accept()" not in str(context.get("message")):
        loop.default_exception_handler(context)


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


def _exit_after(seconds: float, code: int, *, quiet: bool) -> None:
    def exit_process() -> None:
        if not quiet:
            log.error("the server did not end by itself", seconds=seconds)
        os._exit(code)

    timer = threading.Timer(seconds, exit_process)
    timer.daemon = True
    timer.start()
