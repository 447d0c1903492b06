"""Logs, metrics and traces: one format for every line, one registry for every figure."""

from xnai.telemetry.figures import BreakerFigures, Metrics
from xnai.telemetry.logs import PRIVATE, Redact, configure_logging

metrics = Metrics()

__all__ = ["PRIVATE", "BreakerFigures", "Metrics", "Redact", "configure_logging", "metrics"]
