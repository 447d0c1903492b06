"""The breakers of one server process."""

from dataclasses import replace

from xnai.errors import MODEL_DOWN, SETTING_INVALID, XnaiError
from xnai.observability import BreakerFigures, metrics
from xnai.resilience import (
    Breaker,
    Breakers,
    Config,
    Event,
    ProbeEnded,
    ProbeStarted,
    Retried,
    RetryRefused,
    State,
    Transition,
    TransitionLog,
)
from xnai.settings import Settings

MODEL, EMBEDDER, INDEX = "model", "embedder", "index"
ENDPOINT = "endpoint:"  # before host and port
_AGAIN = 30.0  # seconds after which an endpoint is tried again, however long it was away


def make_breakers(settings: Settings) -> Breakers:
    """None are in it yet.

    Raises:
        XnaiError: XNAI_REDIS_URL is no address of Redis.

    """
    try:
        return Breakers(settings.redis_url.get_secret_value(), [TransitionLog(), BreakerMetrics()])
    except ValueError as exc:
        raise XnaiError(
            SETTING_INVALID, name="XNAI_REDIS_URL", value="***", problem=str(exc)
        ) from exc


def config(settings: Settings, *, between_items: float | None = None) -> Config:
    """What the settings say, and which errors count."""
    return Config(
        failure_rate=settings.breaker_failure_rate,
        streak=settings.breaker_failures,
        open_time=settings.breaker_open_seconds,
        open_longest=max(120.0, settings.breaker_open_seconds),
        record=is_fault,
        describe=words,
        between_items=between_items,
    )


def own(breakers: Breakers, name: str, settings: Settings) -> Breaker:
    """A breaker of a part that each replica has for itself: it is not shared."""
    return breakers.make(name, config(settings), shared=False)


def endpoint(breakers: Breakers, name: str, settings: Settings) -> Breaker:
    """The breaker of a model endpoint, which all replicas ask."""
    rules = replace(config(settings), open_longest=max(_AGAIN, settings.breaker_open_seconds))
    return breakers.make(f"{ENDPOINT}{name}", rules, shared=True)


def is_fault(exc: BaseException) -> bool:
    """Whether an error counts against the dependency that raised it."""
    if isinstance(exc, XnaiError):
        return exc.kind.counts_as_fault
    return isinstance(exc, Exception)


def heals(exc: BaseException) -> bool:
    """Whether the same call may do better in a moment."""
    if not isinstance(exc, XnaiError):
        return False
    # A server that names a time (500, 502, 503 with Retry-After) says itself that it will.
    named = exc.kind is MODEL_DOWN and exc.retry_after is not None
    return named or exc.kind.heals_soon


def retry_after(exc: BaseException) -> float | None:
    """How long it is of no use to try again, if the error says so."""
    return exc.retry_after if isinstance(exc, XnaiError) else None


def words(exc: BaseException) -> str:
    """Why it failed, for logs and people; foreign errors may quote what is private."""
    return exc.message.rstrip(".") if isinstance(exc, XnaiError) else type(exc).__name__


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
