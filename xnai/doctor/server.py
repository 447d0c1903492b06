"""The port, and the server that may be running on it."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import httpx

from xnai.doctor.finding import Finding, Patient, ok, problem, warning
from xnai.settings import Settings

_SECONDS = 3.0
_LONGEST = 1_000_000  # bytes of an answer
_FINE = frozenset({"ready", "unknown", "connecting", "starting", "closed"})


def ask_server(settings: Settings) -> dict[str, Any] | None:
    """The /health/ready of a running XNAi on the settings' port; None if there is none."""
    try:
        where = f"{address(settings)}/health/ready"
        with httpx.stream("GET", where, timeout=_SECONDS, trust_env=False) as answer:
            size = 0
            parts = []
            for part in answer.iter_bytes():
                size += len(part)
                if size > _LONGEST:
                    return None
                parts.append(part)
        told = httpx.Response(200, content=b"".join(parts)).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    ours = isinstance(told, dict) and {"generation", "dependencies"} <= set(told)
    return told if ours else None


def address(settings: Settings) -> str:
    """Where a server of these settings is asked from this machine."""
    host = settings.host if settings.is_loopback else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def check_port(patient: Patient) -> Iterator[Finding]:
    """Whether the port is free, ours, or taken by somebody else."""
    settings = patient.settings
    place = f"{settings.host}:{settings.port}"
    if not settings.is_loopback and not settings.api_keys:
        text = f"XNAI_HOST={settings.host} would let other machines in without a key"
        command = "XNAI_API_KEYS=$(openssl rand -hex 24) make run"
        yield problem("port", text, command)
    if patient.server is not None:
        yield ok("port", f"{place}: XNAi {patient.server.get('version', '')} runs there")
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
            text = f"{place} cannot be listened on: {exc.strerror}"
            yield problem("port", text, f"XNAI_PORT={_free(settings)} make run")
        else:
            yield ok("port", f"{place} is free; no server runs there")


def _free(settings: Settings) -> int:
    """A port nearby that nobody listens on."""
    for port in range(settings.port + 1, min(settings.port + 50, 65_535)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    return settings.port + 1


def check_health(patient: Patient) -> Iterator[Finding]:
    """What the running server says of its parts."""
    if patient.server is None:
        return
    told, sick = patient.server, []
    for name, part in told["dependencies"].items():
        if part.get("state") not in _FINE:
            sick.append(name)
            text = f"{name} is {part.get('state')}: {part.get('detail') or 'it does not say why'}"
            yield warning("server", text, f"curl -s {address(patient.settings)}/health/ready")
    for name, breaker in told.get("breakers", {}).items():
        if breaker.get("state") not in {"closed", "disabled", "metrics_only"}:
            sick.append(name)
            text = f"the breaker {name} is {breaker.get('state')}: {breaker.get('reason')}"
            yield warning("server", text, f"xnai breaker show {name}")
    if told.get("status") != "ready":
        error = told.get("error") or {}
        yield problem("server", f"not ready: {error.get('message')}", "xnai doctor")
    elif not sick:
        words = "answers" if told.get("generation") else f"searches; the model is {told['model']}"
        yield ok("server", f"it {words}; all parts are well")
