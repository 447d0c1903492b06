"""``/v1/breakers``: the circuit breakers, for operators to look at and to change."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xnai.api.auth import Authority
from xnai.api.protocol import ApiRuntime
from xnai.errors import BAD_REQUEST, NOT_FOUND, XnaiError
from xnai.resilience.registry import BreakerStatus
from xnai.resilience.states import State

_NO_STORE = {"Cache-Control": "no-store"}
_REASON_LONGEST = 200
_ACTIONS = {
    "open": State.FORCED_OPEN,
    "close": State.CLOSED,
    "reset": State.CLOSED,
    "disable": State.DISABLED,
    "watch": State.METRICS_ONLY,
}


def breaker_object(status: BreakerStatus) -> dict[str, object]:
    """Return one breaker as JSON, times in seconds."""
    return {
        "state": status.state.value,
        "scope": status.scope,
        "shared": status.shared,
        "reason": status.reason,
        "for_seconds": round(status.for_seconds, 1),
        "retry_in": None if status.retry_in is None else round(status.retry_in, 1),
        "epoch": status.epoch,
        "opens": status.opens,
        "window": {
            "calls": status.window_calls,
            "failures": status.window_failures,
            "slow": status.window_slow,
        },
        "calls": status.counts,
        "open_seconds": round(status.open_seconds, 1),
    }


class BreakerRoutes:
    """The endpoints."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    def routes(self) -> list[Route]:
        """Return paths and methods."""
        return [
            Route("/v1/breakers", self.all, methods=["GET"]),
            Route("/v1/breakers/{name:path}", self.one, methods=["GET"]),
            Route("/v1/breakers/{name:path}", self.change, methods=["POST"]),
        ]

    async def all(self, request: Request) -> Response:
        """Return every breaker."""
        self._authority.caller(request)
        rows = [
            {"name": one.name, **breaker_object(one)} for one in self._runtime.breakers.status()
        ]
        return JSONResponse({"object": "list", "data": rows}, headers=_NO_STORE)

    async def one(self, request: Request) -> Response:
        """Return one breaker."""
        self._authority.caller(request)
        return self._shown(request.path_params["name"])

    async def change(self, request: Request) -> Response:
        """Carry out an order: ``{"action": "open", "reason": "maintenance"}``."""
        operator = self._authority.operator(request)
        action, reason = _order(await request.body())
        name = request.path_params["name"]
        breaker = self._runtime.breakers.get(name)
        if breaker is None:
            raise XnaiError(NOT_FOUND, what="breaker", name=name[:100])
        words = f"{action} by hand" + (f": {reason}" if reason else "")
        clear = action == "reset"
        await breaker.set_state(_ACTIONS[action], words, clear=clear)
        self._runtime.audit.record(
            "breaker", who=operator.person_id, name=name, set=action, reason=reason or None
        )
        return self._shown(name)

    def _shown(self, name: str) -> Response:
        for status in self._runtime.breakers.status():
            if status.name == name:
                body = {"name": name, **breaker_object(status)}
                return JSONResponse(body, headers=_NO_STORE)
        raise XnaiError(NOT_FOUND, what="breaker", name=name[:100])


def _order(body: bytes) -> tuple[str, str]:
    try:
        order = json.loads(body)
    except (ValueError, RecursionError):
        order = None
    action = order.get("action") if isinstance(order, dict) else None
    if not isinstance(action, str) or action not in _ACTIONS:
        raise XnaiError(
            BAD_REQUEST,
            problem="The action is missing or unknown.",
            fix=f'Send one of {", ".join(_ACTIONS)} as JSON: {{"action": "open"}}.',
        )
    reason = order.get("reason")
    text = reason if isinstance(reason, str) else ""
    return action, "".join(c if c.isprintable() else " " for c in text[:_REASON_LONGEST]).strip()
