"""The life of an answer while pages connect, leave, come back and press Stop.

Chainlit never cancels a running handler, resumes a thread anew at every blip of its connection,
leaves a timer of an hour behind every disconnect, and knows nothing of a second page. So its socket
handlers are wrapped here, and those for Stop and for disconnects are replaced.

An answer belongs to its thread, not to a socket::

    question ─► watched ──[the last page of the thread disconnects]──► grace: disconnect_grace
                │  │ ▲                                                  │  │
                │  │ └──────────[a page of the thread connects]─────────┘  │
                │  │                                                       │
                │  └─[Stop; the question is edited]─► stopped              │
                │                                                          ▼
                └─► completed, failed, timed out                      disconnected

A "new chat" clears its session: then the answer is ended at once, without a grace. A session that
is away lives for ``session_timeout`` seconds::

    connected ──[disconnect]──► away ──[session_timeout]──► deleted
        ▲                        │                             ▲
        └──────[reconnect]───────┘       [new chat]────────────┘
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakSet

import structlog
from chainlit.context import init_ws_context
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user_session import user_sessions

from xnai.aio import cancel_and_wait
from xnai.answering.streams import Streams, StreamState
from xnai.observability import metrics
from xnai.settings import Settings
from xnai.ui.broadcast import NAMESPACE, Broadcast

log = structlog.get_logger(__name__)

Handler = Callable[..., Awaitable[Any]]


class Lifecycle:
    """Wraps the handlers of the page's socket; ``close`` ends the timers.

    Args:
        settings: ``disconnect_grace`` and ``session_timeout``.
        streams: the running answers.
        broadcast: the sessions of each thread.

    """

    def __init__(self, settings: Settings, streams: Streams, broadcast: Broadcast) -> None:
        self._grace = settings.disconnect_grace
        self._timeout = settings.session_timeout
        self._streams = streams
        self._broadcast = broadcast
        self._resumed: WeakSet[Any] = WeakSet()
        self._expiries: dict[str, asyncio.Task[None]] = {}
        self._graces: dict[str, asyncio.Task[None]] = {}  # by thread

    def install(self, sio: Any) -> None:
        """Wrap the handlers; call it after the guard, whose checks stay in front."""
        handlers: dict[str, Handler] = sio.handlers[NAMESPACE]
        handlers["connect"] = self._connect(handlers["connect"])
        handlers["connection_successful"] = self._connected(handlers["connection_successful"])
        handlers["edit_message"] = self._edit(handlers["edit_message"])
        handlers["stop"] = self._stop
        handlers["disconnect"] = self._disconnect
        metrics.sessions.set_function(lambda: len(ws_sessions_id))

    def session_ended(self, session: Any) -> None:
        """Forget a session that was deleted."""
        self._broadcast.unsubscribe(session)
        expiry = self._expiries.pop(session.id, None)
        if expiry is not None and expiry is not asyncio.current_task():
            expiry.cancel()

    async def close(self) -> None:
        """End all timers."""
        await cancel_and_wait(*self._expiries.values(), *self._graces.values())

    def _connect(self, handler: Handler) -> Handler:
        async def connect(sid: str, environ: dict[str, Any], auth: object = None) -> Any:
            accepted = await handler(sid, environ, auth)
            if session := WebsocketSession.get(sid):
                if expiry := self._expiries.pop(session.id, None):
                    expiry.cancel()
                self._end_grace(session.thread_id)
                self._broadcast.subscribe(session)
            return accepted

        return connect

    def _connected(self, handler: Handler) -> Handler:
        async def connected(sid: str, *_: object) -> None:
            session = WebsocketSession.get(sid)
            if session is None:
                return
            if session in self._resumed:
                # The thread is on the page already; Chainlit would resume it again.
                emitter = init_ws_context(session).emitter
                await emitter.task_end()
                await emitter.clear("clear_ask")
                await emitter.clear("clear_call_fn")
            else:
                if session.thread_id_to_resume:
                    self._resumed.add(session)
                await handler(sid)
            await self._broadcast.replay(session)

        return connected

    def _edit(self, handler: Handler) -> Handler:
        async def edit(sid: str, *payload: object) -> None:
            session = WebsocketSession.get(sid)
            if session is not None:
                stream = self._streams.cancel_thread(session.thread_id, StreamState.STOPPED)
                if stream is not None:
                    await stream.over()
                session.current_task = asyncio.current_task()  # so that Stop cancels it
            await handler(sid, *payload)

        return edit

    async def _stop(self, sid: str, *_: object) -> None:
        # Chainlit's handler sends a message of its own; here the stopped answer is marked.
        session = WebsocketSession.get(sid)
        if session is None:
            return
        stream = self._streams.cancel_thread(session.thread_id, StreamState.STOPPED)
        if stream is None and session.current_task:
            session.current_task.cancel()

    async def _disconnect(self, sid: str, *_: object) -> None:
        # None: a newer socket took the session over before this one was noticed to be dead.
        session = WebsocketSession.get(sid)
        if session is None:
            return
        try:
            await self._left(session)
        except Exception:
            log.exception("a disconnect was not handled to its end")

    async def _left(self, session: Any) -> None:
        init_ws_context(session)
        stream = self._streams.of_thread(session.thread_id)
        if stream is not None and not self._broadcast.is_watched(session.thread_id):
            if session.to_clear:
                stream.cancel(StreamState.DISCONNECTED)
                await stream.over()
            else:
                self._start_grace(session.thread_id)
        await _save_metadata(session)
        if session.to_clear:
            await _delete(session)
        elif session.id in ws_sessions_id:
            expiry = asyncio.create_task(self._expire(session), name="session-expiry")
            self._expiries[session.id] = expiry

    async def _cancel_after_grace(self, thread: str) -> None:
        await asyncio.sleep(self._grace)
        if not self._broadcast.is_watched(thread):
            self._streams.cancel_thread(thread, StreamState.DISCONNECTED)

    async def _expire(self, session: Any) -> None:
        await asyncio.sleep(self._timeout)
        if ws_sessions_id.get(session.id) is session:
            await _delete(session)

    def _start_grace(self, thread: str) -> None:
        """Start the grace anew, from the last time that a page left."""
        self._end_grace(thread)
        grace = asyncio.create_task(self._cancel_after_grace(thread), name="disconnect-grace")
        self._graces[thread] = grace
        grace.add_done_callback(lambda _: self._forget_grace(thread, grace))

    def _end_grace(self, thread: str) -> None:
        if grace := self._graces.pop(thread, None):
            grace.cancel()

    def _forget_grace(self, thread: str, grace: asyncio.Task[None]) -> None:
        if self._graces.get(thread) is grace:
            del self._graces[thread]


async def _save_metadata(session: Any) -> None:
    layer = get_data_layer()
    if layer and session.thread_id and session.has_first_interaction:
        await layer.update_thread(thread_id=session.thread_id, metadata=session.to_persistable())


async def _delete(session: Any) -> None:
    user_sessions.pop(session.id, None)
    await session.delete()
