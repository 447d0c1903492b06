"""The page's cookie: a name for each port of a machine, and sent only over TLS if there is TLS.

Browsers send the cookies of a machine to all its ports. Chainlit knows one name; the middleware
hands it the cookie of this port under that name, and no other.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from chainlit.config import config
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from xnai.net import Network, is_trusted

CHAINLITS = "access_token"
CHAINLITS_SESSION = "X-Chainlit-Session-id"
_PREFIX = "xnai_session_"
_SECURE = frozenset({"https", "wss"})


def name_of(host: str, *, secure: bool) -> str:
    """Return the name of the cookie for the port that the browser sees."""
    try:
        port = urlsplit(f"//{host}").port
    except ValueError:
        port = None
    return f"{_PREFIX}{port or (443 if secure else 80)}"


def is_secure(connection: HTTPConnection, trusted: Iterable[Network]) -> bool:
    """Return whether the browser speaks TLS, to us or to a trusted proxy."""
    if connection.url.scheme in _SECURE:
        return True
    peer = connection.client.host if connection.client else None
    proto = connection.headers.getlist("x-forwarded-proto")[-1:]
    return proto == ["https"] and is_trusted(peer, trusted)


class SessionCookie:
    """Sets and clears the cookie.

    Args:
        trusted: proxies whose word about TLS is believed.

    """

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def name(self, connection: HTTPConnection) -> str:
        """Return the cookie's name on the port of a request."""
        secure = is_secure(connection, self._trusted)
        return name_of(connection.headers.get("host", ""), secure=secure)

    def put(self, request: HTTPConnection, response: Response, token: str) -> None:
        """Sign the browser in."""
        seconds = config.project.user_session_timeout
        self._set(request, response, self.name(request), token, seconds)

    def clear(self, request: HTTPConnection, response: Response) -> None:
        """Sign the browser out."""
        self._set(request, response, self.name(request), "", 0)

    def stick(self, request: HTTPConnection, response: Response, session_id: str) -> None:
        """Set the cookie by which a load balancer keeps a page at one replica."""
        self._set(request, response, CHAINLITS_SESSION, session_id, None)

    def _set(
        self,
        request: HTTPConnection,
        response: Response,
        name: str,
        value: str,
        seconds: int | None,
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            httponly=True,
            secure=is_secure(request, self._trusted),
            samesite="lax",
        )


class CookieOfThisPort:
    """Middleware that gives Chainlit the cookie of this port alone, under the name it knows."""

    def __init__(self, app: ASGIApp, cookie: SessionCookie) -> None:
        self._app = app
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with that one cookie."""
        if scope["type"] in {"http", "websocket"} and (given := Headers(scope=scope).get("cookie")):
            token = cookie_parser(given).get(self._cookie.name(HTTPConnection(scope)), "")
            # The list of headers is the server's own; a copy leaves it as it came.
            scope = {**scope, "headers": list(scope["headers"])}
            headers = MutableHeaders(scope=scope)
            del headers["cookie"]
            if token:
                headers["cookie"] = f"{CHAINLITS}={token}"
        await self._app(scope, receive, send)
