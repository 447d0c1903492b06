"""Routes for signing in to the page and out of it, in place of Chainlit's."""

import asyncio
from typing import Annotated, Any

import chainlit.server as chainlit_server
import structlog
from chainlit.auth import get_token_from_cookies
from chainlit.config import config
from chainlit.data import get_data_layer
from chainlit.session import ws_sessions_id
from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import OAuth2PasswordRequestForm

from xnai.accounts import Principal
from xnai.accounts.attempts import Attempts
from xnai.errors import SIGN_IN_PAUSED, XnaiError
from xnai.net import client_address
from xnai.settings import Settings
from xnai.ui import auth
from xnai.ui.chainlit.errors import PageError, refuse
from xnai.ui.chainlit.socket_payloads import is_canonical_uuid
from xnai.ui.cookies import SessionCookie

log = structlog.get_logger(__name__)


class SignIn:
    """The routes for signing in and out.

    Args:
        settings: names the proxies that are trusted.
        attempts: counts wrong keys.

    """

    def __init__(self, settings: Settings, attempts: Attempts) -> None:
        self._trusted = settings.trusted_proxies
        self._attempts = attempts
        self._cookie = SessionCookie(settings.trusted_proxies)

    async def with_key(
        self, request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]
    ) -> Response:
        """Sign in with a key as the password."""
        return await self._enter(request, self.person(request, form.password))

    def person(self, request: Request, key: str) -> Principal:
        """Return the holder of a key.

        Raises:
            HTTPException: it is nobody's, or too many wrong ones have come from there.

        """
        person = auth.people().of_key(key)
        if person is not None:
            return person
        if not auth.people().have_keys:
            raise refuse("Nobody needs a key to sign in here.")
        peer = request.client.host if request.client else None
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        wait = self._attempts.record_failure(client_address(peer, forwarded, self._trusted))
        if wait:
            raise PageError(XnaiError(SIGN_IN_PAUSED, retry_after=wait))
        raise HTTPException(401, "credentialssignin")

    async def without_key(self, request: Request) -> Response:
        """Sign in the local person, if there are no keys."""
        if auth.people().have_keys:
            raise refuse("A key is needed to sign in here.")
        return await self._enter(request, auth.people().local)

    async def out(self, request: Request) -> Response:
        """End the session of the cookie, so that copies of the cookie are worthless too."""
        response = JSONResponse({"success": True})
        self._cookie.clear(request, response)
        token = get_token_from_cookies(request.cookies)
        session_id = auth.session_of(token) if token else None
        if token and session_id:
            await asyncio.to_thread(auth.sessions().revoke, session_id)
            await _cut_off(token)
        return response

    async def stick(self, request: Request) -> Response:
        """Set the cookie by which a load balancer keeps a chat's page at one replica."""
        try:
            body = await request.json()
        except ValueError as exc:
            raise refuse("The body is not JSON.") from exc
        if not isinstance(body, dict) or not is_canonical_uuid(body.get("session_id")):
            raise refuse("The session_id is not a UUID.")
        response = JSONResponse({"message": "Session cookie set"})
        self._cookie.stick(request, response, body["session_id"])
        return response

    async def admit(self, request: Request, response: Response, person: Principal) -> None:
        """Open a session for a person and put its cookie on a response."""
        user: Any = auth.user_of(person)
        try:
            await get_data_layer().create_user(user)
        except Exception as exc:  # noqa: BLE001 - the page works without its history
            log.warning("the history does not know who signs in", reason=type(exc).__name__)
        seconds = config.project.user_session_timeout
        session_id = await asyncio.to_thread(auth.sessions().create, person.person_id, seconds)
        self._cookie.put(request, response, auth.token_of(user, session_id, seconds))

    async def _enter(self, request: Request, person: Principal) -> Response:
        response = JSONResponse({"success": True})
        await self.admit(request, response, person)
        return response


async def _cut_off(token: str) -> None:
    """Close the sockets that were opened with a token."""
    for session in list(ws_sessions_id.values()):
        if session.token == token:
            await chainlit_server.sio.disconnect(session.socket_id)
