"""The names that the port answers to, and the pages that may use it.

A page of another site can reach a server on this machine in two ways. It can point a DNS name of
its own at 127.0.0.1 (DNS rebinding): such requests carry a foreign ``Host``. Or it can send
requests across origins: such requests carry a foreign ``Origin``.
"""

import ipaddress
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from xnai.api.errors import error_response
from xnai.errors import HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED, XnaiError
from xnai.observability.error_reports import report
from xnai.settings import Settings

_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_SHOWN = 100  # characters of a refused value that are repeated


def host_name(authority: str) -> str | None:
    """Return the name in ``name[:port]``, lower case and without brackets; None if malformed."""
    match = _AUTHORITY.fullmatch(authority)
    return match["host"].strip("[]").rstrip(".").lower() if match else None


class HostGuard:
    """Refuses foreign ``Host`` and ``Origin`` headers, on HTTP and on WebSockets."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._port = settings.port
        self._named = {name.strip("[]").rstrip(".").lower() for name in settings.allowed_hosts}
        # A name can be pointed at this machine by its owner (DNS rebinding), an address cannot.
        self._addresses = not settings.is_loopback
        self._hosts = self._named | {"localhost", settings.host.strip("[]").lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed.

        Raises:
            XnaiError: HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED (HTTP; a WebSocket gets the response).

        """
        error = self._refusal(Headers(scope=scope))
        if error is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            raise error
        else:
            await receive()  # the handshake
            report(error)
            await error_response(error, scope)(scope, receive, send)

    def _refusal(self, headers: Headers) -> XnaiError | None:
        hosts = headers.getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not self._answers_to(name):
            shown = ", ".join(hosts)[:_SHOWN]
            return XnaiError(HOST_NOT_ALLOWED, host=shown, port=self._port)
        origin = headers.get("origin")
        if origin is None or self._may_use(origin, hosts[0], headers.get("sec-fetch-site")):
            return None
        return XnaiError(ORIGIN_NOT_ALLOWED, origin=origin[:_SHOWN])

    def _answers_to(self, name: str) -> bool:
        if name in self._hosts:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback or self._addresses
        except ValueError:
            return False

    def _may_use(self, origin: str, host: str, fetch_site: str | None) -> bool:
        if origin == "null":
            # A form on our own page sends this under `Referrer-Policy: no-referrer`; pages cannot
            # set Sec-Fetch-Site themselves.
            return fetch_site == "same-origin"
        scheme, _, authority = origin.partition("://")
        if scheme not in {"http", "https"}:
            return False
        if authority.lower() == host.lower():
            return True
        # Behind a proxy that rewrites Host, the name in the address bar is an allowed one.
        return host_name(authority) in self._named
