"""Who looks at a thread, and what they were told of its last run.

Chainlit sends to the one socket of a session and forgets. Here everything that a run tells goes
to every page that has the thread open, and is kept until the next run, so that a page that lost
its connection, was reloaded or was opened twice can be told again.
"""

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import structlog
from chainlit.chat_context import chat_contexts
from chainlit.message import Message

log = structlog.get_logger(__name__)

NAMESPACE = "/"
BACKLOG = 100  # packets a socket may have waiting; a reader that is behind gets no single tokens
LIMIT = 1000  # packets; a socket with more is cut off: its reader takes nothing and asks for more
_WHOLE = frozenset({"new_message", "update_message", "stream_start"})
_OF_MESSAGES = _WHOLE | {"stream_token", "delete_message"}

# The room of the run that the current task belongs to; tasks that it starts inherit it.
_current: ContextVar["Room | None"] = ContextVar("xnai_room", default=None)


class Journal:
    """The last state of everything that one run has put on the page."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, Any] | None] = {}
        self._elements: dict[str, dict[str, Any]] = {}
        self._actions: dict[str, dict[str, Any]] = {}

    def note(self, event: str, data: Any) -> None:
        """Take in one event of the run."""
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
        """A step or message as it is now; None if it is not on the page."""
        return self._steps.get(step_id)

    def events(self) -> Iterator[tuple[str, Any]]:
        """What to send to a page for it to show the run as it is now, whatever it shows."""
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


class Room:
    """A thread that was spoken in; the journal of its last run, and pages that lag behind."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.journal = Journal()
        self.running = False
        self.behind: dict[str, set[str]] = {}  # by socket: messages whose tokens were left out


class Rooms:
    """All rooms, and the sessions that are in them.

    Args:
        sio: ``chainlit.server.sio``.

    """

    def __init__(self, sio: Any) -> None:
        self._sio = sio
        self._rooms: dict[str, Room] = {}
        self._sessions: dict[str, list[Any]] = {}

    def enter(self, session: Any) -> None:
        """Have what a session is told go to everyone in its thread; call it at every connect."""
        present = self._sessions.setdefault(session.thread_id, [])
        if session not in present:
            present.append(session)
        send = session.emit

        async def emit(event: str, data: Any) -> None:
            room = _current.get()
            if room is None or room.thread != session.thread_id:
                if not (event == "task_end" and self._is_running(session.thread_id)):
                    await send(event, data)
                return
            room.journal.note(event, data)
            for reader in self.sessions(session.thread_id):
                await self._deliver(room, reader, event, data)

        session.emit = emit

    def leave(self, session: Any) -> None:
        """Forget a session that was deleted."""
        present = self._sessions.get(session.thread_id, [])
        if session in present:
            present.remove(session)
        if not present:
            self._sessions.pop(session.thread_id, None)
            self._rooms.pop(session.thread_id, None)

    def forget(self, thread: str) -> None:
        """Forget what was told in a thread that was deleted."""
        self._rooms.pop(thread, None)

    def sessions(self, thread: str) -> list[Any]:
        """The sessions in a thread, those that are away for the moment too."""
        return list(self._sessions.get(thread, ()))

    def is_watched(self, thread: str) -> bool:
        """Whether a page has the thread open."""
        return any(
            not session.to_clear and self._sio.manager.is_connected(session.socket_id, NAMESPACE)
            for session in self.sessions(thread)
        )

    async def begin(self, session: Any, *steps: Mapping[str, Any]) -> Room:
        """Start a run in the current task; ``steps`` are on the page of the session already."""
        room = self._rooms.setdefault(session.thread_id, Room(session.thread_id))
        room.journal, room.running = Journal(), True
        _current.set(room)
        for step in steps:
            room.journal.note("new_message", dict(step))
        for other in self.sessions(session.thread_id):
            if other is not session:
                await self._send(other, "task_start", {})
                for step in steps:
                    await self._send(other, "new_message", dict(step))
        return room

    async def end(self, session: Any, room: Room) -> None:
        """End a run; Chainlit itself tells the page that asked."""
        room.running = False
        for other in self.sessions(room.thread):
            if other is not session:
                await self._send(other, "task_end", {})

    async def tell_again(self, session: Any) -> None:
        """Bring a page that has just connected to where the others are."""
        room = self._rooms.get(session.thread_id)
        if room is None:
            return
        if room.running:
            await self._send(session, "task_start", {})
        for event, data in room.journal.events():
            await self._send(session, event, data)

    def _is_running(self, thread: str) -> bool:
        room = self._rooms.get(thread)
        return room is not None and room.running

    async def _deliver(self, room: Room, session: Any, event: str, data: Any) -> None:
        late = room.behind.get(session.socket_id)
        if event == "stream_token" and (late is not None or self._is_slow(session)):
            room.behind.setdefault(session.socket_id, set()).add(data["id"])
            if self._has_unsent(session):
                return
            # It has caught up: the whole text in place of all that was left out.
            for step_id in room.behind.pop(session.socket_id):
                if step := room.journal.step(step_id):
                    await self._send(session, "new_message", step)
            return
        if event in _WHOLE and late is not None:
            late.discard(data["id"])
            if not late:
                del room.behind[session.socket_id]
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


def share_question(rooms: Rooms, session: Any, message: Message) -> None:
    """Let the other pages of a thread edit a question that was asked on one of them."""
    for other in rooms.sessions(session.thread_id):
        known = chat_contexts.setdefault(other.id, [])
        if all(m.id != message.id for m in known):
            known.append(message)
