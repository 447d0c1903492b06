"""Health, metrics and the list of models: what operators and clients look at."""

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from xnai.api.auth import Authority
from xnai.api.errors import REQUEST_ID
from xnai.api.protocol import ApiRuntime
from xnai.api.readiness import readiness, require_ready
from xnai.breakers import figures
from xnai.errors import MODEL_NOT_FOUND, XnaiError
from xnai.llm.protocol import ModelInfo
from xnai.observability import metrics
from xnai.observability.error_reports import error_body, error_headers

_NO_STORE = {"Cache-Control": "no-store"}
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HealthRoutes:
    """The endpoints; none of them waits for anything."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    def routes(self) -> list[Route]:
        """Return paths and methods."""
        return [
            Route("/health", self.live),
            Route("/health/live", self.live),
            Route("/health/ready", self.ready),
            Route("/metrics", self.metrics),
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
        ]

    async def live(self, _: Request) -> Response:
        """Report that the process runs, and how late its event loop was recently, in seconds."""
        lag = self._runtime.health.loop_lag
        body = {
            "status": "ok",
            "loop_lag_seconds": round(lag.last, 4),
            "loop_lag_longest_seconds": round(lag.longest, 4),
        }
        return JSONResponse(body, headers=_NO_STORE)

    async def ready(self, request: Request) -> Response:
        """Report whether documents can be searched and answers generated, and what is down."""
        body = readiness(self._runtime)
        try:
            require_ready(self._runtime)
        except XnaiError as exc:
            body |= {"status": "not ready", **error_body(exc, request.scope[REQUEST_ID])}
            return JSONResponse(body, exc.kind.status, headers=error_headers(exc))
        return JSONResponse(body, headers=_NO_STORE)

    async def metrics(self, request: Request) -> Response:
        """Return every figure, for Prometheus."""
        self._authority.caller(request)
        metrics.show_breakers(figures(self._runtime.breakers))
        return Response(metrics.text(), headers={**_NO_STORE, "Content-Type": _METRICS_TYPE})

    async def models(self, request: Request) -> Response:
        """Return the models that can be chosen; ``default`` names the one in use."""
        self._authority.caller(request)
        model = self._runtime.model
        body = {
            "object": "list",
            "data": [self._model_object(info) for info in await asyncio.to_thread(model.models)],
            "default": model.status.name,
        }
        return JSONResponse(body, headers=_NO_STORE)

    async def model(self, request: Request) -> Response:
        """Return one of the models."""
        self._authority.caller(request)
        name = request.path_params["name"]
        found = await asyncio.to_thread(self._runtime.model.models)
        known = {info.name: info for info in found}
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
