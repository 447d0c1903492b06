"""Circuit breakers that replicas share through Redis, and retries with a budget."""

from xnai.resilience.breaker import Breaker
from xnai.resilience.config import Config
from xnai.resilience.errors import CircuitOpenError, StreamTimeoutError
from xnai.resilience.events import (
    Event,
    Listener,
    ProbeEnded,
    ProbeStarted,
    Retried,
    RetryRefused,
    Transition,
    TransitionLog,
)
from xnai.resilience.registry import Breakers, BreakerStatus
from xnai.resilience.retry import Retry, RetryBudget, RetryConfig
from xnai.resilience.states import State

__all__ = [
    "Breaker",
    "BreakerStatus",
    "Breakers",
    "CircuitOpenError",
    "Config",
    "Event",
    "Listener",
    "ProbeEnded",
    "ProbeStarted",
    "Retried",
    "Retry",
    "RetryBudget",
    "RetryConfig",
    "RetryRefused",
    "State",
    "StreamTimeoutError",
    "Transition",
    "TransitionLog",
]
