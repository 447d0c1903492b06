"""Logs, metrics and traces: one format for every line, one registry for every figure."""

from xnai.telemetry.figures import BreakerFigures, Metrics
from xnai.telemetry.logs import PRIVATE, Redact, configure_logging
from xnai.telemetry.stages import Stages
from xnai.telemetry.traces import spanned, traces

metrics = Metrics()
searching = Stages(metrics.search_stage_seconds, "search")

__all__ = [
    "PRIVATE",
    "BreakerFigures",
    "Metrics",
    "Redact",
    "configure_logging",
    "metrics",
    "searching",
    "spanned",
    "traces",
]
