"""Logs, metrics and traces: one format for every line, one registry for every figure."""

from xnai.observability.logs import PRIVATE, Redact, configure_logging
from xnai.observability.metrics import BreakerFigures, Metrics
from xnai.observability.stages import Stages
from xnai.observability.traces import spanned, traces

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
