"""The files to serve https with: what is wrong with them, in words that say which and why."""

import ssl
import time
from contextlib import suppress
from pathlib import Path

from xnai.errors import SETTING_INVALID, XnaiError

CERT, KEY = "XNAI_TLS_CERT", "XNAI_TLS_KEY"
SOON_SECONDS = 14 * 86_400.0
# X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which the module ssl has no name for.
ANY_TIME = ssl.VerifyFlags(0x200000)
_LONGEST = 1_000_000  # bytes of a file
_HANDSHAKES = 8  # turns of the two sides; three are enough
_REASONS = {
    "KEY_VALUES_MISMATCH": (KEY, "it is the key of another certificate than {cert}"),
    "EE_KEY_TOO_SMALL": (CERT, "its key is too short to be safe; make one of 2048 bits or more"),
    "CA_MD_TOO_WEAK": (CERT, "it is signed in a way that is not safe any more; have it made anew"),
}


def require_usable(cert: str, key: str) -> None:
    """See that a certificate and its key can be served with.

    Raises:
        XnaiError: SETTING_INVALID, naming the file and what is wrong with it.

    """
    values = {CERT: cert, KEY: key}
    if not cert or not key:
        empty, given = (KEY, CERT) if cert else (CERT, KEY)
        raise _invalid(empty, values, f"it is needed beside {given}")
    _require_certificate(values)
    _require_key(values)
    try:
        # Without a password to give, OpenSSL would ask at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", "") or type(exc).__name__
        name, problem = _REASONS.get(reason, (CERT, f"OpenSSL cannot use it ({reason})"))
        raise _invalid(name, values, problem.format(cert=cert)) from exc


def time_problem(cert: str, key: str) -> str:
    """Say whether a usable certificate is out of date, or will be soon; empty if it is not."""
    begin, end = _validity(cert, key)
    now = time.time()
    if now > end:
        return f"{CERT}={cert} expired on {_day(end)}: browsers refuse it. Renew it and start again"
    if now < begin:
        return f"{CERT}={cert} is not valid before {_day(begin)}: browsers refuse it until then"
    if end - now < SOON_SECONDS:
        return f"{CERT}={cert} expires on {_day(end)}. Renew it and start again"
    return ""


def _require_certificate(values: dict[str, str]) -> None:
    content = _read(CERT, values)
    if b"-----BEGIN CERTIFICATE-----" in content:
        return
    if content[:1] == b"\x30":  # of every ASN.1 sequence
        fix = f"openssl x509 -inform DER -in {values[CERT]} -out cert.pem"
        raise _invalid(CERT, values, f"it is not in PEM form; make it so: {fix}")
    raise _invalid(CERT, values, "it holds no certificate (PEM: -----BEGIN CERTIFICATE-----)")


def _require_key(values: dict[str, str]) -> None:
    content = _read(KEY, values)
    if b"PRIVATE KEY-----" not in content:
        raise _invalid(KEY, values, "it holds no private key (PEM: -----BEGIN PRIVATE KEY-----)")
    if b"ENCRYPTED" in content:
        fix = f"openssl pkey -in {values[KEY]} -out key.pem"
        raise _invalid(KEY, values, f"it has a passphrase; write the key without one: {fix}")


def _read(name: str, values: dict[str, str]) -> bytes:
    try:
        with Path(values[name]).open("rb") as file:
            return file.read(_LONGEST)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "it is no name of a file"
        raise _invalid(name, values, f"the file cannot be read: {reason}") from exc


def _invalid(name: str, values: dict[str, str], problem: str) -> XnaiError:
    return XnaiError(SETTING_INVALID, name=name, value=values[name], problem=problem)


def _validity(cert: str, key: str) -> tuple[float, float]:
    """From when to when a certificate is valid, in seconds since the epoch.

    ``ssl`` gives the content of a certificate that was verified alone, so it vouches for itself.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key, password=lambda: "")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ANY_TIME
    client.load_verify_locations(cert)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there)
    answering = server.wrap_bio(there, back, server_side=True)
    try:
        for _ in range(_HANDSHAKES):
            for side in (asking, answering):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLError:
        return 0.0, float("inf")  # not for servers, for example; browsers say what they think of it
    found = asking.getpeercert() or {}
    return _seconds(found.get("notBefore")), _seconds(found.get("notAfter"))


def _seconds(moment: object) -> float:
    return float(ssl.cert_time_to_seconds(str(moment)))


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
