"""Serving https: the files of the certificate, checked before the server starts."""

import structlog

from xnai.settings import Settings, certificate

log = structlog.get_logger(__name__)


def options(settings: Settings) -> dict[str, str]:
    """Return uvicorn's options for the certificate; none without one.

    Raises:
        XnaiError: SETTING_INVALID, certificate or key is missing or cannot be used.

    """
    cert, key = settings.tls_cert, settings.tls_key
    if not cert and not key:
        return {}
    certificate.require_usable(cert, key)
    return {"ssl_certfile": cert, "ssl_keyfile": key}


def warn(settings: Settings) -> None:
    """Log a warning if others can read the keys on their way, or browsers will refuse to come."""
    if settings.sends_keys_in_clear:
        log.warning(
            "keys and documents travel unencrypted: set XNAI_TLS_CERT and XNAI_TLS_KEY, or put a "
            "proxy with TLS in front and name it in XNAI_TRUSTED_PROXIES, see docs/tls.md",
            host=settings.host,
        )
    if settings.tls_cert and (
        said := certificate.time_problem(settings.tls_cert, settings.tls_key)
    ):
        log.warning(said)
