"""Checks of the port, and of the server that may be running on it."""

import contextlib
import shlex
import socket
from collections.abc import Iterator
from typing import Any

import httpx

from xnai.client import address, trusted
from xnai.doctor.finding import CheckSubject, Finding, ok, problem, warning
from xnai.errors import XnaiError
from xnai.settings import Settings, certificate

_SECONDS = 3.0
_LONGEST = 1_000_000  # bytes of an answer
_FINE = frozenset({"ready", "unknown", "connecting", "starting", "closed"})


def fetch_readiness(settings: Settings) -> dict[str, Any] | None:
    """Return the /health/ready of a running XNAi on the settings' port; None if there is none."""
    try:
        where = f"{address(settings)}/health/ready"
        with httpx.stream(
            "GET", where, timeout=_SECONDS, trust_env=False, verify=trusted(settings)
        ) as answer:
            size = 0
            parts = []
            for part in answer.iter_bytes():
                size += len(part)
                if size > _LONGEST:
                    return None
                parts.append(part)
        body = httpx.Response(200, content=b"".join(parts)).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    ours = isinstance(body, dict) and {"generation", "dependencies"} <= set(body)
    return body if ours else None


def check_port(subject: CheckSubject) -> Iterator[Finding]:
    """Check whether the port is free, ours, or taken by another program."""
    settings = subject.settings
    where = f"{settings.host}:{settings.port}"
    if not settings.is_loopback and not settings.api_keys:
        text = f"XNAI_HOST={settings.host} would let other machines in without a key"
        command = "XNAI_API_KEYS=$(openssl rand -hex 24) make run"
        yield problem("port", text, command)
    if settings.sends_keys_in_clear:
        text = f"keys travel unencrypted to XNAI_HOST={settings.host}; docs/tls.md says what to do"
        yield warning("port", text, "XNAI_TLS_CERT=cert.pem XNAI_TLS_KEY=key.pem make run")
    yield from _check_certificate(settings)
    if subject.server is not None:
        yield ok("port", f"{where}: XNAi {subject.server.get('version', '')} runs there")
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except socket.gaierror:
            text = f"XNAI_HOST={settings.host} is no address of this machine"
            yield problem("port", text, "XNAI_HOST=127.0.0.1 make run")
        except OSError as exc:
            text = f"{where} cannot be listened on: {exc.strerror}"
            yield problem("port", text, f"XNAI_PORT={_free(settings)} make run")
        else:
            yield ok("port", f"{where} is free; no server runs there")


def _check_certificate(settings: Settings) -> Iterator[Finding]:
    """Check what https is served with, if it is."""
    cert, key = settings.tls_cert, settings.tls_key
    if not cert and not key:
        return
    look = f"openssl x509 -noout -subject -dates -in {shlex.quote(cert)}"
    try:
        certificate.require_usable(cert, key)
    except XnaiError as exc:
        yield problem("certificate", f"the server does not start. {exc.message}", look)
        return
    if said := certificate.time_problem(cert, key):
        yield warning("certificate", said, look)
    else:
        yield ok("certificate", f"{cert} and its key belong together")


def _free(settings: Settings) -> int:
    """Return a port nearby that nobody listens on."""
    for port in range(settings.port + 1, min(settings.port + 50, 65_535)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    return settings.port + 1


def check_health(subject: CheckSubject) -> Iterator[Finding]:
    """Report what the running server says of its parts."""
    if subject.server is None:
        return
    readiness, sick = subject.server, []
    for name, part in readiness["dependencies"].items():
        if part.get("state") not in _FINE:
            sick.append(name)
            text = f"{name} is {part.get('state')}: {part.get('detail') or 'it does not say why'}"
            yield warning("server", text, f"curl -s {address(subject.settings)}/health/ready")
    for name, breaker in readiness.get("breakers", {}).items():
        if breaker.get("state") not in {"closed", "disabled", "metrics_only"}:
            sick.append(name)
            text = f"the breaker {name} is {breaker.get('state')}: {breaker.get('reason')}"
            yield warning("server", text, f"xnai breaker show {name}")
    if readiness.get("status") != "ready":
        error = readiness.get("error") or {}
        yield problem("server", f"not ready: {error.get('message')}", "xnai doctor")
    elif not sick:
        words = (
            "answers"
            if readiness.get("generation")
            else f"searches; the model is {readiness['model']}"
        )
        yield ok("server", f"it {words}; all parts are well")
