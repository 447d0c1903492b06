"""One run shown on every page of its thread, and replayed to pages that come later.

Chainlit sends to the one socket of a session and forgets. Here each thread has a channel: what a
run sends goes to all sessions subscribed to the thread, and a journal keeps its latest state until
the next run, so that a page which lost its connection, was reloaded or was opened twice can be
brought up to date.

A page that reads slowly gets whole messages instead of single tokens, and is cut off at last::

    following ──[more than BACKLOG packets unsent]──► lagging: its tokens are left out
        ▲                                               │
        └──[nothing unsent: the whole message is sent]──┘
    either ──[more than LIMIT packets unsent]──► disconnected; a new connection is replayed to
"""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import structlog
from chainlit.chat_context import chat_contexts
from chainlit.message import Message

log = structlog.get_logger(__name__)

NAMESPACE = "/"
BACKLOG = 100  # packets a socket may have unsent; one with more gets no single tokens
LIMIT = 1000  # unsent packets; one with more is cut off, since nobody reads them
_WHOLE = frozenset({"new_message", "update_message", "stream_start"})

# The channel of the run that the current task belongs to; tasks that it starts inherit it.
_current: ContextVar["Channel | None"] = ContextVar("xnai_channel", default=None)


class Journal:
    """The latest state of everything that one run has put on the page."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, Any] | None] = {}
        self._elements: dict[str, dict[str, Any]] = {}
        self._actions: dict[str, dict[str, Any]] = {}

    def record(self, event: str, data: Any) -> None:
        """Apply one event of the run."""
        if event in _WHOLE:
            self._steps[data["id"]] = {**(self._steps.get(data["id"]) or {}), **data}
        elif event == "stream_token" and (step := self._steps.get(data["id"])):
            step["output"] += data["token"]
        elif event == "delete_message":
            self._steps[data["id"]] = None
        elif event == "element":
            self._elements[data["id"]] = data
        elif event == "action":
            self._actions[data["id"]] = data
        elif event == "remove_action":
            self._actions.pop(data["id"], None)

    def step(self, step_id: str) -> dict[str, Any] | None:
        """Return a step or message as it is now; None if it is not on the page."""
        return self._steps.get(step_id)

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield the events that make a page show the run as it is now, whatever it shows."""
        for step_id, step in list(self._steps.items()):
            if step is None:
                yield "delete_message", {"id": step_id}
            else:
                yield "new_message", step
        for element in list(self._elements.values()):
            yield "element", element
        for action in list(self._actions.values()):
            yield "remove_action", action  # the page would show it twice
            yield "action", action


class Channel:
    """One thread: the journal of its last run, and the pages that lag behind."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.journal = Journal()
        self.running = False
        self.lagging: dict[str, set[str]] = {}  # by socket: messages whose tokens were left out


class Broadcast:
    """The channels of all threads, and the sessions subscribed to them.

    Args:
        sio: ``chainlit.server.sio``.

    """

    def __init__(self, sio: Any) -> None:
        self._sio = sio
        self._channels: dict[str, Channel] = {}
        self._sessions: dict[str, list[Any]] = {}

    def subscribe(self, session: Any) -> None:
        """Send what a session emits to all sessions of its thread; call it at every connect."""
        present = self._sessions.setdefault(session.thread_id, [])
        if session not in present:
            present.append(session)
        send = session.emit

        async def emit(event: str, data: Any) -> None:
            channel = _current.get()
            if channel is None or channel.thread != session.thread_id:
                if not (event == "task_end" and self._is_running(session.thread_id)):
                    await send(event, data)
                return
            channel.journal.record(event, data)
            for reader in self.sessions(session.thread_id):
                await self._deliver(channel, reader, event, data)

        session.emit = emit

    def unsubscribe(self, session: Any) -> None:
        """Forget a session that was deleted."""
        present = self._sessions.get(session.thread_id, [])
        if session in present:
            present.remove(session)
        if not present:
            self._sessions.pop(session.thread_id, None)
            self._channels.pop(session.thread_id, None)

    def forget(self, thread: str) -> None:
        """Forget the last run of a thread that was deleted."""
        self._channels.pop(thread, None)

    def sessions(self, thread: str) -> list[Any]:
        """Return the sessions of a thread, those that are away for the moment included."""
        return list(self._sessions.get(thread, ()))

    def is_watched(self, thread: str) -> bool:
        """Return whether a page has the thread open."""
        return any(
            not session.to_clear and self._sio.manager.is_connected(session.socket_id, NAMESPACE)
            for session in self.sessions(thread)
        )

    async def start_run(self, session: Any, *steps: Mapping[str, Any]) -> Channel:
        """Start a run in the current task; ``steps`` are on the session's own page already."""
        channel = self._channels.setdefault(session.thread_id, Channel(session.thread_id))
        channel.journal, channel.running = Journal(), True
        _current.set(channel)
        for step in steps:
            channel.journal.record("new_message", dict(step))
        for other in self.sessions(session.thread_id):
            if other is not session:
                await self._send(other, "task_start", {})
                for step in steps:
                    await self._send(other, "new_message", dict(step))
        return channel

    async def replay(self, session: Any) -> None:
        """Bring a page that has just connected up to date."""
        channel = self._channels.get(session.thread_id)
        if channel is None:
            return
        if channel.running:
            await self._send(session, "task_start", {})
        for event, data in channel.journal.events():
            await self._send(session, event, data)

    def _is_running(self, thread: str) -> bool:
        channel = self._channels.get(thread)
        return channel is not None and channel.running

    async def _deliver(self, channel: Channel, session: Any, event: str, data: Any) -> None:
        late = channel.lagging.get(session.socket_id)
        if event == "stream_token" and (late is not None or self._is_slow(session)):
            channel.lagging.setdefault(session.socket_id, set()).add(data["id"])
            if self._has_unsent(session):
                return
            # It has caught up: one whole message stands for all tokens that were left out.
            for step_id in channel.lagging.pop(session.socket_id):
                if step := channel.journal.step(step_id):
                    await self._send(session, "new_message", step)
            return
        if event in _WHOLE and late is not None:
            late.discard(data["id"])
            if not late:
                del channel.lagging[session.socket_id]
        await self._send(session, event, data)

    async def _send(self, session: Any, event: str, data: Any) -> None:
        if self._unsent(session) > LIMIT:
            log.warning("a page took nothing and was cut off", session=session.id)
            await self._sio.disconnect(session.socket_id)
            return
        await self._sio.emit(event, data, to=session.socket_id)

    def _unsent(self, session: Any) -> int:
        eio_id = self._sio.manager.eio_sid_from_sid(session.socket_id, NAMESPACE)
        socket = self._sio.eio.sockets.get(eio_id)
        return socket.queue.qsize() if socket is not None else 0

    def _is_slow(self, session: Any) -> bool:
        return self._unsent(session) > BACKLOG

    def _has_unsent(self, session: Any) -> bool:
        return self._unsent(session) > 0


def share_question(broadcast: Broadcast, session: Any, message: Message) -> None:
    """Let the other pages of a thread edit a question that was asked on one of them."""
    for other in broadcast.sessions(session.thread_id):
        known = chat_contexts.setdefault(other.id, [])
        if all(m.id != message.id for m in known):
            known.append(message)
