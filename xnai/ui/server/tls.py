"""Serving https: the files of the certificate, checked before the server starts."""

import ssl

import structlog

from xnai.errors import SETTING_INVALID, XnaiError
from xnai.settings import Settings

log = structlog.get_logger(__name__)


def options(settings: Settings) -> dict[str, str]:
    """Return uvicorn's options for the certificate; none without one.

    Raises:
        XnaiError: SETTING_INVALID, certificate or key is missing or cannot be used.

    """
    cert, key = settings.tls_cert, settings.tls_key
    if not cert and not key:
        return {}
    if not cert or not key:
        name = "XNAI_TLS_KEY" if cert else "XNAI_TLS_CERT"
        problem = f"it is needed beside {'XNAI_TLS_CERT' if cert else 'XNAI_TLS_KEY'}"
        raise XnaiError(SETTING_INVALID, name=name, value="", problem=problem)
    try:
        # Without a password to give, OpenSSL would ask at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", "") or getattr(exc, "reason", "") or "it cannot be read"
        problem = f"with XNAI_TLS_KEY={key!r} it makes no certificate: {reason}"
        raise XnaiError(SETTING_INVALID, name="XNAI_TLS_CERT", value=cert, problem=problem) from exc
    return {"ssl_certfile": cert, "ssl_keyfile": key}


def warn(settings: Settings) -> None:
    """Log a warning if keys are sent so that everybody on the way can read them."""
    if settings.sends_keys_in_clear:
        log.warning(
            "keys and documents travel unencrypted: set XNAI_TLS_CERT and XNAI_TLS_KEY, or put a "
            "proxy with TLS in front and name it in XNAI_TRUSTED_PROXIES, see docs/tls.md",
            host=settings.host,
        )
