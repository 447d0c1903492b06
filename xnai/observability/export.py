"""Sends traces and figures to the collector that the environment names, and to nobody else.

The variables are OpenTelemetry's own: ``OTEL_EXPORTER_OTLP_ENDPOINT`` and its kin.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import xnai
from xnai.aio import Background
from xnai.observability.metrics import Metrics
from xnai.observability.resource import resource
from xnai.observability.traces import traces

if TYPE_CHECKING:
    import requests

_log = structlog.get_logger(__name__)

_CLOSE_SECONDS = 3.0  # that a collector may take for the last of it
_INTERVAL = 60.0  # seconds; the specification's


class Export:
    """Owns whatever sends; does nothing while no endpoint is set.

    Args:
        metrics: the figures.
        refresh: brings them up to date; called in the event loop.

    """

    def __init__(self, metrics: Metrics, refresh: Callable[[], None]) -> None:
        self._metrics = metrics
        self._refresh = refresh
        self._pushing = Background(self._push_on, "metrics-push")
        self._end_traces: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to send what an endpoint is set for."""
        if is_wanted("TRACES"):
            self._end_traces = _start_traces()
        if is_wanted("METRICS"):
            self._pushing.start()

    async def stop(self) -> None:
        """Send the last of it, waiting for a slow collector a moment only."""
        await self._pushing.stop()
        if self._end_traces is not None:
            traces.use(None)
            await _aside(self._end_traces, _CLOSE_SECONDS)
            self._end_traces = None

    async def _push_on(self) -> None:
        try:
            await self._push()
        except Exception as exc:  # noqa: BLE001 - a variable of OpenTelemetry that makes no sense
            _log.error("figures are not sent", reason=str(exc))

    async def _push(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - rare
            OTLPMetricExporter,
        )

        exporter = OTLPMetricExporter(session=_session())
        # What the environment prefers is read by the exporter, which does not show it otherwise.
        reader = InMemoryMetricReader(
            exporter._preferred_temporality,  # noqa: SLF001
            exporter._preferred_aggregation,  # noqa: SLF001
        )
        self._metrics.add_reader(reader)
        try:
            while True:
                await asyncio.sleep(_interval())
                await self._send(reader, exporter.export, None)
        finally:
            await self._send(reader, exporter.export, _CLOSE_SECONDS)
            self._metrics.remove_reader(reader)

    async def _send(
        self,
        reader: InMemoryMetricReader,
        export: Callable[..., object],
        seconds: float | None,
    ) -> None:
        self._refresh()
        self._metrics.settle()
        data = reader.get_metrics_data()
        if data is not None:
            await _aside(lambda: export(data), seconds)


def is_wanted(signal: str) -> bool:
    """Whether an endpoint is set for ``TRACES`` or ``METRICS``, and nothing says no."""
    environment = os.environ.get
    if environment("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment(f"OTEL_{signal}_EXPORTER", "").strip().lower() == "none":
        return False
    endpoint = environment(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "") or environment(
        "OTEL_EXPORTER_OTLP_ENDPOINT", ""
    )
    if not endpoint:
        return False
    if environment("OTEL_EXPORTER_OTLP_PROTOCOL", "").startswith("grpc"):
        _log.warning("OTLP is sent over HTTP whatever OTEL_EXPORTER_OTLP_PROTOCOL says")
    if urlsplit(endpoint).scheme in {"http", "https"}:
        return True
    _log.error(
        "the OTLP endpoint is no http address",
        signal=signal.lower(),
        expected="http://collector:4318",
    )
    return False


def _start_traces() -> Callable[[], None] | None:
    """Have spans made and sent; gives what ends it."""
    # Loaded only by who wants it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    try:
        provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(session=_session())
        provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as exc:  # a variable of OpenTelemetry that makes no sense
        _log.error("no traces are made", reason=str(exc))
        return None
    traces.use(provider.get_tracer("xnai", xnai.__version__))
    _log.info("traces are sent", to=urlsplit(exporter._endpoint).netloc.rpartition("@")[2])  # noqa: SLF001
    return provider.shutdown


def _session() -> "requests.Session":
    """Connections to the endpoint itself: no proxy of the environment, no password of a file."""
    import requests  # noqa: PLC0415 - comes with the exporter

    session = requests.Session()
    session.trust_env = False
    return session


def _interval() -> float:
    """Seconds between two sendings of figures."""
    with suppress(ValueError):
        milliseconds = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", ""))
        if milliseconds > 0:
            return milliseconds / 1000
    return _INTERVAL


async def _aside(work: Callable[[], object], seconds: float | None) -> None:
    """Do something that blocks in a thread that the end of the program need not wait for."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        except Exception as exc:  # noqa: BLE001 - telemetry must not take the server with it
            _log.warning("telemetry was not sent", exception=type(exc).__name__)
        finally:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(over.set)

    threading.Thread(target=run, name="telemetry", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()
