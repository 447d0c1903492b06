"""Counts what breakers tell."""

from xnai.resilience.events import (
    Event,
    ProbeEnded,
    ProbeStarted,
    Retried,
    RetryRefused,
    Transition,
)
from xnai.resilience.registry import Breakers
from xnai.resilience.states import State
from xnai.telemetry import BreakerFigures, metrics

_NUMBERS = {state: number for number, state in enumerate(State)}


class BreakerMetrics:
    """A listener that keeps the counters."""

    def on_event(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Transition():
                metrics.breaker_transitions.labels(event.breaker, event.new.value).inc()
            case ProbeEnded():
                metrics.breaker_probes.labels(event.breaker, event.result).inc()
            case Retried():
                metrics.retries.labels(event.dependency, "tried").inc()
            case RetryRefused():
                metrics.retries.labels(event.dependency, event.cause).inc()
            case ProbeStarted():
                pass


def figures(breakers: Breakers) -> list[BreakerFigures]:
    """What is read when somebody looks: states, calls and times."""
    return [
        BreakerFigures(one.name, _NUMBERS[one.state], one.counts, one.open_seconds)
        for one in breakers.status()
    ]
