"""The answers that are being written for the page, by session, and what ends them.

Chainlit never cancels a running handler when its client goes away; see ``on_chat_end`` in app.py.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import structlog
from chainlit.session import WebsocketSession

log = structlog.get_logger(__name__)


class Streams:
    """Knows the running answer of each session; one session has at most one."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._running: dict[str, asyncio.Task[object]] = {}
        self._watchers: set[asyncio.Task[None]] = set()

    @contextmanager
    def running(self, session_id: str) -> Generator[bool, None, None]:
        """Hold the session's only place; yields False if an answer is running in it already."""
        if session_id in self._running:
            yield False
            return
        task = asyncio.current_task()
        assert task is not None
        self._running[session_id] = task
        try:
            yield True
        finally:
            del self._running[session_id]

    def task(self, session_id: str) -> asyncio.Task[object] | None:
        """The running answer of a session."""
        return self._running.get(session_id)

    def client_left(self, session: WebsocketSession) -> None:
        """End the session's answer: at once after "new chat", else if nobody comes back."""
        if session.id not in self._running:
            return
        if session.to_clear:
            self._cancel(session.id, "new chat")
            return
        watcher = asyncio.create_task(self._cancel_after_grace(session, session.socket_id))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _cancel_after_grace(self, session: WebsocketSession, socket_id: str) -> None:
        await asyncio.sleep(self._grace)
        if session.socket_id == socket_id:
            self._cancel(session.id, "client gone")

    def _cancel(self, session_id: str, reason: str) -> None:
        if task := self._running.get(session_id):
            log.info("answer cancelled", session=session_id, reason=reason)
            task.cancel()

    async def close(self) -> None:
        """Cancel everything that runs and wait for it."""
        tasks = [*self._watchers, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
