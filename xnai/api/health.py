"""Health, metrics and the list of models: what operators and clients look at."""

import time
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import xnai
from xnai.api.auth import Authority
from xnai.api.breakers import breaker_object
from xnai.api.errors import REQUEST_ID, error_body, error_headers, require_accepting, require_search
from xnai.api.protocol import ApiRuntime
from xnai.audit import AuditState
from xnai.errors import MODEL_NOT_FOUND, XnaiError
from xnai.guards.listener import figures
from xnai.llm.protocol import HasEndpoints, LanguageModel, ModelInfo
from xnai.telemetry import metrics

_NO_STORE = {"Cache-Control": "no-store"}
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """The endpoints; none of them waits for anything."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    def routes(self) -> list[Route]:
        """Paths and methods."""
        return [
            Route("/health", self.live),
            Route("/health/live", self.live),
            Route("/health/ready", self.ready),
            Route("/metrics", self.metrics),
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
        ]

    async def live(self, _: Request) -> Response:
        """The process runs and its event loop turns."""
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def ready(self, request: Request) -> Response:
        """Whether documents can be searched, whether answers can be generated, and what is not."""
        body = self._readiness()
        try:
            require_accepting(self._runtime)
            require_search(self._runtime)
        except XnaiError as exc:
            body |= {"status": "not ready", **error_body(exc, request.scope[REQUEST_ID])}
            return JSONResponse(body, exc.kind.status, headers=error_headers(exc))
        return JSONResponse(body, headers=_NO_STORE)

    def _readiness(self) -> dict[str, object]:
        model, search = self._runtime.model.status, self._runtime.search_state
        return {
            "status": "ready",
            "generation": model.state == "ready",
            "model": model.state,
            "model_name": model.name,
            "model_detail": model.detail,
            "progress": model.progress,
            "eta_seconds": model.eta_seconds,
            "dependencies": {
                "search": {
                    "state": search.state,
                    "since": search.since,
                    "detail": search.detail,
                    "next_attempt_seconds": None,
                },
                "model": {
                    "state": model.state,
                    "since": model.since,
                    "detail": model.detail,
                    "next_attempt_seconds": model.retry_in,
                    "error_code": model.error_code or None,
                    "idle": model.idle,
                    "running": model.running,
                    "waiting": model.waiting,
                },
            },
            "audit": _audit(self._runtime.audit.state),
            **_endpoints(self._runtime.model),
            "breakers": {one.name: breaker_object(one) for one in self._runtime.breakers.status()},
            "version": xnai.__version__,
            "uptime_seconds": round(time.time() - self._runtime.started_at, 1),
        }

    async def metrics(self, request: Request) -> Response:
        """Every figure, for Prometheus."""
        self._authority.owner(request)
        metrics.show_breakers(figures(self._runtime.breakers))
        return Response(metrics.text(), headers={**_NO_STORE, "Content-Type": _METRICS_TYPE})

    async def models(self, request: Request) -> Response:
        """The models that can be chosen; ``default`` names the one in use."""
        self._authority.owner(request)
        model = self._runtime.model
        body = {
            "object": "list",
            "data": [self._model_object(info) for info in model.models()],
            "default": model.status.name,
        }
        return JSONResponse(body, headers=_NO_STORE)

    async def model(self, request: Request) -> Response:
        """One of the models."""
        self._authority.owner(request)
        name = request.path_params["name"]
        known = {info.name: info for info in self._runtime.model.models()}
        if name not in known:
            raise XnaiError(
                MODEL_NOT_FOUND,
                name=name[:100],
                folder=self._runtime.settings.models_dir,
                available=", ".join(known),
            )
        return JSONResponse(self._model_object(known[name]), headers=_NO_STORE)

    def _model_object(self, info: ModelInfo) -> dict[str, object]:
        details = asdict(info)
        del details["path"], details["name"]
        created = int(self._runtime.started_at)
        return {
            "id": info.name,
            "object": "model",
            "created": created,
            "owned_by": "xnai",
            **details,
        }


def _audit(audit: AuditState) -> dict[str, object]:
    return {
        "state": audit.state,
        "since": audit.since,
        "detail": audit.detail,
        "error_code": audit.error_code or None,
        "lines_lost": audit.lost,
    }


def _endpoints(model: LanguageModel) -> dict[str, object]:
    if not isinstance(model, HasEndpoints):
        return {}
    return {"endpoints": [asdict(endpoint) for endpoint in model.endpoints()]}
