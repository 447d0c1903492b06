"""A limit on sessions: nobody holds more of them than are still free."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from chainlit.session import ws_sessions_id

from xnai.errors import TOO_MANY_SESSIONS, XnaiError
from xnai.net import holders

NAMESPACE = "/"
_ADDRESS = "xnai_address"  # kept on the session


class SessionShares:
    """Gives out sessions by person and by address.

    Sessions whose page is away make room: first one's own, then those of whoever has the most, the
    oldest first.

    Args:
        sio: ``chainlit.server.sio``.
        most: how many there may be; somebody who is alone may have half of them.

    """

    def __init__(self, sio: Any, most: int) -> None:
        self._sio = sio
        self._most = most
        self._opening: dict[str, list[str]] = {}  # the holders of each, by its id

    @asynccontextmanager
    async def opening(
        self, session_id: str, person: str, address: str
    ) -> AsyncGenerator[None, None]:
        """Reserve the place of a session while it is opened; one that comes back has its place.

        Raises:
            XnaiError: TOO_MANY_SESSIONS.

        """
        wanted = holders(person, address)
        if session_id not in ws_sessions_id:
            await self._make_room(wanted)
        self._opening[session_id] = wanted
        try:
            yield
        finally:
            self._opening.pop(session_id, None)
        if session := ws_sessions_id.get(session_id):
            setattr(session, _ADDRESS, address)

    async def _make_room(self, wanted: list[str]) -> None:
        while not self._admits(wanted):
            gone = self._first_away(wanted)
            if gone is None:
                held = self._held()
                raise XnaiError(TOO_MANY_SESSIONS, count=max(held[holder] for holder in wanted))
            await gone.delete()

    def _admits(self, wanted: list[str]) -> bool:
        free, held = self._free(), self._held()
        return free > 0 and all(held[holder] < free for holder in wanted)

    def _free(self) -> int:
        return self._most - len(ws_sessions_id.keys() | self._opening.keys())

    def _held(self) -> Counter[str]:
        by_session = dict(self._opening)
        by_session |= {key: _holders_of(session) for key, session in ws_sessions_id.items()}
        return Counter(holder for holders_ in by_session.values() for holder in holders_)

    def _first_away(self, wanted: list[str]) -> Any | None:
        """Return the session to end first; somebody else's only if there is no room at all."""
        is_connected = self._sio.manager.is_connected
        away = [s for s in ws_sessions_id.values() if not is_connected(s.socket_id, NAMESPACE)]
        own = [session for session in away if set(wanted) & set(_holders_of(session))]
        if own or self._free() > 0:
            return own[0] if own else None
        held = self._held()
        return max(away, key=lambda session: held[_person_of(session)], default=None)


def _holders_of(session: Any) -> list[str]:
    return holders(_name(session), getattr(session, _ADDRESS, ""))


def _person_of(session: Any) -> str:
    return holders(_name(session), "")[0]


def _name(session: Any) -> str:
    return str(session.user.identifier if session.user else "")
