"""Headers that tell the browser what a response may do."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Chainlit's front end has an inline script.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' ws://{host} wss://{host}; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
INERT_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"

_UPLOADS = "/project/file/"
_SHOWN_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PDF = "application/pdf"


class SecurityHeaders:
    """Adds the headers to every response that does not bring its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap ``send``."""

        async def guarded(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith(_UPLOADS):
                    _disarm_upload(headers)
                for name, value in _FIXED.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", _policy(scope, headers))
            await send(message)

        await self._app(scope, receive, guarded)


def _policy(scope: Scope, headers: MutableHeaders) -> str:
    if headers.get("content-type", "").startswith("application/json"):
        return INERT_POLICY
    # The host guard has refused every name that could break out of the policy.
    return _PAGE_POLICY.format(host=Headers(scope=scope).get("host", ""))


def _disarm_upload(headers: MutableHeaders) -> None:
    """Serve an upload as a download; under the type that its sender claimed, HTML would run."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _PDF:
        headers["X-Frame-Options"] = "SAMEORIGIN"
        headers["Content-Security-Policy"] = "frame-ancestors 'self'"
        return
    headers["Content-Security-Policy"] = INERT_POLICY
    if media_type not in _SHOWN_IMAGES:
        headers["Content-Disposition"] = "attachment"
