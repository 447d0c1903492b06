"""The content of ``/health/ready``, read from memory alone so that it cannot wait for anything."""

import time
from collections.abc import Mapping
from dataclasses import asdict

import xnai
from xnai.api.breakers import breaker_object
from xnai.api.errors import require_accepting, require_search, search_down
from xnai.api.protocol import ApiRuntime
from xnai.breakers import EMBEDDER, ENDPOINT, INDEX, MODEL
from xnai.errors import REDIS_AWAY
from xnai.models.catalogue import shipped
from xnai.observability.audit import AuditState
from xnai.observability.health import Part
from xnai.resilience.registry import REDIS, BreakerStatus
from xnai.resilience.states import State

_REFUSES = frozenset({State.OPEN, State.FORCED_OPEN})
_BREAKER_OF = {"index": INDEX, "embedder": EMBEDDER}

Statuses = Mapping[str, BreakerStatus]


def require_ready(runtime: ApiRuntime) -> None:
    """Refuse a request while documents cannot be searched.

    Raises:
        XnaiError: SHUTTING_DOWN, SEARCH_DOWN.

    """
    require_accepting(runtime)
    require_search(runtime)
    index = runtime.health.parts.get("index")
    if index is not None and index.state == "down":
        raise search_down(index.detail)


def readiness(runtime: ApiRuntime) -> dict[str, object]:
    """Return every dependency and every breaker with its state; ages and times in seconds."""
    model = runtime.model.status
    statuses = {one.name: one for one in runtime.breakers.status()}
    return {
        "status": "ready",
        "generation": _can_generate(runtime, statuses),
        "model": model.state,
        "model_name": model.name,
        "model_detail": model.detail,
        "model_id": _model_id(model.name),
        "models": runtime.models.report(),
        "engine": None if model.engine is None else asdict(model.engine),
        "progress": model.progress,
        "eta_seconds": model.eta_seconds,
        "missing": runtime.library.missing,
        "dependencies": _dependencies(runtime, statuses),
        "audit": _audit(runtime.audit.state),
        **_endpoints(runtime),
        "breakers": {name: breaker_object(one) for name, one in statuses.items()},
        "version": xnai.__version__,
        "uptime_seconds": round(time.time() - runtime.started_at, 1),
    }


def _model_id(name: str) -> str:
    """The catalogue's name of a model, else its own."""
    entry = shipped().find(name)
    return entry.name if entry else name


def _can_generate(runtime: ApiRuntime, statuses: Statuses) -> bool:
    model = runtime.model
    if model.status.state != "ready":
        return False
    usable = [one for one in model.endpoints if one.state != "down"]
    names = [MODEL, *(f"{ENDPOINT}{one.endpoint}" for one in usable)]
    known = [statuses[name] for name in names if name in statuses]
    return not known or any(one.state not in _REFUSES for one in known)


def _dependencies(runtime: ApiRuntime, statuses: Statuses) -> dict[str, object]:
    search = runtime.search_state
    found: dict[str, object] = {
        "search": _dependency(
            search.state,
            search.since,
            search.detail,
            search.error_code,
            (search.error_code, search.since),
            None,
            None,
        ),
        "model": _model(runtime, statuses.get(MODEL)),
    }
    for part in runtime.health.parts.values():
        found[part.name] = _part(part, statuses.get(_BREAKER_OF.get(part.name, "")))
    for one in runtime.model.endpoints:
        name = f"{ENDPOINT}{one.endpoint}"
        found[name] = _dependency(
            one.state,
            one.since,
            one.detail,
            one.error_code,
            (one.last_error, one.last_error_at),
            one.retry_in,
            statuses.get(name),
        )
    if runtime.breakers.link is not None:
        found[REDIS] = _redis(runtime, statuses[REDIS])
    return found


def _model(runtime: ApiRuntime, breaker: BreakerStatus | None) -> dict[str, object]:
    model = runtime.model.status
    return {
        **_dependency(
            model.state,
            model.since,
            model.detail,
            model.error_code,
            (model.last_error, model.last_error_at),
            model.retry_in,
            breaker,
        ),
        "idle": model.idle,
        "running": model.running,
        "waiting": model.waiting,
    }


def _part(part: Part, breaker: BreakerStatus | None) -> dict[str, object]:
    return _dependency(
        part.state,
        part.since,
        part.detail,
        part.error.code if part.error else "",
        (part.last_error, part.last_error_at),
        None if part.state == "ready" else part.next_look_in,
        breaker,
    )


def _redis(runtime: ApiRuntime, breaker: BreakerStatus) -> dict[str, object]:
    link = runtime.breakers.link
    assert link is not None
    state = "ready" if not link.away else "down" if link.opens else "connecting"
    failed = REDIS_AWAY.code if link.failed_at else ""
    return _dependency(
        state,
        time.time() - breaker.for_seconds,
        breaker.reason,
        REDIS_AWAY.code if state == "down" else "",
        (failed, link.failed_at),
        link.retry_in,
        breaker,
    )


def _dependency(  # noqa: PLR0913, PLR0917 - the row of a table
    state: str,
    since: float,
    detail: str,
    error_code: str,
    last: tuple[str, float],
    retry_in: float | None,
    breaker: BreakerStatus | None,
) -> dict[str, object]:
    """Return one row: ``last`` is code and time of the latest error, also of one that is over."""
    if retry_in is None and breaker is not None:
        retry_in = breaker.retry_in
    code, at = last
    return {
        "state": state,
        "since": since,
        "detail": detail,
        "error_code": error_code or None,
        "last_error": {"code": code, "at": round(at, 3)} if code else None,
        "breaker": None if breaker is None else breaker.state.value,
        "next_attempt_seconds": None if retry_in is None else round(retry_in, 1),
    }


def _audit(audit: AuditState) -> dict[str, object]:
    return {
        "state": audit.state,
        "since": audit.since,
        "detail": audit.detail,
        "error_code": audit.error_code or None,
        "lines_lost": audit.lost,
    }


def _endpoints(runtime: ApiRuntime) -> dict[str, object]:
    endpoints = [asdict(endpoint) for endpoint in runtime.model.endpoints]
    return {"endpoints": endpoints} if endpoints else {}
