"""Check which pages may open a socket: this server's own, under a name that is really its own."""

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from xnai.settings import Settings

DEFAULT_PORTS = {"http": 80, "https": 443}


def same_origin(settings: Settings) -> Callable[[str | None, dict[str, Any]], bool]:
    """Return a check as engineio takes it: (origin, WSGI environment) -> allowed.

    The origin must be the host that the request was sent to, or one of XNAI_ALLOWED_HOSTS. The
    host itself must be an address, ``localhost``, or a name from the settings: any other name may
    have been pointed at this machine by its owner (DNS rebinding).
    """
    names = {"localhost", *(name.lower() for name in (settings.host, *settings.allowed_hosts))}
    further = {name.lower() for name in settings.allowed_hosts}

    def allowed(origin: str | None, environ: dict[str, Any]) -> bool:
        page, host = _split(origin or ""), _split(f"//{environ.get('HTTP_HOST', '')}")
        if page is None or host is None or page.scheme not in DEFAULT_PORTS:
            return False
        if not (host.hostname in names or _is_address(host.hostname or "")):
            return False
        if page.hostname in further:
            return True
        default = DEFAULT_PORTS[page.scheme]
        return (page.hostname, page.port or default) == (host.hostname, host.port or default)

    return allowed


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
