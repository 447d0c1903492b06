"""The client of a request: its address, and how many requests it has under way."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from xnai.api.errors import error_response
from xnai.errors import TOO_MANY_REQUESTS, XnaiError
from xnai.net import client_address, is_loopback, is_trusted, share_key
from xnai.observability.error_reports import report
from xnai.resilience.shares import NoShareError, Shares
from xnai.settings import Settings

MOST = 2048
_SECURE = {"http": "https", "ws": "wss"}


class Clients:
    """Believes trusted proxies about address and scheme, and counts requests by address.

    Connections are counted where they are accepted. Behind a proxy that does not say whose they
    are, so requests are counted here. Loopback has no share, see ``net.share_key``.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._trusted = settings.trusted_proxies
        self._shares = Shares(MOST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with the client's address in the scope."""
        address = self._believe(scope)
        holders = () if is_loopback(address) else (share_key(address),)
        try:
            with self._shares.share(*holders):
                await self._app(scope, receive, send)
        except NoShareError as exc:
            error = report(XnaiError(TOO_MANY_REQUESTS, count=exc.held))
            if scope["type"] == "websocket":
                await receive()  # the handshake
            await error_response(error, scope)(scope, receive, send)

    def _believe(self, scope: Scope) -> str:
        client = scope.get("client")
        peer = client[0] if client else None
        headers = Headers(scope=scope)
        address = client_address(peer, ",".join(headers.getlist("x-forwarded-for")), self._trusted)
        if client and address != peer:
            scope["client"] = (address, 0)
        if is_trusted(peer, self._trusted):
            proto = headers.getlist("x-forwarded-proto")[-1:]
            if proto and proto[0].strip().lower() == "https":
                scope["scheme"] = _SECURE.get(scope["scheme"], scope["scheme"])
        return address
