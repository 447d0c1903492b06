"""The person for whom the page acts: that of a session, or of a request."""

from typing import Any

from chainlit.context import ChainlitContextException, context
from chainlit.session import WebsocketSession, ws_sessions_id
from starlette.requests import HTTPConnection

from xnai.accounts import Principal, acting, may
from xnai.errors import NOT_FOUND, XnaiError
from xnai.ui.auth import page_person, principal_of
from xnai.ui.history.protocol import Conversation


def session_served() -> Any:
    """Return the session being served if it belongs to the page, else None."""
    try:
        session = context.session
    except ChainlitContextException:
        return None
    return session if isinstance(session, WebsocketSession) else None


def actor() -> Principal:
    """Return the person whose session or request is being served, or the program itself."""
    session = session_served()
    if session is not None and session.user is not None:
        return principal_of(session)
    return acting.get()


def require_thread(environ: dict[str, Any], thread_id: str) -> None:
    """Refuse a socket that names a thread which somebody else has open.

    The history guards the threads that it holds. A thread without any message yet is known to the
    sessions alone, so these are searched here.

    Raises:
        XnaiError: NOT_FOUND.

    """
    for session in list(ws_sessions_id.values()):
        if session.thread_id == thread_id:
            person = page_person(HTTPConnection(environ["asgi.scope"]))
            thread = Conversation(principal_of(session).person_id)
            if person is None or not may(person, "see", thread):
                raise XnaiError(NOT_FOUND, what="conversation", name=thread_id)
